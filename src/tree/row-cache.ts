import type { Record } from "../model/record.ts";

const BYTES_MAX = 8 * 1024 * 1024;
/** Larger values cost more to send than to read again. */
const VALUE_BYTES_MAX = 1024;
/** Objects around a key and a value. */
const OVERHEAD_BYTES = 250;
const MARKS = 65_536;

/**
 * Rows that were read from the tree more than once since it last changed, decoded and checked.
 *
 * Owns at most about 8 MiB. Invariant: it holds nothing that a read transaction begun now would not find, because it is
 * emptied whenever the tree may have changed; what is on its way to the tree is looked up before the tree. A row is only kept
 * when it is read again: walking through many keys once costs a mark for each and nothing else (the doorkeeper of TinyLFU,
 * Einziger et al., 2017).
 */
export class RowCache {
  #rows = new Map<string, Record>();
  #bytes = 0;
  /** One mark a key, by hash: the key was read before. */
  readonly #marks = new Uint32Array(MARKS);

  get(key: string): Record | undefined {
    return this.#rows.get(key);
  }

  /** A row was read from the tree. */
  offer(key: string, record: Record): void {
    const { length } = record.value;
    if (length > VALUE_BYTES_MAX || !this.#isKnown(key)) return;
    const bytes = OVERHEAD_BYTES + key.length + length;
    if (this.#bytes + bytes > BYTES_MAX) this.clear();
    this.#rows.set(key, record);
    this.#bytes += bytes;
  }

  clear(): void {
    if (this.#bytes === 0) return;
    this.#rows = new Map();
    this.#bytes = 0;
  }

  /** Whether the key, or one of the same hash, was offered not long ago. */
  #isKnown(key: string): boolean {
    let hash = 7;
    for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
    const at = (hash ^ (hash >>> 15)) & (MARKS - 1);
    const mark = hash >>> 0;
    if (this.#marks[at] === mark) return true;
    this.#marks[at] = mark;
    return false;
  }
}
