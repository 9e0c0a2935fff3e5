/**
 * A first-in first-out queue that says no when it is full, so that overload shows at the entrance and not in memory.
 *
 * A ring buffer that doubles up to its bound: pushing and taking cost constant time.
 */
export class BoundedQueue<Item> {
  readonly #countMax: number;
  #slots: Array<Item | undefined>;
  #head = 0;
  #count = 0;

  constructor(countMax: number) {
    this.#countMax = countMax;
    this.#slots = Array.from({ length: Math.min(16, countMax) });
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count >= this.#countMax;
  }

  /** Adds `item` at the end; false (and nothing added) when the queue is full. */
  push(item: Item): boolean {
    if (this.isFull) return false;
    if (this.#count === this.#slots.length) this.#grow();
    this.#slots[(this.#head + this.#count) % this.#slots.length] = item;
    this.#count++;
    return true;
  }

  /** The oldest item, left in place. */
  peek(): Item | undefined {
    return this.#count === 0 ? undefined : this.#slots[this.#head];
  }

  /** Removes and returns the oldest item. */
  take(): Item | undefined {
    if (this.#count === 0) return undefined;
    const item = this.#slots[this.#head];
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) % this.#slots.length;
    this.#count--;
    return item;
  }

  #grow(): void {
    const larger: Array<Item | undefined> = Array.from({ length: Math.min(this.#slots.length * 2, this.#countMax) });
    for (let i = 0; i < this.#count; i++) larger[i] = this.#slots[(this.#head + i) % this.#slots.length];
    this.#slots = larger;
    this.#head = 0;
  }
}
