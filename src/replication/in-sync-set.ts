import { mutant } from "../base/mutants.ts";
import type { InSyncMember, Leadership } from "../model/leadership.ts";
import type { NodeName, Sequence, StoreRef } from "../model/position.ts";
import type { MemberEnvironment } from "./member-environment.ts";
import type { MemberLink } from "./member-link.ts";
import type { ReplicaSession } from "./replica-sessions.ts";

interface InSyncSetParts {
  readonly env: MemberEnvironment;
  readonly link: MemberLink;
  readonly node: NodeName;
  readonly leadership: Leadership;
}

/** A replica must keep up for this long before it is counted again (§2.8). */
const KEEPS_UP_MS = 1000;

/**
 * Who must have flushed what counts as committed, in static mode (rule T5): members by store, with a version.
 *
 * Invariant: a member is required from the moment it is added *here*; only then is the larger set written down, and only
 * then told to the member (rule I1: adding goes memory first). Nobody is removed but by the operator.
 */
export class InSyncSet {
  readonly #parts: InSyncSetParts;
  readonly #heardMs = new Map<NodeName, number>();
  readonly #keepsUpSinceMs = new Map<NodeName, number>();
  #leadership: Leadership;

  constructor(parts: InSyncSetParts) {
    this.#parts = parts;
    this.#leadership = parts.leadership;
    const nowMs = parts.env.clock.nowMs();
    for (const member of parts.leadership.inSync) this.#heardMs.set(member.node, nowMs);
  }

  get leadership(): Leadership {
    return this.#leadership;
  }

  /** A listed member without a store gets the one it shows at first contact. */
  bind(store: StoreRef): void {
    const { inSync } = this.#leadership;
    if (!inSync.some((member) => member.node === store.node && member.store === null)) return;
    this.#replace(
      inSync.map((member) => (member.node === store.node && member.store === null ? { ...store } : member)),
    );
  }

  noteHeard(node: NodeName): void {
    this.#heardMs.set(node, this.#parts.env.clock.nowMs());
  }

  lastHeardMs(node: NodeName): number {
    return this.#heardMs.get(node) ?? 0;
  }

  /** Adds the session's store when it is complete, has everything committed, and has kept up for a second (§2.8, I2). */
  considerAdding(
    session: ReplicaSession,
    position: { readonly commit: Sequence; readonly epochStart: Sequence; readonly logEnd: Sequence },
  ): void {
    const { node, store } = session;
    const { inSync } = this.#leadership;
    if (inSync.some((member) => sameStore(member, store))) return;
    const nowMs = this.#parts.env.clock.nowMs();
    const hasAll =
      session.isMatched &&
      (session.isComplete || mutant("M99")) &&
      session.durable >= Math.max(position.commit, position.epochStart) &&
      position.commit >= position.epochStart;
    if (!hasAll) {
      this.#keepsUpSinceMs.delete(node);
      return;
    }
    const since = this.#keepsUpSinceMs.get(node) ?? nowMs;
    this.#keepsUpSinceMs.set(node, since);
    if (nowMs - since < KEEPS_UP_MS) return;
    this.#keepsUpSinceMs.delete(node);
    this.#replace([...inSync.filter((member) => member.node !== node), { ...store }]);
    this.#parts.env.logger.info("In-sync set grows", { node, store: store.store });
  }

  #replace(inSync: readonly InSyncMember[]): void {
    this.#leadership = { ...this.#leadership, inSync, setVersion: this.#leadership.setVersion + 1 };
    const { stateFile } = this.#parts.env;
    stateFile.replace({ ...stateFile.state, leadership: this.#leadership });
  }
}

function sameStore(member: InSyncMember, store: StoreRef): boolean {
  return member.node === store.node && member.store === store.store && member.generation === store.generation;
}
