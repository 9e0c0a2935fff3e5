/** A source of time. Handed in everywhere, so that a simulation can own it. */
export interface Clock {
  /** Monotonic milliseconds (fractional), read afresh at every call: never a cached loop time (M15). */
  nowMs(): number;
  /** Wall-clock milliseconds since 1970. Only for log timestamps and logs, never for leases or time-outs (M16). */
  wallMs(): number;
}

/** A pending call. Cancelling it twice, or after it ran, does nothing. */
export interface Timer {
  cancel(): void;
}

/** A source of delayed calls; the counterpart of `Clock`. */
export interface Timers {
  /** Calls `run` once, not before `delayMs` milliseconds have passed. */
  after(delayMs: number, run: () => void): Timer;
  /** Calls `run` in a later turn of the loop, before any timer: used to gather what arrives in one turn. */
  soon(run: () => void): void;
}
