import { assert } from "../base/assert.ts";
import { SPACE, type Entry, type Mutation, type Space } from "../model/entry.ts";
import { LIMITS } from "../model/limits.ts";
import type { Sequence, Version } from "../model/position.ts";
import { compareRows } from "../tree/tree-order.ts";
import type { TreeChange } from "../tree/tree.ts";

/** Where a fold starts: what the entries up to there have left behind. */
export interface FoldStart {
  readonly appliedSequence: Sequence;
  readonly versionBase: number;
  readonly logClockMs: number;
}

/**
 * Folds a stretch of committed entries into what they leave behind: the newest mutation of each row, with its version.
 *
 * Owns nothing outside itself, and depends on nothing but the entries (rule G4). Replaying the stretch over a tree that
 * already has part of it gives the same rows, because entries hold final values (D6). An entry out of order is a broken
 * invariant: the process dies rather than apply it.
 */
export class RunFold {
  readonly #rows = new Map<Space, Map<string, Folded>>();
  #lastSequence: Sequence;
  #versionBase: number;
  #logClockMs: number;
  #clearsUserRows = false;
  #bytes = 0;

  constructor(start: FoldStart) {
    this.#lastSequence = start.appliedSequence;
    this.#versionBase = start.versionBase;
    this.#logClockMs = start.logClockMs;
  }

  /** Last entry taken in, and what the shard's counters were after it. */
  get end(): FoldStart {
    return { appliedSequence: this.#lastSequence, versionBase: this.#versionBase, logClockMs: this.#logClockMs };
  }

  /** Bytes of keys and values taken in so far, with an overhead for each, those overwritten since included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether all user rows that the tree holds are to go before the changes are made. */
  get clearsUserRows(): boolean {
    return this.#clearsUserRows;
  }

  add(entry: Entry): void {
    const { sequence, body } = entry;
    assert(sequence === this.#lastSequence + 1, `entry ${sequence} is applied behind ${this.#lastSequence}`);
    this.#lastSequence = sequence;
    this.#logClockMs = Math.max(this.#logClockMs, entry.timestampMs);
    if (body.kind === "data") this.#addMutations(body.mutations, this.#versionBase + sequence);
    else if (body.kind === "epochStart") this.#versionBase = body.start.versionBase;
    else if (body.kind === "clear") this.#clear();
  }

  /** The changes in byte order of (space, key). */
  changes(): TreeChange[] {
    const changes: TreeChange[] = [];
    for (const [space, rows] of this.#rows) {
      for (const [key, { mutation, version }] of rows) changes.push(changeOf({ space, key, mutation, version }));
    }
    return changes.sort(compareRows);
  }

  #addMutations(mutations: readonly Mutation[], version: Version): void {
    for (const mutation of mutations) {
      this.#rowsOf(mutation.space).set(mutation.key, { mutation, version });
      this.#bytes += mutation.key.length + (mutation.value?.length ?? 0) + LIMITS.memtableEntryOverheadBytes;
    }
  }

  #rowsOf(space: Space): Map<string, Folded> {
    const known = this.#rows.get(space);
    if (known !== undefined) return known;
    const rows = new Map<string, Folded>();
    this.#rows.set(space, rows);
    return rows;
  }

  #clear(): void {
    this.#rows.delete(SPACE.user);
    this.#clearsUserRows = true;
  }
}

interface Folded {
  readonly mutation: Mutation;
  readonly version: Version;
}

function changeOf(folded: Folded & { readonly space: Space; readonly key: string }): TreeChange {
  const { space, key, version } = folded;
  const { value, expiryMs, contentType } = folded.mutation;
  return { space, key, record: value === null ? null : { value, version, expiryMs, contentType } };
}
