import type { Clock } from "../base/clock.ts";
import { mutant } from "../base/mutants.ts";

/**
 * A replica's promise not to seek the leadership for the grace time `G` after it last heard its leader (§2.9). The
 * leader's lease rests on it.
 *
 * Kept in memory alone: after a start nobody knows what was promised before, so a whole `G` has to pass (rule L5, M19).
 */
export class FollowerPromise {
  readonly #clock: Clock;
  readonly #graceMs: number;
  #untilMs: number;

  constructor(clock: Clock, graceMs: number) {
    this.#clock = clock;
    this.#graceMs = graceMs;
    this.#untilMs = mutant("M19") ? Number.NEGATIVE_INFINITY : clock.nowMs() + graceMs;
  }

  /**
   * A frame of the leader that is followed has come. Reads the clock now: a time that the loop remembers may be older than
   * the frame's beacon itself (M15).
   */
  renew(): void {
    this.#untilMs = Math.max(this.#untilMs, this.#clock.nowMs() + this.#graceMs);
  }

  /** Milliseconds left; 0 or less: nothing is promised to anybody. */
  get remainingMs(): number {
    return this.#untilMs - this.#clock.nowMs();
  }
}
