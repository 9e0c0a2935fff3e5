import type { Clock, Timers } from "../base/clock.ts";
import type { Sequence } from "../model/position.ts";
import type { Log, LogCorruption, LogRecovery } from "../log/log.ts";
import type { TreeReader } from "../tree/tree.ts";
import type { Applier } from "./applier.ts";
import { ShardStore, type ShardStoreListener } from "./shard-store.ts";

/**
 * Stores for good that this store was damaged: durable when it returns. `mustResync` says that the log cannot be continued
 * from where it ends, so everything must be copied from the leader.
 */
export type NoteDamage = (sentence: string, mustResync: boolean) => void;

/** How the parts of a store are opened; the simulation opens its own. */
export interface ShardStoreOpeners {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly openTree: () => TreeReader;
  /** Recovers the log; tells of damage before the damaged end is cut off. */
  readonly openLog: (onCorruption: (corruption: LogCorruption) => void) => {
    readonly log: Log;
    readonly recovery: LogRecovery;
  };
  readonly makeApplier: (parts: {
    readonly log: Log;
    readonly tree: TreeReader;
    readonly onApplied: (appliedSequence: Sequence) => void;
  }) => Applier;
}

/**
 * Opens one shard's files as a store and checks that tree and log belong together: the log reaches at least as far as the
 * tree, and back to where the tree ends (storage.md, Recovery).
 */
export function openShardStore(
  openers: ShardStoreOpeners,
  listener: ShardStoreListener,
  noteDamage: NoteDamage,
): ShardStore {
  const tree = openers.openTree();
  const { log, recovery } = openers.openLog(({ file, offset, detail }) => {
    noteDamage(`Flushed data of the log are damaged: ${file} at byte ${offset}: ${detail}`, false);
  });
  const { appliedSequence, applyingThrough } = tree.position();
  if (applyingThrough > log.lastSequence) {
    noteDamage(`The log ends at entry ${log.lastSequence}, but the tree holds entries up to ${applyingThrough}`, true);
  } else if (log.startSequence > appliedSequence + 1) {
    noteDamage(`The log begins at entry ${log.startSequence}, but the tree ends at ${appliedSequence}`, true);
  }
  const { clock, timers } = openers;
  const makeApplier = (onApplied: (appliedSequence: Sequence) => void): Applier =>
    openers.makeApplier({ log, tree, onApplied });
  return new ShardStore({ log, recovery, tree, makeApplier, clock, timers }, listener);
}
