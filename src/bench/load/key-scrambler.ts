const ROUND_KEYS = [0x9e3779b9, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f] as const;

/**
 * A fixed permutation of the numbers below `count` that looks random: it spreads the most popular ranks over all keys.
 *
 * A Feistel network over the next even power of two, repeated until the result is below `count`. YCSB hashes modulo the count
 * instead, where about a third of the keys is never met and others carry the weight of two ranks.
 */
export class KeyScrambler {
  readonly #count: number;
  readonly #halfBits: number;
  readonly #halfMask: number;

  /** At most 2³⁰ numbers. */
  constructor(count: number) {
    this.#count = count;
    this.#halfBits = Math.max(1, Math.ceil(Math.log2(Math.max(count, 2)) / 2));
    this.#halfMask = 2 ** this.#halfBits - 1;
  }

  place(rank: number): number {
    let value = rank;
    do value = this.#permute(value);
    while (value >= this.#count);
    return value;
  }

  #permute(value: number): number {
    let left = value >>> this.#halfBits;
    let right = value & this.#halfMask;
    for (const key of ROUND_KEYS) {
      let mixed = Math.imul(right ^ key, 0x21f0aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
      const next = left ^ ((mixed ^ (mixed >>> 15)) & this.#halfMask);
      left = right;
      right = next;
    }
    return ((left << this.#halfBits) | right) >>> 0;
  }
}
