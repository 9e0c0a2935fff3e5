import { assert } from "../base/assert.ts";
import type { DiskFile } from "../base/disk.ts";
import { KvError } from "../model/errors.ts";
import type { Sequence } from "../model/position.ts";
import { SegmentCursor } from "./segment-cursor.ts";
import type { StoredEntry } from "./segment-cursor.ts";
import {
  BATCH_HEADER_BYTES,
  batchesEnd,
  batchesStart,
  encodeSegmentHeader,
  encodeSegmentTrailer,
} from "./segment-format.ts";
import type { SegmentHeader } from "./segment-format.ts";

/** Bytes between two points of the sparse index. */
const INDEX_STEP_BYTES = 16 * 1024;

/** What a read gives: whole entries, joined. */
export interface EntryBytes {
  readonly bytes: Buffer;
  readonly last: Sequence;
}

/** Where the entries up to some sequence end. */
export interface CutPlace {
  /** Behind the last entry to keep, or before the batch header that has none of them. */
  readonly cutOffset: number;
  readonly appendOffset: number;
}

/**
 * One file of the log: its header, a sparse index of its batches, and where the next batch goes.
 *
 * Owns the open file. Entries are contiguous from the header's first sequence to `lastSequence`. Errors of the file pass
 * through: whether one is fatal is the log's decision.
 */
export class Segment {
  readonly header: SegmentHeader;
  readonly #file: DiskFile;
  #path: string;
  #lastSequence: Sequence;
  #appendOffset: number;
  #entryBytes = 0;
  /** Batches: first sequence and offset of the header, at least INDEX_STEP_BYTES apart. */
  readonly #indexSequences: Sequence[] = [];
  readonly #indexOffsets: number[] = [];

  constructor(file: DiskFile, header: SegmentHeader) {
    this.#file = file;
    this.#path = file.path;
    this.header = header;
    this.#lastSequence = header.firstSequence - 1;
    this.#appendOffset = batchesStart(header);
  }

  get file(): DiskFile {
    return this.#file;
  }

  /** Where the file is now: it may have been renamed since it was opened. */
  get path(): string {
    return this.#path;
  }

  get firstSequence(): Sequence {
    return this.header.firstSequence;
  }

  /** One below the first when there is none. */
  get lastSequence(): Sequence {
    return this.#lastSequence;
  }

  get appendOffset(): number {
    return this.#appendOffset;
  }

  /** Bytes of entries, without what stands around them. */
  get entryBytes(): number {
    return this.#entryBytes;
  }

  /** Bytes of entries that one more batch can have. */
  get roomBytes(): number {
    return batchesEnd(this.header) - this.#appendOffset - BATCH_HEADER_BYTES;
  }

  /** How much of the room for batches is used, from 0 to 1. */
  get fill(): number {
    const start = batchesStart(this.header);
    return (this.#appendOffset - start) / (batchesEnd(this.header) - start);
  }

  renamed(path: string): void {
    this.#path = path;
  }

  /** Writes both copies of the header; not flushed. */
  writeHeader(): void {
    const trailer = encodeSegmentTrailer(this.header);
    this.#file.write(trailer, this.header.sizeBytes - trailer.length);
    this.#file.write(encodeSegmentHeader(this.header), 0);
  }

  /** Writes a batch, header included, in one write. */
  append(batch: Buffer, lastSequence: Sequence): void {
    assert(batch.length - BATCH_HEADER_BYTES <= this.roomBytes, "a batch fits its segment");
    this.#file.write(batch, this.#appendOffset);
    this.noteBatch(this.#lastSequence + 1, this.#appendOffset);
    this.#lastSequence = lastSequence;
    this.#appendOffset += batch.length;
    this.#entryBytes += batch.length - BATCH_HEADER_BYTES;
  }

  /** Takes a batch into the index. */
  noteBatch(firstSequence: Sequence, offset: number): void {
    const previous = this.#indexOffsets.at(-1);
    if (previous !== undefined && offset - previous < INDEX_STEP_BYTES) return;
    this.#indexSequences.push(firstSequence);
    this.#indexOffsets.push(offset);
  }

  /** Takes over what recovery found. */
  adopt(found: { readonly lastSequence: Sequence; readonly appendOffset: number; readonly entryBytes: number }): void {
    this.#lastSequence = found.lastSequence;
    this.#appendOffset = found.appendOffset;
    this.#entryBytes = found.entryBytes;
  }

  /** Offset of a batch header at or before the batch that holds `sequence`. */
  batchBefore(sequence: Sequence): number {
    let low = 0;
    let high = this.#indexSequences.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#indexSequences[middle] ?? 0) <= sequence) low = middle + 1;
      else high = middle;
    }
    return this.#indexOffsets[low - 1] ?? batchesStart(this.header);
  }

  /** Whole entries from `from` on: at most `bytesMax`, at least one. Throws KvError CORRUPT. */
  read(from: Sequence, bytesMax: number): EntryBytes {
    const cursor = new SegmentCursor(this, this.batchBefore(from));
    const pieces: Buffer[] = [];
    let sizeBytes = 0;
    let last = from - 1;
    while (last < this.#lastSequence) {
      const entry = this.#nextWhole(cursor, from, pieces.length > 0);
      if (entry === null) break;
      if (entry.header.sequence < from) continue;
      if (sizeBytes > 0 && sizeBytes + entry.bytes.length > bytesMax) break;
      pieces.push(entry.bytes);
      sizeBytes += entry.bytes.length;
      last = entry.header.sequence;
    }
    return { bytes: pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces), last };
  }

  /** Damage behind what a read has already is for the next read to report. */
  #nextWhole(cursor: SegmentCursor, from: Sequence, hasEntries: boolean): StoredEntry | null {
    try {
      return cursor.next(from);
    } catch (error) {
      if (hasEntries && error instanceof KvError && error.code === "CORRUPT") return null;
      throw error;
    }
  }

  /** Where to cut so that `sequence` (of this segment, or one below its first) is the last. Throws KvError CORRUPT. */
  placeAfter(sequence: Sequence): CutPlace {
    if (sequence < this.firstSequence) return place(batchesStart(this.header), batchesStart(this.header));
    const cursor = new SegmentCursor(this, this.batchBefore(sequence));
    for (;;) {
      const entry = cursor.next(Infinity);
      assert(entry !== null && entry.header.sequence <= sequence, "the index leads to every entry of its segment");
      if (entry.header.sequence === sequence) return place(cursor.offset, cursor.batchEnd);
    }
  }

  /**
   * Cuts off what lies behind `place`: the file's end first, which happens as a whole or not at all, then zeros in its place
   * and the header's second copy. Flushed. Interrupted anywhere, recovery finds the same entries or those before the cut.
   */
  cut(at: CutPlace & { readonly lastSequence: Sequence; readonly entryBytes: number }): void {
    this.#file.truncate(at.cutOffset);
    this.#file.flushNow();
    this.#file.writeZeros(at.cutOffset, batchesEnd(this.header) - at.cutOffset);
    const trailer = encodeSegmentTrailer(this.header);
    this.#file.write(trailer, this.header.sizeBytes - trailer.length);
    this.#file.flushNow();
    const kept = this.#indexOffsets.filter((offset) => offset < at.cutOffset).length;
    this.#indexOffsets.length = kept;
    this.#indexSequences.length = kept;
    this.adopt(at);
  }

  close(): void {
    this.#file.close();
  }
}

function place(cutOffset: number, appendOffset: number): CutPlace {
  return { cutOffset, appendOffset };
}
