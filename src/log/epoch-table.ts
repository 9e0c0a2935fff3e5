import { assert } from "../base/assert.ts";
import { NO_EPOCH } from "../model/position.ts";
import type { EpochRef, Sequence } from "../model/position.ts";
import type { EntryBatch } from "./entry-batch.ts";
import type { EpochMark } from "./log.ts";

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

  /** The leaderships that `batch` begins. It must go on where the table ends: epochs never fall. */
  beginnings({ isEmpty, firstEpoch, marks }: EntryBatch): readonly EpochMark[] {
    const { epoch } = this.last;
    assert(!isEmpty && firstEpoch >= epoch, "epochs never fall");
    assert(firstEpoch === epoch || marks[0]?.epoch === firstEpoch, "an epoch begins with its start (G5)");
    return marks.length === 0 ? marks : marks.filter((mark) => mark.epoch > epoch);
  }

  add(marks: readonly EpochMark[]): void {
    if (marks.length > 0) this.#marks = [...this.#marks, ...marks];
  }

  /** Forgets what began behind `sequence` (§2.11). */
  cutAfter(sequence: Sequence): void {
    this.#marks = this.#marks.filter((mark) => mark.firstSequence <= sequence);
  }
}
