import type { EpochRef, Sequence } from "../model/position.ts";
import type { EntryBatch } from "./entry-batch.ts";

/** What this node knew when it wrote a batch; stands in the batch's header and proves how far the log had been flushed. */
export interface BatchMarks {
  readonly flushedSequence: Sequence;
  readonly commitSequence: Sequence;
}

/** One leadership, as the log remembers it: kept for ever, in the segment headers. */
export interface EpochMark extends EpochRef {
  readonly firstSequence: Sequence;
  readonly versionBase: number;
  readonly lineage: number;
}

/** Whether an entry of some size can be appended now. */
export type Room = "yes" | "preparing" | "full";

/** What opening a log found. */
export interface LogRecovery {
  /** Highest commit position that any surviving batch header names: a lower bound of what is committed. */
  readonly commitSequence: Sequence;
  /** Set when the bytes prove that flushed data are damaged; the log then ends before the damage. */
  readonly corruption: LogCorruption | null;
  /** Bytes behind the last whole entry that were dropped as a torn tail. */
  readonly tornBytes: number;
}

/** What recovery cuts off behind the last whole entry. */
export interface CutEnd extends LogCorruption {
  /** Whether it is certain that it had been flushed; otherwise power may have failed while it was written. */
  readonly isProven: boolean;
}

/** Where flushed data turned out to be damaged. */
export interface LogCorruption {
  readonly file: string;
  /** Byte in the file. */
  readonly offset: number;
  readonly detail: string;
}

/**
 * One shard's log on one node: the write-ahead log, the queue to the replicas and the source of order in one.
 *
 * Entries are opaque bytes here but for their header. Sequences are contiguous from `startSequence` to `lastSequence`.
 * `writeBatch` reaches the page cache only; `durableSequence` moves when a flush that covers the bytes returned without error
 * (rules S1, S2). Any error of a write or flush inside a segment is fatal: it is handed to `onFatal` once, nothing is tried
 * again, and the log accepts nothing more (rule S3).
 */
export interface Log {
  /** First sequence that is still in the log; one past `lastSequence` when the log is empty. */
  readonly startSequence: Sequence;
  readonly lastSequence: Sequence;
  readonly durableSequence: Sequence;
  /** Leadership of the last entry; NO_EPOCH for an empty log without base. */
  readonly lastEpoch: EpochRef;
  /** Bytes of entries from `startSequence` on. */
  readonly sizeBytes: number;
  /** All leaderships the log has ever seen, oldest first. */
  readonly epochs: readonly EpochMark[];

  /** Full segments, oldest first: what `trimThrough` can remove, and how many bytes of entries each holds. */
  readonly fullSegments: readonly { readonly lastSequence: Sequence; readonly sizeBytes: number }[];

  /** The leadership that the entry at `sequence` belongs to (also for `startSequence - 1`); null when there is none. */
  epochOf(sequence: Sequence): EpochMark | null;

  /** Whether `entryBytes` more can be appended. Asked before every append: there is nothing to roll back afterwards (S4). */
  roomFor(entryBytes: number): Room;
  /** Bytes of entries that another segment could take, by the disk's free space: 0 when the disk is too full for any. Asks the disk. */
  readonly roomAheadBytes: number;
  /** Called once when the answer to `roomFor` may have changed from "preparing" or "full". */
  whenRoomChanges(run: () => void): void;

  /**
   * Writes a batch, which goes on at `lastSequence + 1`, with one write: a batch lies in one segment. `roomFor` its entries
   * must have said "yes" with nothing written since. The log keeps its bytes. When the write fails, `onFatal` is called and
   * then the error is thrown.
   */
  writeBatch(batch: EntryBatch, marks: BatchMarks): void;
  /**
   * Flushes what was written before this call; `done` gets the last sequence that this flush contains. One fdatasync runs at a
   * time: calls made meanwhile share the next one. After a fatal error `done` is never called.
   */
  flush(done: (durableSequence: Sequence) => void): void;

  /**
   * Whole entries from `from` on, as they lie on disk, joined: at most `bytesMax`, but at least one when there is one.
   * Sequences are those from `from` to `last`; an empty buffer (and `last` = `from` - 1) means there are none. Throws
   * KvError CORRUPT when bytes that had to come from the disk fail their checksum (S5): they are never handed out.
   */
  read(from: Sequence, bytesMax: number): { readonly bytes: Buffer; readonly last: Sequence };

  /**
   * Cuts everything behind `sequence`: later segments removed last first, then truncate, zero-fill, flush (§2.11).
   * Blocking; no flush may be running. Returns the cut entries' bytes. `keep` gets the same bytes *before* anything is cut,
   * so that a crash in between does not lose the operator's copy.
   */
  truncateAfter(sequence: Sequence, keep?: (cut: Buffer) => void): Buffer;
  /** Forgets whole segments that end at or before `sequence`; their files go in the background, oldest first. */
  trimThrough(sequence: Sequence): void;
  /**
   * Empties the log and starts it behind `base`, with the epochs up to there (snapshot, §2.12). Blocking; no flush may be
   * running. Throws KvError DISK_FULL with nothing changed.
   */
  restart(base: { readonly sequence: Sequence; readonly epochs: readonly EpochMark[] }): void;

  close(): void;
}
