import { assert } from "../base/assert.ts";
import { SPACE, type Mutation, type Space } from "../model/entry.ts";
import { LIMITS } from "../model/limits.ts";
import type { Sequence, Version } from "../model/position.ts";
import { MemtableRun, type KeySlice, type MemtableVersion } from "./memtable-run.ts";

/**
 * What the memtable knows of a row: a version (perhaps a delete), or that a `clear` removed it, or nothing (then the tree
 * decides). `sequence` is the entry that the answer depends on.
 */
export type MemtableAnswer =
  | { readonly kind: "version"; readonly sequence: Sequence; readonly version: MemtableVersion }
  | { readonly kind: "cleared"; readonly sequence: Sequence };

/**
 * Every entry that is in the log but not yet in the tree: row → newest version first.
 *
 * Owns an active map and sealed runs on their way to the tree (oldest first). Invariant: a row's versions are ordered by
 * sequence, newer runs hold newer versions, and whatever lies behind `settledSequence` can be taken out again by
 * `truncateAfter`. Nothing here fails for lack of room: the shard asks `isFull` before it appends.
 */
export class Memtable {
  #active = new MemtableRun();
  #sealed: MemtableRun[] = [];
  /** Sequences of `clear` entries that the tree has not passed, or that hide something in a run, ascending. */
  #clears: Sequence[] = [];
  /** What may still be cut off, in the order of the log. */
  #unsettled: (MemtableVersion | null)[] = [];
  #unsettledHead = 0;
  #settledSequence: Sequence = 0;

  get sizeBytes(): number {
    let total = this.#active.sizeBytes;
    for (const run of this.#sealed) total += run.sizeBytes;
    return total;
  }

  /** Rows of `space` that have a version here, deletes included; those in several runs count in each. */
  rowCount(space: Space): number {
    let count = this.#active.rowCount(space);
    for (const run of this.#sealed) count += run.rowCount(space);
    return count;
  }

  get isFull(): boolean {
    return this.sizeBytes >= LIMITS.memtableBytesMax;
  }

  /** Enters all effects of one entry. Entries come in sequence order (rule S9: before their batch goes to the log). */
  put(sequence: Sequence, version: Version, mutations: readonly Mutation[]): void {
    if (this.#active.sizeBytes >= LIMITS.memtableActiveBytesMax) this.seal();
    for (const mutation of mutations) this.#unsettled.push(this.#active.put(sequence, version, mutation));
    this.#active.extend(sequence);
  }

  /** Enters a `clear`: every user row up to `sequence` is gone. */
  clear(sequence: Sequence): void {
    this.#clears.push(sequence);
    this.#active.extend(sequence);
  }

  /** Moves what is in the active map to a sealed run, so that it can be dropped once the tree has it. */
  seal(): void {
    if (this.#active.isEmpty) return;
    this.#sealed.push(this.#active);
    this.#active = new MemtableRun();
  }

  /** Newest state of a row, committed or not; null when the tree decides. */
  newest(space: Space, key: string): MemtableAnswer | null {
    return this.#lookUp(space, key, Number.MAX_SAFE_INTEGER);
  }

  /** State of a row as of `sequence`; null when the tree decides. */
  newestUpTo(space: Space, key: string, sequence: Sequence): MemtableAnswer | null {
    return this.#lookUp(space, key, sequence);
  }

  /** The last `clear` at or before `sequence` that still hides something here or in the tree; 0 when there is none. */
  floorUpTo(sequence: Sequence): Sequence {
    for (let i = this.#clears.length - 1; i >= 0; i--) {
      const cleared = this.#clears[i] ?? 0;
      if (cleared <= sequence) return cleared;
    }
    return 0;
  }

  /**
   * Keys of `space` in [start, end) that have a version here, in the order asked for, each once. Must be used before the
   * memtable changes.
   */
  keys(
    space: Space,
    range: { readonly start: string; readonly end: string; readonly reverse: boolean },
  ): Iterable<string> {
    const slices = [this.#active, ...this.#sealed].map((run) => run.keysInRange(space, range.start, range.end));
    return mergeKeys(
      slices.filter((slice) => slice.from < slice.to),
      range.reverse,
    );
  }

  /** Everything up to `sequence` can no longer be cut off: older versions behind it are let go. */
  settle(sequence: Sequence): void {
    if (sequence <= this.#settledSequence) return;
    this.#settledSequence = sequence;
    for (; this.#unsettledHead < this.#unsettled.length; this.#unsettledHead++) {
      const version = this.#unsettled[this.#unsettledHead] ?? null;
      if (version !== null && version.sequence > sequence) break;
      if (version !== null && version.older !== null) this.#runOf(version).forgetOlder(version);
      // The place stays until many can be cut off at once; the values must not: a thousand of them may be 16 GB.
      this.#unsettled[this.#unsettledHead] = null;
    }
    if (this.#unsettledHead > 1024 && this.#unsettledHead * 2 > this.#unsettled.length) {
      this.#unsettled = this.#unsettled.slice(this.#unsettledHead);
      this.#unsettledHead = 0;
    }
  }

  /** Takes out everything behind `sequence` (the log was cut there). */
  truncateAfter(sequence: Sequence): void {
    assert(sequence >= this.#settledSequence, "only what is not settled is cut from the memtable");
    while (this.#unsettled.length > this.#unsettledHead) {
      const version = this.#unsettled.at(-1) ?? null;
      if (version === null || version.sequence <= sequence) break;
      this.#unsettled.pop();
      this.#remove(version);
    }
    while ((this.#clears.at(-1) ?? 0) > sequence) this.#clears.pop();
    for (const run of [this.#active, ...this.#sealed]) run.shorten(sequence);
  }

  /** Lets go of whole runs that the tree has, once readers of the tree can see them there. */
  dropThrough(appliedSequence: Sequence): void {
    this.#sealed = this.#sealed.filter((run) => run.lastSequence > appliedSequence);
    if (!this.#active.isEmpty && this.#active.lastSequence <= appliedSequence) this.#active = new MemtableRun();
    // A run is kept whole, with rows that a `clear` inside it hides: as long as it is here, so is the `clear`.
    const oldest = [...this.#sealed, this.#active].find((run) => !run.isEmpty)?.firstSequence ?? appliedSequence;
    const through = Math.min(appliedSequence, oldest);
    while (this.#clears.length > 0 && (this.#clears[0] ?? 0) <= through) this.#clears.shift();
  }

  /** Forgets everything: the log starts anew behind a snapshot. */
  reset(settledSequence: Sequence): void {
    this.#active = new MemtableRun();
    this.#sealed = [];
    this.#clears = [];
    this.#unsettled = [];
    this.#unsettledHead = 0;
    this.#settledSequence = settledSequence;
  }

  #lookUp(space: Space, key: string, limit: Sequence): MemtableAnswer | null {
    const floor = space === SPACE.user && this.#clears.length > 0 ? this.floorUpTo(limit) : 0;
    let version = this.#active.newestUpTo(space, key, limit);
    for (let i = this.#sealed.length - 1; version === undefined && i >= 0; i--) {
      version = this.#sealed[i]?.newestUpTo(space, key, limit);
    }
    if (version !== undefined && version.sequence > floor) {
      return { kind: "version", sequence: version.sequence, version };
    }
    return floor === 0 ? null : { kind: "cleared", sequence: floor };
  }

  #remove({ space, key, sequence }: MemtableVersion): void {
    if (this.#active.remove(space, key, sequence)) return;
    for (let i = this.#sealed.length - 1; i >= 0; i--) {
      if (this.#sealed[i]?.remove(space, key, sequence) === true) return;
    }
  }

  /** The run that `version` was entered into. */
  #runOf({ sequence }: MemtableVersion): MemtableRun {
    const isActive = sequence >= this.#active.firstSequence && !this.#active.isEmpty;
    return isActive ? this.#active : (this.#sealed.findLast((run) => run.firstSequence <= sequence) ?? this.#active);
  }
}

/** Merges sorted slices into one order without repeats; the few runs make a linear pick cheaper than a heap. */
function* mergeKeys(slices: readonly KeySlice[], reverse: boolean): Generator<string> {
  const at = slices.map((slice) => (reverse ? slice.to - 1 : slice.from));
  const step = reverse ? -1 : 1;
  for (;;) {
    let next: string | null = null;
    for (const [i, slice] of slices.entries()) {
      const position = at[i] ?? -1;
      const key = position >= slice.from && position < slice.to ? slice.keys[position] : undefined;
      if (key !== undefined && (next === null || (reverse ? key > next : key < next))) next = key;
    }
    if (next === null) return;
    for (const [i, slice] of slices.entries()) {
      if (slice.keys[at[i] ?? -1] === next) at[i] = (at[i] ?? 0) + step;
    }
    yield next;
  }
}
