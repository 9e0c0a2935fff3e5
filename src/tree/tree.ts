import type { Space } from "../model/entry.ts";
import type { Sequence } from "../model/position.ts";
import type { Record } from "../model/record.ts";

/** A change to one row on its way into the tree. `record` null deletes it. */
export interface TreeChange {
  readonly space: Space;
  /** Binary string. */
  readonly key: string;
  readonly record: Record | null;
}

/** How far the log has been applied to the tree; kept in the tree itself, written with the rows. */
export interface TreePosition {
  /** Every effect up to here is in the tree, and flushed. Replay starts behind it. */
  readonly appliedSequence: Sequence;
  /** The tree may hold effects up to here (a run of several transactions is under way when it is larger). */
  readonly applyingThrough: Sequence;
}

/** A row met in a range. */
export interface TreeRow {
  /** Binary string. */
  readonly key: string;
  readonly record: Record;
}

export interface TreeRange {
  readonly space: Space;
  /** First key, included; empty: from the lowest. Binary string. */
  readonly start: string;
  /** End, not included; empty: to the highest. */
  readonly end: string;
  readonly reverse: boolean;
}

export interface TreeStats {
  readonly userKeyCount: number;
  readonly requestIdCount: number;
  /** Bytes of pages in use, and of the file. */
  readonly liveBytes: number;
  readonly fileBytes: number;
}

/** Rows of one space copied as they are stored, checksums included, for a snapshot. */
export interface TreeChunk {
  readonly space: Space;
  /** `[u16 key length · key · u32 record length · record]…` */
  readonly bytes: Buffer;
  /** Last key in the chunk; null when the space is at its end. */
  readonly lastKey: string | null;
  /** `applyingThrough` in the transaction that read the chunk: the highest sequence whose effect it may hold (§2.12). */
  readonly mayHoldThrough: Sequence;
}

/** What checking some rows found. */
export interface TreeVerification {
  readonly rowCount: number;
  /** Keys (binary strings) whose record fails its checksum. */
  readonly corruptKeys: readonly string[];
  /** Last key looked at; null when the space is at its end. */
  readonly lastKey: string | null;
}

/** How the tree is read: short read transactions, checksums verified at every read of the disk (rule S5). */
export interface TreeReader {
  /** Throws KvError CORRUPT when the record's checksum is wrong: it is never served. */
  get(space: Space, key: string): Record | null;
  /** Calls `visit` for each row in byte order until it returns false. Throws CORRUPT. */
  range(range: TreeRange, visit: (row: TreeRow) => boolean): void;
  position(): TreePosition;
  /** Next rows of `space` behind `afterKey` (empty: from the lowest), up to about `bytesMax`, in one fresh read transaction. */
  copyRange(space: Space, afterKey: string, bytesMax: number): TreeChunk;
  /**
   * Checks the checksums of the next rows of `space` behind `afterKey`, up to about `bytesMax`, in one fresh read
   * transaction, without stopping at a damaged one: for the background scrub (rule S5).
   */
  verifyRange(space: Space, afterKey: string, bytesMax: number): TreeVerification;
  /** User keys whose expiry is at or before `nowMs`, soonest first, at most `countMax`. */
  dueKeys(nowMs: number, countMax: number): string[];
  /** The meta value kept beside the rows, such as the log clock; null when there is none. */
  meta(name: string): string | null;
  stats(): TreeStats;
  /** Lets the next read see what another thread has committed. */
  resetReadTransaction(): void;
  close(): void;
}

/** One transaction's worth of changes. */
export interface TreeTransaction {
  /** In byte order of (space, key), each row at most once. */
  readonly changes: readonly TreeChange[];
  /** Removes all user rows before the changes are made. */
  readonly clearUserRows: boolean;
  readonly position: TreePosition;
  readonly meta?: ReadonlyMap<string, string>;
}

/** How the tree is written: by one owner, the applier. Every change is one transaction: all of it, flushed, or nothing. */
export interface TreeWriter extends TreeReader {
  /** Flushed when it returns. Throws KvError DISK_FULL with nothing changed; the same call may be repeated. */
  apply(transaction: TreeTransaction): void;
  /**
   * Puts a copied chunk in place of all rows of its space behind `afterKey` up to its last key ("replace range", §2.12),
   * with `meta` in the same transaction; the expiry index is rebuilt from the rows. Throws CORRUPT when a record fails its
   * checksum, PROTOCOL when the chunk is malformed, and DISK_FULL; nothing has changed then.
   */
  importChunk(chunk: TreeChunk, afterKey: string, meta: ReadonlyMap<string, string>): void;
  /** Removes every row and the position: the tree starts anew. */
  wipe(): void;
}
