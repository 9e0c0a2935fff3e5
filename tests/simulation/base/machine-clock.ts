/** How one machine's clocks differ from true time. */
export interface ClockFault {
  /** Ticks per true tick; 1 ± ρ is within the assumption on clocks (A1). */
  readonly rate: number;
  readonly offsetMs: number;
  readonly wallOffsetMs: number;
}

/** The instant at which runs begin, on a true wall clock. */
const START_WALL_MS = Date.UTC(2026, 0, 1);

/**
 * The clocks of one machine. They outlive its processes, and run on while one is paused (A2), unless they are frozen. The wall clock
 * knows nothing of that: it is set from outside.
 */
export class MachineClock {
  #rate: number;
  #offsetMs: number;
  #wallOffsetMs: number;
  readonly #wallRate: number;
  /** The monotonic clock stands still from `fromMs` to `untilMs` of true time. */
  #frozen = { fromMs: Infinity, untilMs: Infinity };

  constructor({ rate, offsetMs, wallOffsetMs }: ClockFault) {
    this.#rate = rate;
    this.#offsetMs = offsetMs;
    this.#wallOffsetMs = wallOffsetMs;
    this.#wallRate = rate;
  }

  monotonicMs(trueMs: number): number {
    const { fromMs, untilMs } = this.#frozen;
    const lostMs = trueMs <= fromMs ? 0 : Math.min(trueMs, untilMs) - fromMs;
    return this.#offsetMs + (trueMs - lostMs) * this.#rate;
  }

  wallMs(trueMs: number): number {
    return Math.floor(START_WALL_MS + this.#wallOffsetMs + trueMs * this.#wallRate);
  }

  /** How long `durationMs` of this clock are in truth. */
  trueDelayMs(durationMs: number): number {
    return durationMs / this.#rate;
  }

  /** Sets the wall clock, forwards or back. The monotonic clock does not care. */
  stepWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** From now on the monotonic clock runs at `rate`, without a jump. */
  setRate(trueMs: number, rate: number): void {
    this.#settle(trueMs);
    const nowMs = this.monotonicMs(trueMs);
    this.#rate = rate;
    this.#offsetMs = nowMs - trueMs * rate;
  }

  /** The monotonic clock stands still for `durationMs`, as while a virtual machine is suspended. */
  freeze(trueMs: number, durationMs: number): void {
    this.#settle(trueMs);
    this.#frozen = { fromMs: trueMs, untilMs: trueMs + durationMs };
  }

  /** What was lost by an earlier freeze becomes part of the offset. */
  #settle(trueMs: number): void {
    const nowMs = this.monotonicMs(trueMs);
    this.#frozen = { fromMs: Infinity, untilMs: Infinity };
    this.#offsetMs = nowMs - trueMs * this.#rate;
  }
}
