import type { Sequence } from "../model/position.ts";

/** Entries appended within one millisecond. */
interface Moment {
  readonly appendedMs: number;
  last: Sequence;
  bytes: number;
  count: number;
}

/**
 * How much has been appended and not committed, and since when (rule K5).
 *
 * Counts by the millisecond: what of one moment is committed in part counts until all of it is.
 */
export class UncommittedTail {
  readonly #moments: Moment[] = [];
  #head = 0;
  #bytes = 0;
  #count = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#count;
  }

  /** When the oldest was appended; null when there is none. */
  get oldestMs(): number | null {
    return this.#moments[this.#head]?.appendedMs ?? null;
  }

  append(sequence: Sequence, bytes: number, nowMs: number): void {
    const appendedMs = Math.floor(nowMs);
    const newest = this.#moments.at(-1);
    this.#bytes += bytes;
    this.#count++;
    if (newest === undefined || this.#head === this.#moments.length || newest.appendedMs !== appendedMs) {
      this.#moments.push({ appendedMs, last: sequence, bytes, count: 1 });
      return;
    }
    newest.last = sequence;
    newest.bytes += bytes;
    newest.count++;
  }

  /** Entries up to `sequence` are committed. */
  commit(sequence: Sequence): void {
    for (let oldest = this.#moments[this.#head]; oldest !== undefined; oldest = this.#moments[this.#head]) {
      if (oldest.last > sequence) break;
      this.#bytes -= oldest.bytes;
      this.#count -= oldest.count;
      this.#head++;
    }
    if (this.#head <= 1024 && this.#head < this.#moments.length) return;
    this.#moments.splice(0, this.#head);
    this.#head = 0;
  }
}
