import { assert } from "../base/assert.ts";
import { readEntryHeader } from "../model/entry.ts";
import { NO_EPOCH } from "../model/position.ts";
import type { EpochRef, Sequence } from "../model/position.ts";
import type { EpochMark } from "./log.ts";
import { epochMarkOf } from "./segment-walk.ts";

/**
 * Every leadership the log has seen, oldest first: (epoch, term) → first sequence. Kept for ever, in the segment headers.
 *
 * Epochs and first sequences rise strictly. State is replaced whole, so a list that was handed out never changes.
 */
export class EpochTable {
  #marks: readonly EpochMark[];

  constructor(marks: readonly EpochMark[]) {
    this.#marks = [...marks];
  }

  get marks(): readonly EpochMark[] {
    return this.#marks;
  }

  get last(): EpochRef {
    const mark = this.#marks.at(-1);
    return mark === undefined ? NO_EPOCH : { epoch: mark.epoch, term: mark.term };
  }

  /** The leadership to which `sequence` belongs; null before the first one. */
  at(sequence: Sequence): EpochMark | null {
    for (let i = this.#marks.length - 1; i >= 0; i--) {
      const mark = this.#marks[i];
      if (mark !== undefined && mark.firstSequence <= sequence) return mark;
    }
    return null;
  }

  /** The leaderships that `entries` begin, which must be contiguous from `first` and in order of their epochs. */
  beginnings(entries: readonly Buffer[], first: Sequence): readonly EpochMark[] {
    const found: EpochMark[] = [];
    let { epoch } = this.last;
    let sequence = first;
    for (const entry of entries) {
      const header = readEntryHeader(entry, 0, true);
      assert(header.lengthBytes === entry.length, "each buffer is one whole entry");
      assert(header.sequence === sequence, "entries are contiguous");
      assert(header.epoch >= epoch && header.epoch > 0, "epochs never fall");
      if (header.epoch > epoch) {
        const mark = epochMarkOf(entry);
        assert(mark !== null, "an epoch begins with its start (G5)");
        found.push(mark);
        epoch = header.epoch;
      }
      sequence++;
    }
    return found;
  }

  add(marks: readonly EpochMark[]): void {
    if (marks.length > 0) this.#marks = [...this.#marks, ...marks];
  }

  /** Forgets what began behind `sequence` (§2.11). */
  cutAfter(sequence: Sequence): void {
    this.#marks = this.#marks.filter((mark) => mark.firstSequence <= sequence);
  }
}
