import type { Epoch, NodeName, Sequence } from "./position.ts";

/** How a member of a shard is doing, as told by itself; null fields are not known. */
export interface MemberStatus {
  readonly node: NodeName;
  readonly role: "leader" | "replica" | "none";
  /** Why the role is what it is, as a sentence: "waits for `kv promote`: …". */
  readonly state: string;
  readonly ready: boolean;
  readonly epoch: Epoch;
  readonly store: string;
  readonly lastSequence: Sequence;
  readonly durableSequence: Sequence;
  readonly commitSequence: Sequence;
  readonly appliedSequence: Sequence;
  /** Behind the leader's log end, as this member knows it; 0 on a leader. */
  readonly lagEntries: number;
  readonly lagMs: number;
  readonly keyCount: number;
  readonly logBytes: number;
  readonly treeFileBytes: number;
  readonly treeLiveBytes: number;
  readonly memtableBytes: number;
  readonly diskFreeBytes: number;
  readonly readOnlyReason: string | null;
  readonly discardedEntriesFile: string | null;
  readonly readsPerSecond: number;
  readonly writesPerSecond: number;
  /** On a leader: what it knows of each replica. */
  readonly replicas: readonly ReplicaStatus[];
}

export interface ReplicaStatus {
  readonly node: NodeName;
  readonly inSync: boolean;
  readonly connected: boolean;
  readonly durableSequence: Sequence;
  /** Entries that it has not flushed yet: what waits in the bucket `replication` for it. */
  readonly lagEntries: number;
  /** Age of the oldest entry it has not flushed yet; 0 when there is none. */
  readonly lagMs: number;
}

export interface PromotionRequest {
  readonly shard: string;
  readonly node: NodeName;
  readonly dryRun: boolean;
  readonly acceptDataLoss: boolean;
}

/** What a promotion did, or would do. */
export interface PromotionReport {
  readonly shard: string;
  readonly node: NodeName;
  readonly done: boolean;
  /** Sentences for the operator, in order. */
  readonly findings: readonly string[];
  /** Why it was refused, or would be; null when nothing stands against it. */
  readonly refusal: string | null;
  readonly epoch: Epoch;
  /** Entries that a reachable copy has and the candidate lacks. */
  readonly missingEntries: number;
}
