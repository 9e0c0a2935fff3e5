import type { Sequence } from "../model/position.ts";
import type { EntryBytes } from "./segment.ts";

interface Batch {
  readonly first: Sequence;
  readonly last: Sequence;
  readonly bytes: Buffer;
}

/** Places of batches that are gone before the rest is moved up. */
const GONE_MAX = 1024;
const GONE: Batch = { first: 0, last: 0, bytes: Buffer.alloc(0) };

/**
 * The newest batches in memory, so that replicas that keep up cost no disk reads.
 *
 * Holds contiguous batches up to the log's end, at most `bytesMax` of them but always the newest; everything older is on disk.
 */
export class RecentTail {
  readonly #bytesMax: number;
  #batches: Batch[] = [];
  /** Places before this one belong to batches that are gone. */
  #head = 0;
  #sizeBytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Takes the entries of a batch that follows the last one; `bytes` are kept, not copied. */
  add(batch: Batch): void {
    this.#batches.push(batch);
    this.#sizeBytes += batch.bytes.length;
    while (this.#sizeBytes > this.#bytesMax && this.#head < this.#batches.length - 1) {
      this.#sizeBytes -= this.#batches[this.#head]?.bytes.length ?? 0;
      this.#batches[this.#head++] = GONE;
    }
    if (this.#head < GONE_MAX) return;
    this.#batches = this.#batches.slice(this.#head);
    this.#head = 0;
  }

  clear(): void {
    this.#batches = [];
    this.#head = 0;
    this.#sizeBytes = 0;
  }

  /** Whole entries from `from` on, at most `bytesMax` but at least one; null when they do not begin in memory. */
  read(from: Sequence, bytesMax: number): EntryBytes | null {
    let index = this.#indexOf(from);
    if (index < 0) return null;
    const pieces: Buffer[] = [];
    let left = bytesMax;
    let last = from - 1;
    for (; index < this.#batches.length; index++) {
      const batch = this.#batches[index];
      if (batch === undefined) break;
      const piece = wholeEntries(batch, last + 1, { bytesMax: left, atLeastOne: pieces.length === 0 });
      if (piece.bytes.length === 0) break;
      pieces.push(piece.bytes);
      left -= piece.bytes.length;
      last = piece.last;
      if (last < batch.last) break;
    }
    return { bytes: pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces), last };
  }

  #indexOf(sequence: Sequence): number {
    let low = this.#head;
    let high = this.#batches.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#batches[middle]?.first ?? Infinity) <= sequence) low = middle + 1;
      else high = middle;
    }
    return low > this.#head ? low - 1 : -1;
  }
}

function wholeEntries(
  batch: Batch,
  from: Sequence,
  limit: { readonly bytesMax: number; readonly atLeastOne: boolean },
): EntryBytes {
  const { bytes } = batch;
  let sequence = batch.first;
  let start = 0;
  for (; sequence < from; sequence++) start += bytes.readUInt32LE(start);
  if (bytes.length - start <= limit.bytesMax) return { bytes: bytes.subarray(start), last: batch.last };
  let end = start;
  while (end < bytes.length) {
    const next = end + bytes.readUInt32LE(end);
    if (next - start > limit.bytesMax && !(limit.atLeastOne && end === start)) break;
    end = next;
    sequence++;
  }
  return { bytes: bytes.subarray(start, end), last: sequence - 1 };
}
