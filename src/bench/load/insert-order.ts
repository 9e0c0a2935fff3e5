/**
 * Hands out the indexes of keys to insert, and knows up to which index all keys are there.
 *
 * Inserts are answered in any order over many connections; a reader may only be sent to keys that are there. One whose insert
 * failed is handed out again, so that no gap stays. What it remembers is bounded by the operations under way.
 */
export class InsertOrder {
  readonly #doneEarly = new Set<number>();
  readonly #again: number[] = [];
  #presentCount: number;
  #next: number;

  /** Keys below `presentCount` are there from the beginning. */
  constructor(presentCount: number) {
    this.#presentCount = presentCount;
    this.#next = presentCount;
  }

  /** Keys with an index below this are there. */
  get presentCount(): number {
    return this.#presentCount;
  }

  take(): number {
    return this.#again.pop() ?? this.#next++;
  }

  done(index: number): void {
    this.#doneEarly.add(index);
    while (this.#doneEarly.delete(this.#presentCount)) this.#presentCount += 1;
  }

  failed(index: number): void {
    this.#again.push(index);
  }
}
