/**
 * Remembers the configurations a search has been in: a bit for each operation already placed, then counters and the state's
 * number, all in one `Uint32Array`. Looked up by hash, then compared word by word: a collision never hides a configuration.
 */
export class ConfigurationCache {
  readonly #buckets: Map<number, Uint32Array[]> = new Map();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds a copy of `words`; returns false when it was there before. */
  add(words: Uint32Array): boolean {
    const hash = hashOf(words);
    const bucket = this.#buckets.get(hash);
    if (bucket === undefined) {
      this.#buckets.set(hash, [words.slice()]);
    } else {
      if (bucket.some((known) => equal(known, words))) return false;
      bucket.push(words.slice());
    }
    this.#size++;
    return true;
  }
}

function hashOf(words: Uint32Array): number {
  let hash = 0x811c9dc5;
  for (const word of words) {
    hash = Math.imul(hash ^ word, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash;
}

function equal(a: Uint32Array, b: Uint32Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
