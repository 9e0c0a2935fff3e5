/** How one machine's clocks differ from true time. */
export interface ClockFault {
  /** Ticks per true tick; 1 ± ρ is within the assumption on clocks (A1). */
  readonly rate: number;
  readonly offsetMs: number;
  readonly wallOffsetMs: number;
}

/** The instant at which runs begin, on a true wall clock. */
const START_WALL_MS = Date.UTC(2026, 0, 1);

/** The clocks of one machine. They outlive its processes, and run on while one is paused (A2). */
export class MachineClock {
  readonly #rate: number;
  readonly #offsetMs: number;
  #wallOffsetMs: number;

  constructor({ rate, offsetMs, wallOffsetMs }: ClockFault) {
    this.#rate = rate;
    this.#offsetMs = offsetMs;
    this.#wallOffsetMs = wallOffsetMs;
  }

  monotonicMs(trueMs: number): number {
    return this.#offsetMs + trueMs * this.#rate;
  }

  wallMs(trueMs: number): number {
    return Math.floor(START_WALL_MS + this.#wallOffsetMs + trueMs * this.#rate);
  }

  /** How long `durationMs` of this clock are in truth. */
  trueDelayMs(durationMs: number): number {
    return durationMs / this.#rate;
  }

  /** Sets the wall clock, forwards or back. The monotonic clock does not care. */
  stepWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }
}
