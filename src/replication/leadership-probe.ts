import type { Clock } from "../base/clock.ts";
import type { Beacon } from "./read-lease.ts";
import type { TermLease } from "./term-lease.ts";

export interface LeadershipProbeParts {
  readonly clock: Clock;
  readonly lease: TermLease;
  /** Sends a frame with that beacon to every replica at once. */
  readonly send: (beacon: Beacon) => void;
}

/** A question or its answer may be lost: it is put again after this long. */
const REPEAT_MS = 100;

/**
 * Asks the replicas whether they still follow, for reads that trust no clock (§2.13, `strict`).
 *
 * Owns one question under way at a time: what is asked meanwhile shares the next one, so that many strict reads cost one round
 * trip together. Whoever asked goes by the echoes alone; where they stay away, nothing is proven.
 */
export class LeadershipProbe {
  readonly #parts: LeadershipProbeParts;
  /** The newest beacon that somebody waits to see outdone. */
  #wanted: Beacon = -1;
  /** The beacon of the question under way. */
  #asked: Beacon = 0;
  #askedMs = Number.NEGATIVE_INFINITY;

  constructor(parts: LeadershipProbeParts) {
    this.#parts = parts;
  }

  /** Asks, now or with the next question. An echo of a beacon newer than the one returned proves the leadership as of this call. */
  begin(): Beacon {
    const newest = this.#parts.lease.lastBeacon;
    this.#wanted = newest;
    this.goOn();
    return newest;
  }

  /** An echo came, or time has passed: puts the next question when one is wanted and none is under way. */
  goOn(): void {
    const { clock, lease } = this.#parts;
    if (this.#wanted < 0) return;
    if (lease.hasProof(this.#wanted)) {
      this.#wanted = -1;
      return;
    }
    const isUnderWay = !lease.hasProof(this.#asked - 1) && clock.nowMs() - this.#askedMs < REPEAT_MS;
    if (isUnderWay) return;
    const beacon = lease.freshBeacon();
    if (beacon === 0) return;
    this.#asked = beacon;
    this.#askedMs = clock.nowMs();
    this.#parts.send(beacon);
  }
}
