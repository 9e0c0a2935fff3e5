/**
 * A number that only grows, and those who wait for it: "tell me when everything up to 17 is flushed".
 *
 * Owns the waiters of one term of duty. Waiters run in order of the position they wait for, and in order of arrival
 * within one position, also when a waiter moves the mark further. A waiter is called exactly once: with `true` when the
 * mark reached it, with `false` when `abandon` gave up on all of them.
 */
export class Watermark {
  #value: number;
  readonly #waiting = new Map<number, Array<(reached: boolean) => void>>();
  #isWaking = false;

  constructor(value: number) {
    this.#value = value;
  }

  get value(): number {
    return this.#value;
  }

  /** How many positions have someone waiting. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** Calls `waiter` when the mark is at or past `position`: at once when it already is. */
  whenReached(position: number, waiter: (reached: boolean) => void): void {
    if (position <= this.#value) {
      waiter(true);
      return;
    }
    const others = this.#waiting.get(position);
    if (others === undefined) this.#waiting.set(position, [waiter]);
    else others.push(waiter);
  }

  /** Moves the mark forward to `value` (nothing happens when it is there already) and wakes whom it passes. */
  advance(value: number): void {
    if (value <= this.#value) return;
    let from = this.#value;
    this.#value = value;
    // A waiter that moves the mark must not overtake those before it: the loop that woke it goes on from there.
    if (this.#isWaking || this.#waiting.size === 0) return;
    this.#isWaking = true;
    try {
      while (from < this.#value) {
        const to = this.#value;
        this.#wakeBetween(from, to);
        from = to;
      }
    } finally {
      this.#isWaking = false;
    }
  }

  /** Sets the mark back (a log was cut) or anywhere. Only legal while nobody waits. */
  reset(value: number): void {
    this.#value = value;
  }

  /** Tells every waiter that its position will not be reported any more, in order. */
  abandon(): void {
    const positions = [...this.#waiting.keys()].sort((a, b) => a - b);
    for (const position of positions) this.#wake(position, position <= this.#value);
  }

  #wakeBetween(from: number, to: number): void {
    if (to - from <= this.#waiting.size * 4) {
      for (let position = from + 1; position <= to; position++) this.#wake(position, true);
      return;
    }
    const passed = [...this.#waiting.keys()].filter((position) => position <= to).sort((a, b) => a - b);
    for (const position of passed) this.#wake(position, true);
  }

  #wake(position: number, reached: boolean): void {
    const waiters = this.#waiting.get(position);
    if (waiters === undefined) return;
    this.#waiting.delete(position);
    for (const waiter of waiters) waiter(reached);
  }
}
