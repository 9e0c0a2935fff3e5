const FIRST_CAPACITY = 1 << 14;
const LOAD_MAX = 0.6;

/**
 * The states found so far, by a 64-bit hash of their bytes: two states that collide would count as one, which at ten
 * million states happens with a chance of about one in 400,000. Each has a number, in the order of discovery, and
 * under that number the state it was reached from and the action that led to it.
 */
export class StateSet {
  #low = new Uint32Array(FIRST_CAPACITY);
  #high = new Uint32Array(FIRST_CAPACITY);
  #parents = new Int32Array(FIRST_CAPACITY);
  #actions = new Uint16Array(FIRST_CAPACITY);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds a state unless it is known, and tells whether it was new. `parent` is -1 for the first. */
  add(words: Uint32Array, parent: number, action: number): boolean {
    let low = 0x9e3779b9;
    let high = 0x85ebca6b;
    for (const word of words) {
      low = Math.imul(low ^ word, 0x9e3779b1);
      low ^= low >>> 15;
      high = Math.imul(high + word, 0xc2b2ae35);
      high ^= high >>> 13;
    }
    low = mix(low ^ (high >>> 7));
    // Zero in both halves marks a free place.
    high = mix(high ^ (low >>> 11)) | 1;
    if (this.#size > this.#low.length * LOAD_MAX) this.#grow();
    const place = findPlace({ low: this.#low, high: this.#high }, low >>> 0, high >>> 0);
    if (place < 0) return false;
    this.#low[place] = low;
    this.#high[place] = high;
    if (this.#size >= this.#parents.length) this.#growPaths();
    this.#parents[this.#size] = parent;
    this.#actions[this.#size] = action;
    this.#size += 1;
    return true;
  }

  /** The actions that lead from the first state to state `number`. */
  pathTo(number: number): number[] {
    const actions: number[] = [];
    for (let at = number; at > 0; at = this.#parents[at] ?? 0) actions.push(this.#actions[at] ?? 0);
    return actions.reverse();
  }

  #grow(): void {
    const capacity = this.#low.length * 2;
    const next = { low: new Uint32Array(capacity), high: new Uint32Array(capacity) };
    for (let i = 0; i < this.#low.length; i++) {
      const high = this.#high[i] ?? 0;
      if (high === 0) continue;
      const low = this.#low[i] ?? 0;
      const place = findPlace(next, low, high);
      next.low[place] = low;
      next.high[place] = high;
    }
    this.#low = next.low;
    this.#high = next.high;
  }

  #growPaths(): void {
    const parents = new Int32Array(this.#parents.length * 2);
    parents.set(this.#parents);
    this.#parents = parents;
    const actions = new Uint16Array(this.#actions.length * 2);
    actions.set(this.#actions);
    this.#actions = actions;
  }
}

/** The free place for a hash, or -1 if the table has it. */
function findPlace(table: { low: Uint32Array; high: Uint32Array }, low: number, high: number): number {
  const mask = table.low.length - 1;
  let place = low & mask;
  for (;;) {
    const found = table.high[place];
    if (found === 0) return place;
    if (found === high && table.low[place] === low) return -1;
    place = (place + 1) & mask;
  }
}

function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x7feb352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  return mixed ^ (mixed >>> 16);
}
