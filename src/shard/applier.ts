import type { Sequence } from "../model/position.ts";
import type { TreeChunk } from "../tree/tree.ts";

/** Names of what the applier keeps beside the rows: as of `appliedSequence`, so that a restart can go on from there. */
export const TREE_META = {
  /** Largest entry timestamp, in milliseconds of the log clock. */
  logClockMs: "logClockMs",
  versionBase: "versionBase",
} as const;

/** One chunk of a snapshot on its way into the tree, with the cursor that is stored in the same transaction (§2.12). */
export interface ImportedChunk {
  readonly chunk: TreeChunk;
  /** The key behind which the chunk was read. Binary string; empty for the first of a space. */
  readonly afterKey: string;
  readonly meta: ReadonlyMap<string, string>;
}

/** Where a snapshot that has been copied whole leaves off, and the log takes over. */
export interface ImportBase {
  readonly sequence: Sequence;
  readonly versionBase: number;
  readonly logClockMs: number;
}

/** What an applier tells, each call in a turn of its own. */
export interface ApplierListener {
  /**
   * Everything up to `appliedSequence` is in the tree, and the shard's reader has been made to see it: only now may the
   * memtable let go of it. Comes at least once after every `applyThrough`, more often in a long run.
   */
  readonly onApplied: (appliedSequence: Sequence) => void;
  /** The tree cannot grow for want of space (true), or can again (false). The applier tries again by itself (rule S4). */
  readonly onDiskFull: (isFull: boolean) => void;
  /** The tree cannot be written any more. The process must end; nothing is applied from here on. */
  readonly onFatal: (error: Error) => void;
}

/**
 * Brings the log into the tree, beside the shard and never in its way.
 *
 * Obligations of the caller: `applyThrough` names entries that are committed *and* flushed on this node (rules D5, M102), and
 * entries behind the tree's position stay in the log. A snapshot is taken in by `wipe`, all chunks, `setBase`; nothing is
 * applied in between (M94). Requests are carried out in the order made and before more of the log; when `done` is called, the
 * shard's reader sees the new state.
 */
export interface Applier {
  applyThrough(sequence: Sequence): void;
  /** Removes every row and the position. */
  wipe(done: () => void): void;
  /**
   * Stores a copied chunk and its cursor in one transaction. Throws CORRUPT or PROTOCOL at once, with nothing begun, when the
   * chunk is damaged or malformed.
   */
  importChunk(imported: ImportedChunk, done: () => void): void;
  /** The copy is whole: sets the position behind which the log is replayed. */
  setBase(base: ImportBase, done: () => void): void;
  /** Ends after what was asked, but for what waits for room on the disk; `done` when the tree's writer is closed. */
  close(done: () => void): void;
}
