import type { Clock } from "../base/clock.ts";

/**
 * The leader's log clock: monotonic time plus an offset fixed at the start of a leadership, so that it is at or past both
 * the wall clock and the last entry's timestamp, and never stands still (storage.md, Expiry).
 *
 * Relative expiry, expiry checks and entry timestamps use it alone (rule G4). A replica follows the timestamps it receives.
 */
export class LogClock {
  readonly #clock: Clock;
  #offsetMs: number;
  #lastMs = 0;

  constructor(clock: Clock, lastTimestampMs: number) {
    this.#clock = clock;
    this.#lastMs = lastTimestampMs;
    this.#offsetMs = Math.max(clock.wallMs(), lastTimestampMs) - clock.nowMs();
  }

  /** Fixes the offset anew: at the start of a leadership. What the clock has said before, it never goes behind. */
  rebase(): void {
    this.#offsetMs = Math.max(this.#clock.wallMs(), this.nowMs()) - this.#clock.nowMs();
  }

  /** Takes note of a timestamp in the log: the clock goes on from there if it was behind. */
  observe(timestampMs: number): void {
    if (timestampMs <= this.#lastMs) return;
    this.#lastMs = timestampMs;
    const nowMs = this.#clock.nowMs();
    if (nowMs + this.#offsetMs < timestampMs) this.#offsetMs = timestampMs - nowMs;
  }

  /** Whole milliseconds. */
  nowMs(): number {
    return Math.max(this.#lastMs, Math.floor(this.#clock.nowMs() + this.#offsetMs));
  }

  /** The largest timestamp in the log so far. */
  get lastTimestampMs(): number {
    return this.#lastMs;
  }
}
