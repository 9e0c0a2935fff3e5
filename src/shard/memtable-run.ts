import { SPACE, type Mutation, type Space } from "../model/entry.ts";
import { LIMITS } from "../model/limits.ts";
import type { Sequence, Version } from "../model/position.ts";

/** One version of one row. `value` null is a delete, remembered as long as the tree may hold something older (rule R7). */
export interface MemtableVersion {
  readonly space: Space;
  readonly key: string;
  readonly sequence: Sequence;
  readonly version: Version;
  readonly value: Buffer | null;
  readonly expiryMs: number;
  readonly contentType: string;
  /** The next older version in the same run, while somebody may still need it. */
  older: MemtableVersion | null;
}

/** A part of a sorted list: indexes `from` to `to`, the latter not included. */
export interface KeySlice {
  readonly keys: readonly string[];
  readonly from: number;
  readonly to: number;
}

/**
 * A contiguous stretch of entries as maps from row to versions, one map a space.
 *
 * Owns its versions. `keysInRange` keeps the sorted keys until a new key comes in, so that a sealed run is sorted once.
 */
export class MemtableRun {
  readonly #maps: readonly Map<string, MemtableVersion>[] = [new Map(), new Map(), new Map()];
  /** Sorted user keys; null when a key came in since. */
  #sortedUserKeys: string[] | null = null;
  sizeBytes = 0;
  /** First and last entry that this run holds, a `clear` included; 0 when it holds none. */
  firstSequence: Sequence = 0;
  lastSequence: Sequence = 0;

  rowCount(space: Space): number {
    return this.#map(space).size;
  }

  get isEmpty(): boolean {
    return this.lastSequence === 0;
  }

  /** Takes note that the entry at `sequence` belongs here. */
  extend(sequence: Sequence): void {
    if (this.isEmpty) this.firstSequence = sequence;
    this.lastSequence = sequence;
  }

  /** What lies behind `sequence` has been taken out. */
  shorten(sequence: Sequence): void {
    if (this.lastSequence <= sequence) return;
    this.lastSequence = this.firstSequence <= sequence ? sequence : 0;
    if (this.isEmpty) this.firstSequence = 0;
  }

  put(sequence: Sequence, version: Version, mutation: Mutation): MemtableVersion {
    const { space, key, value, expiryMs, contentType } = mutation;
    const map = this.#map(space);
    const older = map.get(key) ?? null;
    const entered = { space, key, sequence, version, value, expiryMs, contentType, older };
    map.set(key, entered);
    this.sizeBytes += chargeOf(key, value);
    if (older === null && space === SPACE.user) this.#sortedUserKeys = null;
    return entered;
  }

  newestUpTo(space: Space, key: string, limit: Sequence): MemtableVersion | undefined {
    let version: MemtableVersion | null | undefined = this.#map(space).get(key);
    while (version !== undefined && version !== null && version.sequence > limit) version = version.older;
    return version ?? undefined;
  }

  /** Lets go of what `version`, of this run, hides for every reader from now on. */
  forgetOlder(version: MemtableVersion): void {
    for (let older = version.older; older !== null; older = older.older) {
      this.sizeBytes -= chargeOf(older.key, older.value);
    }
    version.older = null;
  }

  /** Takes the version written by `sequence` out again; false when it is not here. It must be the row's newest. */
  remove(space: Space, key: string, sequence: Sequence): boolean {
    const map = this.#map(space);
    const version = map.get(key);
    if (version === undefined || version.sequence !== sequence) return false;
    this.sizeBytes -= chargeOf(key, version.value);
    if (version.older === null) {
      map.delete(key);
      if (space === SPACE.user) this.#sortedUserKeys = null;
    } else {
      map.set(key, version.older);
    }
    return true;
  }

  /** The sorted keys of `space`, and which of them lie in [start, end) (an empty `end` means no bound). */
  keysInRange(space: Space, start: string, end: string): KeySlice {
    const keys = this.#sortedKeys(space);
    return { keys, from: firstAtOrAfter(keys, start), to: end === "" ? keys.length : firstAtOrAfter(keys, end) };
  }

  #sortedKeys(space: Space): string[] {
    if (space !== SPACE.user) return [...this.#map(space).keys()].sort();
    this.#sortedUserKeys ??= [...this.#map(space).keys()].sort();
    return this.#sortedUserKeys;
  }

  #map(space: Space): Map<string, MemtableVersion> {
    const map = this.#maps[space];
    if (map === undefined) throw new RangeError(`Unknown space ${space}`);
    return map;
  }
}

function chargeOf(key: string, value: Buffer | null): number {
  return LIMITS.memtableEntryOverheadBytes + key.length + (value?.length ?? 0);
}

function firstAtOrAfter(sorted: readonly string[], key: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? "") < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
