import type { Leadership } from "./leadership.ts";
import type { Epoch, NodeName, Sequence, StoreRef, Term } from "./position.ts";

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
  /** Since its process started, as a leader: writes whose fate was left open, and reads refused for want of a lease or a proof. */
  readonly unknownOutcomes: number;
  readonly leaseRefusals: number;
  /** On a leader: what it knows of each replica. */
  readonly replicas: readonly ReplicaStatus[];
  /** What it last read of its shard's document; null without a coordinator, and while it has read none. */
  readonly document: DocumentView | null;
  /** What is wrong with that document as it stands now, as a sentence: nobody takes over by it. Null when it makes sense. */
  readonly documentFault: string | null;
}

/** A shard's document as people want to see it. */
export interface DocumentView {
  readonly epoch: Epoch;
  readonly version: number;
  readonly leader: NodeName;
  readonly inSync: readonly NodeName[];
  readonly members: readonly NodeName[];
  readonly minInSync: number;
}

/** What whoever makes a shard's document must know of a member: what its store is, what it holds, what it has seen (rule C5). */
export interface MemberAccount {
  readonly shard: string;
  readonly store: StoreRef;
  readonly seenEpoch: Epoch;
  readonly seenTerm: Term;
  readonly leadership: Leadership | null;
  readonly role: "leader" | "replica" | "none";
  /** Whether the copy is whole and undamaged. */
  readonly complete: boolean;
  /** False while the log is being recovered: then its end is not known. */
  readonly recovered: boolean;
  /** Two leaderships with equal numbers have met (rule T2). */
  readonly inConflict: boolean;
  readonly lastEpoch: Epoch;
  readonly lastTerm: Term;
  readonly lastSequence: Sequence;
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
  /** Only from a leader that answers (`kv handover`). */
  readonly isHandover: boolean;
}

/** What a promotion did, or would do. */
export interface PromotionReport {
  readonly shard: string;
  readonly node: NodeName;
  readonly done: boolean;
  /** The node led before it was asked to. */
  readonly ledAlready: boolean;
  /** Sentences for the operator, in order. */
  readonly findings: readonly string[];
  /** Why it was refused, or would be; null when nothing stands against it. */
  readonly refusal: string | null;
  readonly epoch: Epoch;
  /** Entries that a reachable copy has and the candidate lacks. */
  readonly missingEntries: number;
}
