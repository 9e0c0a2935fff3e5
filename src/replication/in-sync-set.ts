import { mutant } from "../base/mutants.ts";
import { type InSyncMember, isSameStore, type Leadership } from "../model/leadership.ts";
import type { NodeName, StoreRef } from "../model/position.ts";
import type { InSyncKeeper, SetPosition } from "./in-sync-keeper.ts";
import type { MemberEnvironment } from "./member-environment.ts";
import { isNoRoom } from "./no-room.ts";
import type { ReplicaSession } from "./replica-sessions.ts";

interface InSyncSetParts {
  readonly env: MemberEnvironment;
  readonly node: NodeName;
  readonly leadership: Leadership;
  readonly minInSync: number;
}

/** A replica must keep up for this long, and be no further behind, before it is counted again (§2.8). */
const KEEPS_UP_MS = 1000;

/**
 * Who must have flushed what counts as committed, in static mode (rule T5): members by store, with a version.
 *
 * Invariant: a member is required from the moment it is added *here*; only then is the larger set written down, and only
 * then told to the member (rule I1: adding goes memory first). Nobody is removed but by the operator.
 *
 * Under load a replica is always a few entries behind what the others have committed. So one that keeps up is first
 * `required` without being listed: nothing more is promised without it, it catches up with what was, and is listed then.
 */
export class InSyncSet implements InSyncKeeper {
  readonly #parts: InSyncSetParts;
  readonly #heardMs = new Map<NodeName, number>();
  readonly #keepsUpSinceMs = new Map<NodeName, number>();
  readonly #joining = new Map<NodeName, InSyncMember>();
  #leadership: Leadership;
  #isWithoutRoom = false;

  constructor(parts: InSyncSetParts) {
    this.#parts = parts;
    this.#leadership = parts.leadership;
    const nowMs = parts.env.clock.nowMs();
    for (const member of parts.leadership.inSync) this.#heardMs.set(member.node, nowMs);
  }

  get leadership(): Leadership {
    return this.#leadership;
  }

  /** Who must have flushed what is promised: the listed members, and those about to be. */
  get required(): readonly InSyncMember[] {
    return this.#joining.size === 0 ? this.#leadership.inSync : [...this.#leadership.inSync, ...this.#joining.values()];
  }

  get minInSync(): number {
    return this.#parts.minInSync;
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

  /**
   * Adds the session's store when it is complete, has kept up for a second, and has everything that was promised (§2.8, I2).
   * To be called again and again while the session lasts.
   */
  considerAdding(session: ReplicaSession, position: SetPosition): void {
    const { node, store } = session;
    const { inSync } = this.#leadership;
    if (inSync.some((member) => isSameStore(member, store))) return;
    const nowMs = this.#parts.env.clock.nowMs();
    const keepsUp =
      session.isMatched &&
      (session.isComplete || mutant("M99")) &&
      session.durable >= position.epochStart &&
      position.commit >= position.epochStart &&
      position.lagMs <= KEEPS_UP_MS;
    if (!keepsUp) return this.forget(node);
    const since = this.#keepsUpSinceMs.get(node) ?? nowMs;
    this.#keepsUpSinceMs.set(node, since);
    if (nowMs - since < KEEPS_UP_MS) return;
    this.#joining.set(node, { ...store });
    if (session.durable < position.promised) return;
    if (!this.#replace([...inSync.filter((member) => member.node !== node), { ...store }])) return;
    this.forget(node);
    this.#parts.env.logger.info(`The in-sync set has grown by ${node}`, { store: store.store });
  }

  /** The session with `node` is over, or not good enough: it counts for nothing unless it is listed. */
  forget(node: NodeName): void {
    this.#keepsUpSinceMs.delete(node);
    this.#joining.delete(node);
  }

  /** There is no arbiter: only the operator removes a member. */
  considerRemoving(): void {}

  adviceFor(shard: string): string {
    return `start it, or go on without it: kv promote --shard ${shard} --node ${this.#parts.node}`;
  }

  /** Requires `inSync` from now on. When the disk has no room to write it down, nothing has changed: it is tried again. */
  #replace(inSync: readonly InSyncMember[]): boolean {
    const { stateFile, logger } = this.#parts.env;
    const before = this.#leadership;
    this.#leadership = { ...before, inSync, setVersion: before.setVersion + 1 };
    try {
      stateFile.replace({ ...stateFile.state, leadership: this.#leadership });
      return true;
    } catch (error) {
      this.#leadership = before;
      if (!isNoRoom(error)) throw error;
      if (!this.#isWithoutRoom) logger.warn("The disk has no room to write down who is in the in-sync set");
      this.#isWithoutRoom = true;
      return false;
    }
  }
}
