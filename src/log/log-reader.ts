import { join } from "node:path";
import type { Disk, DiskFile } from "../base/disk.ts";
import { decodeEntry, EntryFormatError } from "../model/entry.ts";
import type { Entry } from "../model/entry.ts";
import { KvError } from "../model/errors.ts";
import type { Sequence } from "../model/position.ts";
import { readSegmentHeaders } from "./log-inspection.ts";
import { SegmentCursor } from "./segment-cursor.ts";
import type { StoredEntry } from "./segment-cursor.ts";
import { batchesEnd, kindOfName, segmentName } from "./segment-format.ts";
import type { SegmentHeader } from "./segment-format.ts";

interface OpenSegment {
  readonly file: DiskFile;
  readonly path: string;
  readonly header: SegmentHeader;
  readonly cursor: SegmentCursor;
}

/** An entry as a reader hands it out. */
export type ReadEntry = Entry & { readonly lengthBytes: number };

/**
 * Reads a log's entries from its files while another thread, or nobody, writes them.
 *
 * Owns one open file. It trusts nothing but what its caller knows to be committed: behind that the writer may cut and write
 * again, so no byte read is kept from one call to the next. Segments may be trimmed before the wanted sequence at any time.
 * Damage is thrown as KvError CORRUPT, never handed out; an entry that should be there and is not as DATA_CORRUPT.
 */
export class LogReader {
  readonly #disk: Disk;
  readonly #directory: string;
  #open: OpenSegment | null = null;

  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#directory = directory;
  }

  /**
   * Entries `from` … `through`, in order, checksums verified. `through` must be committed and written. Cheap when `from` is
   * where the call before ended. Values are views into buffers that stay valid. Stopping early is fine.
   */
  *read(from: Sequence, through: Sequence): Generator<ReadEntry, void, void> {
    if (from > through) return;
    this.#startAt(from);
    for (let next = from; next <= through;) {
      const open = this.#open ?? this.#seek(next);
      const stored = this.#nextOf(open, next);
      if (stored === null) {
        this.#goOn(next);
        continue;
      }
      if (stored.header.sequence < next) continue;
      if (stored.header.sequence > next) throw this.#missing(next);
      yield this.#decode(open, stored);
      next++;
    }
  }

  /** Forgets its place; the next read looks for its segment anew. To be called when the log was restarted. */
  reset(): void {
    this.#open?.file.close();
    this.#open = null;
  }

  close(): void {
    this.reset();
  }

  /** Null at the end of the segment. What lies behind its last batch is of no account where the next segment goes on. */
  #nextOf(open: OpenSegment, next: Sequence): StoredEntry | null {
    try {
      return open.cursor.next(next);
    } catch (error) {
      const follower = open.header.firstSequence < next ? this.#openSegment(segmentName(next)) : null;
      if (follower === null) throw error;
      follower.file.close();
      return null;
    }
  }

  #decode(open: OpenSegment, stored: { readonly bytes: Buffer; readonly offset: number }): ReadEntry {
    try {
      // The cursor has looked at the checksum.
      return decodeEntry(stored.bytes, 0, true);
    } catch (error) {
      if (!(error instanceof EntryFormatError)) throw error;
      const message = `The log is damaged in ${open.path} at byte ${stored.offset}: ${error.message}`;
      throw new KvError("CORRUPT", message, { cause: error, details: { file: open.path, offset: stored.offset } });
    }
  }

  #startAt(from: Sequence): void {
    const open = this.#open;
    if (open === null) return;
    if (from < open.header.firstSequence) {
      this.reset();
      return;
    }
    open.cursor.rewindToBatch();
    const first = open.cursor.peekSequence();
    if (first !== null && first > from) this.reset();
  }

  /** At the end of a segment: the next one begins with the wanted entry, unless this reader is not where it believes. */
  #goOn(next: Sequence): void {
    const before = this.#open?.header.firstSequence;
    this.reset();
    const open = this.#openSegment(segmentName(next)) ?? this.#seek(next);
    if (open.header.firstSequence === before) throw this.#missing(next);
    this.#open = open;
  }

  #seek(sequence: Sequence): OpenSegment {
    const names = this.#disk.list(this.#directory).filter((name) => kindOfName(name) === "segment");
    const candidates = names.filter((name) => name <= segmentName(sequence)).toReversed();
    for (const name of candidates) {
      const open = this.#openSegment(name);
      if (open !== null) return (this.#open = open);
    }
    throw this.#missing(sequence);
  }

  /** Null when the file went away (it was trimmed since the directory was listed) or has no header yet. */
  #openSegment(name: string): OpenSegment | null {
    const path = join(this.#directory, name);
    let file: DiskFile;
    try {
      file = this.#disk.open(path, "readOnly");
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
      throw error;
    }
    const headers = readSegmentHeaders(file);
    const header = headers.front ?? headers.back;
    if (header === null || batchesEnd(header) <= 0) {
      file.close();
      return null;
    }
    return { file, path, header, cursor: new SegmentCursor({ file, path, header }) };
  }

  #missing(sequence: Sequence): KvError {
    return new KvError("DATA_CORRUPT", `The log in ${this.#directory} does not have entry ${sequence}`, {
      details: { directory: this.#directory, sequence },
    });
  }
}
