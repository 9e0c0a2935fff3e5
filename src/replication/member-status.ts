import { LIMITS } from "../model/limits.ts";
import type { Epoch } from "../model/position.ts";
import type { ShardDocument } from "../model/shard-document.ts";
import type { DocumentView, MemberStatus } from "../model/status.ts";
import type { ShardStore } from "../shard/shard-store.ts";
import { readinessOf, roleOf, type Duty } from "./duty.ts";
import type { MemberEnvironment } from "./member-environment.ts";
import type { MemberStatistics } from "./member-statistics.ts";

/** What a member's account of itself for people is drawn from. */
export interface MemberStatusParts {
  readonly env: MemberEnvironment;
  readonly node: string;
  readonly duty: Duty;
  /** Null until the log is recovered. */
  readonly store: ShardStore | null;
  readonly statistics: MemberStatistics;
  readonly epoch: Epoch;
  readonly document: ShardDocument | null;
  /** What is wrong with the document as it stands at the coordinator now; null when it makes sense. */
  readonly documentFault: string | null;
  /** Damage found in this copy, as a sentence; null when there is none. */
  readonly damage: string | null;
}

/** A member's account of itself, as `kv status` and `/v1/cluster` show it. */
export function describeMember(parts: MemberStatusParts): MemberStatus {
  const { env, node, duty, store, statistics, epoch, document, documentFault, damage } = parts;
  const { state } = env.stateFile;
  const readiness = readinessOf(duty, state, env.clock.nowMs());
  const lag = duty.kind === "following" ? duty.follower.lag() : { entries: 0, ms: 0 };
  const tree = store?.tree.stats() ?? { userKeyCount: 0, fileBytes: 0, liveBytes: 0 };
  const isFull = store !== null && store.roomFor(LIMITS.keyBytesMax) === "full";
  return {
    node,
    role: roleOf(duty),
    state: damage === null ? readiness.reason : `${readiness.reason}; ${damage}`,
    ready: readiness.ready,
    epoch,
    store: state.store.store,
    lastSequence: store?.lastSequence ?? 0,
    durableSequence: store?.durableSequence ?? 0,
    commitSequence: store?.commitSequence ?? 0,
    appliedSequence: store?.appliedSequence ?? 0,
    lagEntries: lag.entries,
    lagMs: lag.ms,
    keyCount: tree.userKeyCount,
    logBytes: store?.log.sizeBytes ?? 0,
    treeFileBytes: tree.fileBytes,
    treeLiveBytes: tree.liveBytes,
    memtableBytes: store?.memtable.sizeBytes ?? 0,
    diskFreeBytes: env.freeBytes(),
    readOnlyReason: isFull ? "The disk has no room for the log" : null,
    discardedEntriesFile: env.discarded.file,
    ...statistics.outcomes,
    ...statistics.rates(duty.kind === "leading" ? duty.term.operations.operationCount : null),
    replicas: duty.kind === "leading" ? duty.term.replicas() : [],
    document: document === null ? null : viewOf(document),
    documentFault,
  };
}

function viewOf({ epoch, version, leader, inSync, members, minInSync }: ShardDocument): DocumentView {
  return { epoch, version, leader: leader.node, inSync: inSync.map(({ node }) => node), members, minInSync };
}
