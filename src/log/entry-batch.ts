import { assert } from "../base/assert.ts";
import { entryLength, readEntryHeader, writeEntry, type Entry } from "../model/entry.ts";
import type { Epoch, Sequence } from "../model/position.ts";
import type { EpochMark } from "./log.ts";
import { BATCH_HEADER_BYTES } from "./segment-format.ts";
import { epochMarkOf } from "./segment-walk.ts";

const ROOM_BYTES_MIN = 512;

/**
 * Entries that go to the log with one write: encoded one behind the other as they come, with room for the batch header.
 *
 * Owns its bytes until they are handed to the log. Invariant: sequences are contiguous and epochs never fall; one that rises
 * begins with its start (G5).
 */
export class EntryBatch {
  #bytes: Buffer;
  #end: number = BATCH_HEADER_BYTES;
  readonly #marks: EpochMark[] = [];
  #firstSequence: Sequence = 0;
  #lastSequence: Sequence = 0;
  #firstEpoch: Epoch = 0;
  #lastEpoch: Epoch = 0;

  /** `roomBytes` is a guess of how much will come; more may. */
  constructor(roomBytes: number = ROOM_BYTES_MIN) {
    this.#bytes = Buffer.allocUnsafeSlow(BATCH_HEADER_BYTES + Math.max(ROOM_BYTES_MIN, roomBytes));
  }

  /** Of encoded entries. */
  static of(entries: readonly Buffer[]): EntryBatch {
    const batch = new EntryBatch(entries.reduce((sum, entry) => sum + entry.length, 0));
    for (const entry of entries) batch.addEncoded(entry);
    return batch;
  }

  get isEmpty(): boolean {
    return this.#lastSequence === 0;
  }

  /** Without the header. */
  get entryBytes(): number {
    return this.#end - BATCH_HEADER_BYTES;
  }

  get firstSequence(): Sequence {
    return this.#firstSequence;
  }

  get lastSequence(): Sequence {
    return this.#lastSequence;
  }

  /** Epoch of the first entry. */
  get firstEpoch(): Epoch {
    return this.#firstEpoch;
  }

  /** The leaderships that begin in it. */
  get marks(): readonly EpochMark[] {
    return this.#marks;
  }

  /** Header room and entries. The batch is over: they belong to the caller, who may keep them, and no empty room with them. */
  get bytes(): Buffer {
    const bytes = this.#bytes.subarray(0, this.#end);
    return this.#end * 2 < this.#bytes.length ? Buffer.from(bytes) : bytes;
  }

  add(entry: Entry): void {
    const length = entryLength(entry);
    this.#reserve(length);
    writeEntry(entry, this.#bytes, { at: this.#end, length });
    this.#took(entry.epoch, entry.sequence, length);
  }

  /** An entry as it lies in a log, whole; its checksum has been looked at. */
  addEncoded(raw: Buffer): void {
    const { lengthBytes, epoch, sequence } = readEntryHeader(raw, 0, true);
    assert(lengthBytes === raw.length, "each buffer is one whole entry");
    this.#reserve(lengthBytes);
    this.#bytes.set(raw, this.#end);
    this.#took(epoch, sequence, lengthBytes);
  }

  #took(epoch: Epoch, sequence: Sequence, length: number): void {
    const at = this.#end;
    this.#end += length;
    assert(this.isEmpty || sequence === this.#lastSequence + 1, "entries are contiguous");
    assert(epoch >= this.#lastEpoch && epoch > 0, "epochs never fall");
    if (this.isEmpty) {
      this.#firstSequence = sequence;
      this.#firstEpoch = epoch;
    }
    if (epoch > this.#lastEpoch) this.#noteEpoch(this.#bytes.subarray(at, this.#end));
    this.#lastSequence = sequence;
    this.#lastEpoch = epoch;
  }

  /** Whether the first entry must begin its epoch, the log knows. */
  #noteEpoch(entry: Buffer): void {
    const mark = epochMarkOf(entry);
    assert(mark !== null || this.isEmpty, "an epoch begins with its start (G5)");
    if (mark !== null) this.#marks.push(mark);
  }

  #reserve(byteCount: number): void {
    const wanted = this.#end + byteCount;
    if (wanted <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(wanted, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#end);
    this.#bytes = larger;
  }
}
