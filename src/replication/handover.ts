import type { Timer } from "../base/clock.ts";
import type { NodeName, StoreRef } from "../model/position.ts";
import type { CoordinatedSet } from "./coordinated-set.ts";
import type { LeaderTerm } from "./leader-term.ts";
import type { MemberEnvironment } from "./member-environment.ts";
import type { KnownDocument, ShardRegister } from "./shard-register.ts";
import type { TermLease } from "./term-lease.ts";

export interface HandoverParts {
  readonly env: Pick<MemberEnvironment, "clock" | "timers">;
  readonly term: Pick<LeaderTerm, "isEnded" | "isSettled" | "successor"> & {
    readonly operations: Pick<LeaderTerm["operations"], "hold" | "release">;
  };
  readonly set: Pick<CoordinatedSet, "handOver">;
  readonly lease: Pick<TermLease, "suspend">;
  readonly register: Pick<ShardRegister, "isChanging">;
  /** Who shall lead; null: whoever of the set is ready. */
  readonly successor: NodeName | null;
  /** What the successor's log must have room for, in bytes: more than 0 when this member's disk is full (rule S4). */
  readonly roomBytes: number;
  /** Whether this member goes on as a replica; false when its process is about to stop. */
  readonly stays: boolean;
  /** It is certain that the successor leads; this member must leave its duty in this very step. */
  readonly onHandedOver: (known: KnownDocument) => void;
  /** Called once, at the end; null: the successor leads. Else why it does not, as a sentence without its end. */
  readonly done: (refusal: string | null) => void;
}

/** What was taken must be committed within this time; clients wait meanwhile. */
const DRAIN_MS_MAX = 1000;
const LOOK_MS = 2;

/**
 * A planned change of leaders, on the side of the one that leads (§2.9, Handover).
 *
 * New requests wait, what was taken is committed, then no read is answered any more, and one swap names the successor, which has
 * everything. Until the outcome of that swap is certain this member serves nobody: the successor may lead already, and needs to
 * wait for no promise. If it comes to nothing, this member goes on as if nothing had been.
 */
export class Handover {
  readonly #parts: HandoverParts;
  readonly #deadlineMs: number;
  #timer: Timer | null = null;
  #isEnded = false;

  constructor(parts: HandoverParts) {
    this.#parts = parts;
    this.#deadlineMs = parts.env.clock.nowMs() + DRAIN_MS_MAX;
  }

  start(): void {
    if (this.#choose() === null) return this.#finish(this.#reasonWithoutSuccessor());
    this.#parts.term.operations.hold();
    this.#look();
  }

  /** The leadership is over by other means, or the process stops. The swap may still take effect. */
  end(): void {
    this.#finish("the leadership ended before it was certain that it had been handed over");
  }

  #look(): void {
    const { env, term, register } = this.#parts;
    if (term.isEnded) this.end();
    if (this.#isEnded) return;
    const successor = this.#choose();
    if (successor === null) return this.#goOn(this.#reasonWithoutSuccessor());
    if (term.isSettled && !register.isChanging) return this.#swap(successor);
    if (env.clock.nowMs() >= this.#deadlineMs) {
      return this.#goOn(
        register.isChanging
          ? "another change of the shard's document is under way"
          : "writes under way were not committed in time",
      );
    }
    this.#timer = env.timers.after(LOOK_MS, () => this.#look());
  }

  #swap(successor: StoreRef): void {
    const { term, lease, set, stays, onHandedOver } = this.#parts;
    lease.suspend(true);
    set.handOver(successor, stays, (outcome) => {
      if (term.isEnded) this.end();
      if (this.#isEnded) return;
      if (outcome.kind === "refused") return this.#goOn(outcome.reason);
      onHandedOver(outcome.known);
      this.#finish(null);
    });
  }

  #choose(): StoreRef | null {
    const { term, successor, roomBytes } = this.#parts;
    return term.successor(successor, roomBytes);
  }

  #reasonWithoutSuccessor(): string {
    const { successor, roomBytes } = this.#parts;
    if (roomBytes > 0) return "no other member of the in-sync set is connected and has room";
    if (successor === null) return "no other member of the in-sync set is connected";
    return `${successor} is not in the in-sync set, or not connected`;
  }

  /** It is certain that nobody else leads by this. */
  #goOn(reason: string): void {
    if (this.#isEnded) return;
    this.#parts.lease.suspend(false);
    this.#parts.term.operations.release();
    this.#finish(reason);
  }

  #finish(refusal: string | null): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#timer?.cancel();
    this.#parts.done(refusal);
  }
}
