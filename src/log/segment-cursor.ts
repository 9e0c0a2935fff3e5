import { mutant } from "../base/mutants.ts";
import { ENTRY_HEADER_BYTES, EntryFormatError, readEntryHeader } from "../model/entry.ts";
import type { EntryHeader } from "../model/entry.ts";
import { KvError } from "../model/errors.ts";
import type { Sequence } from "../model/position.ts";
import { FileWindow } from "./file-window.ts";
import type { DiskFile } from "../base/disk.ts";
import { BATCH_HEADER_BYTES, batchesEnd, batchesStart, readBatchHeader } from "./segment-format.ts";
import type { SegmentHeader } from "./segment-format.ts";

/** One entry met by a cursor; `bytes` stay valid. */
export interface StoredEntry {
  readonly header: EntryHeader;
  readonly bytes: Buffer;
  readonly offset: number;
}

/** A segment to read from. */
export interface SegmentSource {
  readonly file: DiskFile;
  /** For messages. */
  readonly path: string;
  readonly header: SegmentHeader;
}

/**
 * Reads the entries of a segment in order, as far as it is written when they are asked for. Used by those who know which
 * sequences must be there; so bytes that are not an entry are damage, thrown as KvError CORRUPT, and never handed out (S5).
 */
export class SegmentCursor {
  readonly #source: SegmentSource;
  readonly #window: FileWindow;
  #batchOffset: number;
  #batchEnd: number;
  #offset: number;

  /** Begins at the batch header at `batchOffset`; without it, at the first batch. */
  constructor(source: SegmentSource, batchOffset: number = batchesStart(source.header)) {
    this.#source = source;
    this.#window = new FileWindow(source.file);
    this.#batchOffset = batchOffset;
    this.#batchEnd = batchOffset;
    this.#offset = batchOffset;
  }

  /**
   * Starts again at the batch in hand, with fresh bytes: its end may have been cut off since, and other batches may follow
   * now. Its first entries come once more.
   */
  rewindToBatch(): void {
    this.#window.forget();
    this.#offset = this.#batchOffset;
    this.#batchEnd = this.#batchOffset;
  }

  /** Sequence of the entry that `next` will return, or null when there is none in this batch. */
  peekSequence(): Sequence | null {
    const entry = this.next(Infinity);
    this.rewindToBatch();
    return entry?.header.sequence ?? null;
  }

  /** Offset of the batch header before the entry last returned. */
  get batchOffset(): number {
    return this.#batchOffset;
  }

  /** Behind the entry last returned. */
  get offset(): number {
    return this.#offset;
  }

  /** Where the batch of the entry last returned ends, with what was cut off it. */
  get batchEnd(): number {
    return this.#batchEnd;
  }

  /** The next entry, or null at the end of what is written. Those before `from` come without a look at their checksum. */
  next(from: Sequence = 0): StoredEntry | null {
    for (;;) {
      if (this.#offset === this.#batchEnd && !this.#enterBatch()) return null;
      if (this.#offset === this.#batchEnd) continue;
      const entry = this.#takeEntry(from);
      if (entry !== null) return entry;
      this.#offset = this.#batchEnd;
    }
  }

  #enterBatch(): boolean {
    const end = batchesEnd(this.#source.header);
    if (this.#offset + BATCH_HEADER_BYTES > end) return false;
    const raw = this.#window.view(this.#offset, BATCH_HEADER_BYTES);
    const batch = readBatchHeader(raw, 0, this.#source.header.salt);
    if (batch === null) {
      if (raw.every((byte) => byte === 0)) return false;
      throw this.#damage("a batch header is damaged");
    }
    this.#batchOffset = this.#offset;
    this.#offset += BATCH_HEADER_BYTES;
    this.#batchEnd = this.#offset + batch.lengthBytes;
    if (this.#batchEnd > end) throw this.#damage("a batch is longer than its segment");
    return true;
  }

  /** Null where the rest of the batch was cut off. */
  #takeEntry(from: Sequence): StoredEntry | null {
    const left = this.#batchEnd - this.#offset;
    const length = left < 4 ? 0 : this.#window.u32(this.#offset);
    if (length === 0) return null;
    if (length < ENTRY_HEADER_BYTES || length > left) throw this.#damage(`an entry cannot have ${length} bytes here`);
    const bytes = this.#window.view(this.#offset, length);
    const header = readEntryHeader(bytes, 0, true);
    if (header.sequence >= from && !mutant("M68")) this.#verify(bytes);
    const entry = { header, bytes, offset: this.#offset };
    this.#offset += length;
    return entry;
  }

  #verify(bytes: Buffer): void {
    try {
      readEntryHeader(bytes, 0);
    } catch (error) {
      if (error instanceof EntryFormatError) throw this.#damage(error.message);
      throw error;
    }
  }

  #damage(detail: string): KvError {
    const { path } = this.#source;
    return new KvError("CORRUPT", `The log is damaged in ${path} at byte ${this.#offset}: ${detail}`, {
      details: { file: path, offset: this.#offset },
    });
  }
}
