import type { Clock } from "../base/clock.ts";
import type { Sequence } from "../model/position.ts";

const MARKS_MAX = 4096;

/**
 * When entries were written, remembered in a bounded number of marks, so that a replica's lag can be told in
 * milliseconds. The newest marks are exact to the batch; when there are too many, every other old one is let go.
 */
export class AppendTimes {
  readonly #clock: Clock;
  #marks: { readonly sequence: Sequence; readonly atMs: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Everything up to `sequence` is written as of now. */
  note(sequence: Sequence): void {
    this.#marks.push({ sequence, atMs: this.#clock.nowMs() });
    const isRecent = (index: number): boolean => index >= MARKS_MAX / 2;
    if (this.#marks.length > MARKS_MAX) this.#marks = this.#marks.filter((_mark, i) => isRecent(i) || i % 2 === 0);
  }

  /** How long ago the entry at `sequence` was written; 0 when that is not remembered. */
  ageMs(sequence: Sequence): number {
    let low = 0;
    let high = this.#marks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#marks[middle]?.sequence ?? 0) < sequence) low = middle + 1;
      else high = middle;
    }
    const mark = this.#marks[low];
    return mark === undefined ? 0 : Math.max(0, this.#clock.nowMs() - mark.atMs);
  }
}
