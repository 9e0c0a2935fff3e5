import type { InSyncMember, Leadership } from "../model/leadership.ts";
import type { NodeName, Sequence, StoreRef } from "../model/position.ts";
import type { ReplicaSession } from "./replica-sessions.ts";

/** Where the leadership stands when a replica is looked at. */
export interface SetPosition {
  readonly commit: Sequence;
  readonly epochStart: Sequence;
  /** What the whole set was promised to have flushed: whoever joins it must have that much. */
  readonly promised: Sequence;
  /** Age of the oldest entry that the replica has not flushed yet; 0 when there is none. */
  readonly lagMs: number;
}

/** What the leadership knows of the other members. */
export interface MemberHealth {
  /** As in `SetPosition`. */
  readonly lagMs: (node: NodeName) => number;
  /** Whether it has said that it is about to stop. */
  readonly isLeaving: (node: NodeName) => boolean;
}

/**
 * Who must have flushed what counts as committed: kept by the leader, for the time of one leadership.
 *
 * Obligation of every kind: a member is `required` before anybody may believe it to be in the set, and until it is certain
 * that nobody does any more (rule I1).
 */
export interface InSyncKeeper {
  /** The leadership with the set as it is agreed upon. */
  readonly leadership: Leadership;
  /** Who must have flushed what is promised: the agreed set, and whoever may be in it besides. */
  readonly required: readonly InSyncMember[];
  /** Without so many members nothing is committed in `in-sync` mode (rule I3). */
  readonly minInSync: number;
  /** A listed member whose store is not known yet gets the one that it shows at first contact. */
  bind(store: StoreRef): void;
  /** A listed member counts at this moment. */
  noteHeard(node: NodeName): void;
  lastHeardMs(node: NodeName): number;
  /** Looks at a live session: whether it should be in the set. To be called again and again while the session lasts. */
  considerAdding(session: ReplicaSession, position: SetPosition): void;
  /** The session with `node` is over, or not good enough: it counts for nothing unless it is listed. */
  forget(node: NodeName): void;
  /** Looks at the listed members: whether one of them holds the others up, or will. */
  considerRemoving(health: MemberHealth): void;
  /** What the operator can do about a listed member that does not answer, as the end of a sentence. */
  adviceFor(shard: string): string;
}
