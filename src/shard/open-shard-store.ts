import type { Clock, Timers } from "../base/clock.ts";
import type { Sequence } from "../model/position.ts";
import type { CutEnd, Log, LogRecovery } from "../log/log.ts";
import type { TreeReader } from "../tree/tree.ts";
import type { Applier } from "./applier.ts";
import { ShardStore, type ShardStoreListener } from "./shard-store.ts";

/**
 * What of a store is damaged: all of it, as the log cannot be continued from where it ends, and everything must be copied from the
 * leader; the end of its log; or, perhaps, the newest batch of its log, which may as well be torn by a power cut and was never whole.
 */
export type DamageExtent = "all" | "end" | "newest batch, perhaps";

/** Stores for good that this store was damaged: durable when it returns. */
export type NoteDamage = (sentence: string, extent: DamageExtent) => void;

/** How the parts of a store are opened; the simulation opens its own. */
export interface ShardStoreOpeners {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly openTree: () => TreeReader;
  /** Recovers the log; tells of a damaged or torn end before it is cut off. */
  readonly openLog: (onCutEnd: (cut: CutEnd) => void) => {
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
  const { log, recovery } = openers.openLog(({ file, offset, detail, isProven }) => {
    const where = `${file} at byte ${offset}: ${detail}`;
    if (isProven) noteDamage(`Flushed data of the log are damaged: ${where}`, "end");
    else noteDamage(`The log's newest batch is torn, and was cut off: ${where}`, "newest batch, perhaps");
  });
  const { appliedSequence, applyingThrough } = tree.position();
  if (applyingThrough > log.lastSequence) {
    noteDamage(`The log ends at entry ${log.lastSequence}, but the tree holds entries up to ${applyingThrough}`, "all");
  } else if (log.startSequence > appliedSequence + 1) {
    noteDamage(`The log begins at entry ${log.startSequence}, but the tree ends at ${appliedSequence}`, "all");
  }
  const { clock, timers } = openers;
  const makeApplier = (onApplied: (appliedSequence: Sequence) => void): Applier =>
    openers.makeApplier({ log, tree, onApplied });
  return new ShardStore({ log, recovery, tree, makeApplier, clock, timers }, listener);
}
