import type { KvError } from "../model/errors.ts";
import type { Key } from "../model/key.ts";
import type {
  BatchOperation,
  KeyOperation,
  Reply,
  ReplyCallback,
  RequestOptions,
  ScanItem,
} from "../model/operation.ts";
import type { Epoch, NodeName, Version } from "../model/position.ts";
import type { MemberAccount, MemberStatus, PromotionReport, PromotionRequest } from "../model/status.ts";

/** A range of the whole cluster's keys, in byte order. Bounds are binary strings; empty means "no bound". */
export interface ClusterScan {
  readonly start: string;
  readonly end: string;
  readonly reverse: boolean;
  readonly keysOnly: boolean;
  readonly rowsMax: number;
  readonly options: RequestOptions;
}

/** One page of a cluster-wide scan. `resumeKey` is the last key returned when more may follow, else null. */
export interface ClusterPage {
  readonly items: readonly ScanItem[];
  readonly resumeKey: string | null;
}

export interface ShardStatus {
  readonly shard: string;
  readonly index: number;
  readonly leader: NodeName | null;
  readonly epoch: Epoch;
  readonly inSync: readonly NodeName[];
  readonly members: readonly (
    | (MemberStatus & { readonly reachable: true })
    | { readonly node: NodeName; readonly reachable: false }
  )[];
  /** Differences between the configuration file and what the members have stored. */
  readonly warnings: readonly string[];
}

export interface ClusterStatus {
  readonly cluster: string;
  readonly answeredBy: NodeName;
  readonly coordinator: "static" | "embedded" | "etcd";
  /** Why the answering node cannot use the coordinator, as a sentence; null when it can, or needs none. */
  readonly coordinatorTrouble: string | null;
  readonly replication: "async" | "in-sync";
  readonly shards: readonly ShardStatus[];
  /** Keys of the fullest shard ÷ the mean; 1 is perfect. */
  readonly imbalance: number;
}

/** What a node tells those who make its cluster's documents (rule C5). */
export interface NodeAccount extends MemberAccount {
  readonly cluster: string;
  readonly coordinator: ClusterStatus["coordinator"];
  /** The cluster whose documents it has gone by; null when there were none so far. */
  readonly clusterId: string | null;
}

/** Where a key lives, and what each copy holds of it. */
export interface Explanation {
  readonly key: Key;
  readonly hash: string;
  readonly slot: number;
  readonly shard: string;
  readonly leader: NodeName | null;
  readonly copies: readonly {
    readonly node: NodeName;
    readonly role: "leader" | "replica" | "none";
    readonly reachable: boolean;
    /** null: the copy does not have the key (or was not reachable). */
    readonly version: Version | null;
    readonly lagEntries: number;
    readonly lagMs: number;
  }[];
}

/**
 * Requests of one client connection: those for one shard are executed in the order in which they were submitted, although
 * none waits for the answer of another. `eventual` reads have no place in that order. Ends with the connection; nothing
 * has to be closed.
 */
export interface RequestSequence {
  execute(operation: KeyOperation, options: RequestOptions, done: ReplyCallback): void;
  executeBatch(
    operations: readonly KeyOperation[],
    options: RequestOptions,
    done: (replies: readonly Reply[]) => void,
  ): void;
  /** A batch whose keys, guards' included, all live on one shard; one reply for all of it. */
  transact(batch: BatchOperation, options: RequestOptions, done: ReplyCallback): void;
}

/** Everything a front door may ask of its node. Callbacks are called exactly once, possibly before the call returns. */
export interface Gateway {
  readonly node: NodeName;
  /** A sequence for a client connection that has several requests under way at once (pipelining). */
  sequence(): RequestSequence;
  /** Any key, wherever it lives; in no order with other requests. */
  execute(operation: KeyOperation, options: RequestOptions, done: ReplyCallback): void;
  /** Split by shard, each shard's part atomic and in order; one reply for each operation, in order. */
  executeBatch(
    operations: readonly KeyOperation[],
    options: RequestOptions,
    done: (replies: readonly Reply[]) => void,
  ): void;
  scan(scan: ClusterScan, done: (page: ClusterPage | KvError) => void): void;
  /** Removes every key of every shard, each shard's at once. Null when all of it is done. */
  clear(options: RequestOptions, done: (error: KvError | null) => void): void;
  /** Keeps where a scan goes on (behind the key `position`) and names it with a number, not 0, that any node understands. */
  keepPosition(position: string): string;
  /** The position that `cursor` names; null when it was never given out, or is forgotten. */
  positionOf(cursor: string, done: (position: string | null | KvError) => void): void;
  /** The node that leads the key's shard, as far as this one knows: for redirects. */
  leaderOf(key: Key): { readonly shard: string; readonly leader: NodeName | null };
  cluster(done: (status: ClusterStatus) => void): void;
  explain(key: Key, done: (explanation: Explanation) => void): void;
  promote(request: PromotionRequest, done: (report: PromotionReport | KvError) => void): void;
  /** Whether this node serves as it should; the sentence says why not. */
  readiness(): { readonly ready: boolean; readonly reason: string };
  /** This node's own member. */
  memberStatus(): MemberStatus;
  /** What the makers of documents must know of this node. */
  account(): NodeAccount;
}
