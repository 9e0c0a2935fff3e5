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
  /** When somebody last asked what is left. */
  #lookedAtMs = 0;

  constructor(clock: Clock, graceMs: number) {
    this.#clock = clock;
    this.#graceMs = mutant("M23") ? graceMs / 3 : graceMs;
    this.#untilMs = mutant("M19") ? Number.NEGATIVE_INFINITY : this.#nowMs + graceMs;
  }

  /**
   * A frame of the leader that is followed has come. Reads the clock now: a time that the loop remembers may be older than
   * the frame's beacon itself (M15).
   */
  renew(): void {
    const nowMs = mutant("M15") ? this.#lookedAtMs : this.#nowMs;
    this.#untilMs = Math.max(this.#untilMs, nowMs + this.#graceMs);
  }

  /** Milliseconds left; 0 or less: nothing is promised to anybody. */
  get remainingMs(): number {
    this.#lookedAtMs = this.#nowMs;
    return this.#untilMs - this.#lookedAtMs;
  }

  get #nowMs(): number {
    return mutant("M16") ? this.#clock.wallMs() : this.#clock.nowMs();
  }
}

/**
 * What a replica echoes to its leader: the newest beacon of the session. Whoever echoes one has promised (§2.6, replica step 2);
 * frames without a beacon ask for no promise.
 */
export class BeaconEcho {
  readonly #promise: FollowerPromise | null;
  #last = 0;

  /** `promise` is null in static mode, where nothing is promised. */
  constructor(promise: FollowerPromise | null) {
    this.#promise = promise;
  }

  get last(): number {
    return this.#last;
  }

  /** A frame of the session came with `beacon`; 0: with none. */
  heard(beacon: number): void {
    if (beacon === 0) return;
    this.#promise?.renew();
    this.#last = Math.max(this.#last, beacon);
  }

  /** A new session: beacons of another life of this leader name other moments. */
  reset(): void {
    this.#last = 0;
  }
}
