import type { Clock } from "../base/clock.ts";
import type { NodeName, StoreRef } from "../model/position.ts";
import type { MissingRoom } from "./room-shortage.ts";

/** What is looked at of a leadership whose disk may be full. */
export interface RelievedTerm {
  readonly operations: { readonly shortage: { measure(): MissingRoom | null } };
  successor(preferred: NodeName | null, roomBytes: number): StoreRef | null;
}

/** A disk that has been full for so long is not about to be given room by whoever filled it. */
const FULL_MS = 1000;
/** Between attempts: each makes clients wait, and leaders that pass on a full disk in turn would serve nobody. */
const PAUSE_MS = 10_000;

/**
 * When a leader whose disk is full hands over to a member that has room (rule S4). It stays when there is none: reads go on, and
 * writes are refused.
 *
 * Owns when that was tried last.
 */
export class Relief {
  readonly #clock: Clock;
  #triedMs: number = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many bytes the successor must have room for, if it is time to hand over; the caller then tries. Else null. */
  due(term: RelievedTerm): number | null {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#triedMs < PAUSE_MS) return null;
    const missing = term.operations.shortage.measure();
    if (missing === null || missing.forMs < FULL_MS || term.successor(null, missing.bytes) === null) return null;
    this.#triedMs = nowMs;
    return missing.bytes;
  }
}
