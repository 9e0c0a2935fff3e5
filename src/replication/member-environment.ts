import type { Clock, Timers } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import type { Coordinator } from "../coordinator/coordinator.ts";
import type { Leadership } from "../model/leadership.ts";
import type { EpochRef, NodeName, StoreRef } from "../model/position.ts";
import type { Shard } from "../model/topology.ts";
import type { NoteDamage } from "../shard/open-shard-store.ts";
import type { ShardStore, ShardStoreListener } from "../shard/shard-store.ts";
import type { PeerNetwork } from "../wire/peer-network.ts";

/** How far a copy of another member's rows has come (§2.12); null when the store is whole. */
export type BootstrapMark =
  /** Rows are being copied; the cursor is kept in the tree, beside the rows. */
  | { readonly phase: "copying" }
  /** Rows are copied; the log of the same `lineage` must be applied up to `mustReach` before they make sense together. */
  | { readonly phase: "replaying"; readonly mustReach: number; readonly lineage: number };

/** What a member must not forget: the changing part of `node.json`. Replaced whole, flushed before it is acted upon. */
export interface MemberState {
  readonly store: StoreRef;
  /** Highest leadership ever acted on or heard of from a valid source (rule P1). */
  readonly seenEpoch: EpochRef;
  readonly leadership: Leadership | null;
  readonly bootstrap: BootstrapMark | null;
  /** Damage found in this store, as a sentence; it does not lead before it is repaired (rule S5). */
  readonly damage: string | null;
  /** The end of its log was cut off, and may be damaged rather than torn (see `missingWitness`). */
  readonly tornEnd: boolean;
  /** Two leaderships with equal numbers met, as a sentence; this member waits for `kv promote` (rule T2). */
  readonly conflict: string | null;
}

/** Where `MemberState` is kept. */
export interface MemberStateFile {
  readonly state: MemberState;
  /** Durable when it returns. */
  replace(state: MemberState): void;
}

/** Where entries go that were cut from the log, so that the operator can look at them (§2.11). */
export interface DiscardedEntries {
  /** Keeps whole entries (perhaps none), flushed when it returns. */
  keep(entries: Buffer): void;
  /** The newest file, null when nothing was ever discarded. */
  readonly file: string | null;
}

/** Where the truth about the shard is, and the times that everybody in the cluster must agree upon. */
export interface Coordination {
  readonly coordinator: Coordinator;
  /** Of the shard's document. */
  readonly key: string;
  /** `L`: how long a leader relies on a promise. */
  readonly leaseMs: number;
  /** `G`: how long a replica keeps it. */
  readonly graceMs: number;
}

/** Everything a member needs from outside; the simulation hands in its own. */
export interface MemberEnvironment {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
  readonly network: PeerNetwork;
  readonly stateFile: MemberStateFile;
  readonly discarded: DiscardedEntries;
  /** Null in static mode. */
  readonly coordination: Coordination | null;
  /** Recovers the log and opens tree and applier. Called once; may block for a second or more. */
  readonly openStore: (listener: ShardStoreListener, noteDamage: NoteDamage) => ShardStore;
  /** Bytes free on the disk of the data directory. */
  readonly freeBytes: () => number;
}

export interface MemberConfig {
  readonly shard: Shard;
  readonly node: NodeName;
  readonly replication: "async" | "in-sync";
  readonly minInSync: number;
  readonly logRetainBytes: number;
  readonly logRetainBytesMax: number;
  /** Rows in one answer to a replica that copies them; by default LIMITS.snapshotChunkBytesMax. */
  readonly snapshotChunkBytes?: number;
  /** How long requests with an id are remembered at least (rule U2), on the log clock; by default LIMITS.requestIdKeptMs. */
  readonly requestIdKeptMs?: number;
  /** Time between heartbeats (`h`). */
  readonly heartbeatMs: number;
  /** How long a starting member waits for the others' accounts of themselves (rule T3). */
  readonly startupWaitMs: number;
  /** Whether the configuration (file and `--replica`) names this node the shard's first leader. */
  readonly isFirstLeader: boolean;
}
