import type { InSyncMember, Leadership } from "../../src/model/leadership.ts";
import { NO_EPOCH, type Epoch, type NodeName, type StoreRef } from "../../src/model/position.ts";
import type { ShardDocument } from "../../src/model/shard-document.ts";
import type { MemberState, MemberStateFile } from "../../src/replication/member-environment.ts";
import type { ReplicaSession } from "../../src/replication/replica-sessions.ts";
import type { State } from "../../src/replication/messages.ts";

/** A term that tells epochs apart, and with `variant` two that were begun with the same number. */
export function termOf(epoch: Epoch, variant = 0): string {
  return (epoch * 256 + variant).toString(16).padStart(16, "0");
}

/** The store that a node has unless a test says otherwise. */
export function storeOf(node: NodeName, generation = 0): StoreRef {
  return { node, store: `store-${node}`, generation };
}

export function leadershipOf(epoch: Epoch, node: NodeName, changes: Partial<Leadership> = {}): Leadership {
  const inSync: InSyncMember[] = [{ ...storeOf(node) }];
  return { epoch, term: termOf(epoch), leader: storeOf(node), lineage: 0, inSync, setVersion: 1, ...changes };
}

/** The document of a shard that "a" leads in epoch 5, with "b" and "c" in sync. */
export function threeInSync(cause: ShardDocument["cause"]): ShardDocument {
  return {
    version: 3,
    epoch: 5,
    term: termOf(5),
    leader: storeOf("a"),
    inSync: [storeOf("a"), storeOf("b"), storeOf("c")],
    members: ["a", "b", "c"],
    minInSync: 1,
    lineage: 2,
    token: "a/boot/9",
    cause,
  };
}

/** What a member's own state file says; by default that of an empty directory. */
export function stateOf(node: NodeName, changes: Partial<MemberState> = {}): MemberState {
  const { leadership = null } = changes;
  return {
    store: storeOf(node),
    seenEpoch: leadership === null ? NO_EPOCH : { epoch: leadership.epoch, term: leadership.term },
    leadership,
    bootstrap: null,
    damage: null,
    tornEnd: false,
    conflict: null,
    ...changes,
  };
}

/** What a member says of itself; by default that it is empty and knows nothing. */
export function accountOf(node: NodeName, changes: Partial<State> = {}): State {
  const { leadership = null } = changes;
  return {
    id: 1,
    store: storeOf(node),
    seenEpoch: leadership?.epoch ?? 0,
    seenTerm: leadership?.term ?? NO_EPOCH.term,
    leadership,
    role: "none",
    complete: true,
    recovered: true,
    inConflict: false,
    lastEpoch: 0,
    lastTerm: NO_EPOCH.term,
    lastSequence: 0,
    ...changes,
  };
}

/** A replica's session that keeps up: its log matched, 55 entries flushed. */
export function sessionOf(node: NodeName, changes: Partial<ReplicaSession> = {}): ReplicaSession {
  return {
    node,
    sid: "sid",
    store: storeOf(node),
    isMatched: true,
    isComplete: true,
    durable: 55,
    pulledThrough: 55,
    lastHeardMs: 0,
    lastEcho: 0,
    parked: null,
    parkedSinceMs: 0,
    isNudged: false,
    roomBytes: 0,
    isLeaving: false,
    boot: "boot",
    greeting: 1,
    ...changes,
  };
}

/** A state file in memory that remembers how often it was written. */
export class MemoryStateFile implements MemberStateFile {
  state: MemberState;
  writeCount = 0;

  constructor(state: MemberState) {
    this.state = state;
  }

  replace(state: MemberState): void {
    this.state = state;
    this.writeCount++;
  }
}
