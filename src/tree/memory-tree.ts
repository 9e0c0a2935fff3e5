import { assert } from "../base/assert.ts";
import { SPACE, type Space } from "../model/entry.ts";
import { KvError } from "../model/errors.ts";
import type { Record } from "../model/record.ts";
import { assertChangesInOrder } from "./tree-order.ts";
import { rowsOfChunk, TreeChunkBuilder, type StoredRow } from "./tree-chunk.ts";
import type {
  TreeChange,
  TreeChunk,
  TreePosition,
  TreeRange,
  TreeRow,
  TreeStats,
  TreeTransaction,
  TreeVerification,
  TreeWriter,
} from "./tree.ts";
import { decodeRecord, encodeRecord, isIntact, storedExpiryMs } from "./value-record.ts";

/** One committed state; never changed, so that a reader may hold on to it. */
interface Snapshot {
  /** Rows by space, each in byte order. */
  readonly rows: ReadonlyMap<Space, readonly StoredRow[]>;
  readonly position: TreePosition;
  readonly meta: ReadonlyMap<string, string>;
}

const EMPTY: Snapshot = { rows: new Map(), position: { appliedSequence: 0, applyingThrough: 0 }, meta: new Map() };

/**
 * What would lie on the disk: outlives the handles, and therefore a simulated crash. Each transaction takes its place as a
 * whole.
 */
export class MemoryTreeFile {
  snapshot: Snapshot = EMPTY;
  /** While set, every write is refused with DISK_FULL. */
  isFull = false;

  /** Damages one stored record, as a failing disk would: flips a bit of its last byte. */
  damage(space: Space, key: string): void {
    const rows = rowsIn(this.snapshot, space);
    const at = indexOf(rows, key);
    const row = rows[at];
    assert(row !== undefined && row.key === key, "only a row that exists can be damaged");
    const stored = Buffer.from(row.stored);
    stored[stored.length - 1] = (stored[stored.length - 1] ?? 0) ^ 1;
    this.snapshot = withRows(this.snapshot, space, rows.toSpliced(at, 1, { key, stored }));
  }
}

/**
 * The tree's twin in memory, for simulation and unit tests: one handle on a `MemoryTreeFile`.
 *
 * Stricter than the real one: a handle that has read keeps seeing that state until `resetReadTransaction`, as a real reader
 * does within one turn of the loop, so that a reset that was forgotten shows. Fails like the real one: with DISK_FULL and
 * CORRUPT.
 */
export class MemoryTree implements TreeWriter {
  readonly #file: MemoryTreeFile;
  #seen: Snapshot | null = null;

  constructor(file: MemoryTreeFile) {
    this.#file = file;
  }

  get(space: Space, key: string): Record | null {
    const rows = rowsIn(this.#view(), space);
    const row = rows[indexOf(rows, key)];
    return row === undefined || row.key !== key ? null : decodeRecord(key, Buffer.from(row.stored));
  }

  range(range: TreeRange, visit: (row: TreeRow) => boolean): void {
    const rows = rowsIn(this.#view(), range.space);
    const from = indexOf(rows, range.start);
    const to = range.end === "" ? rows.length : indexOf(rows, range.end);
    const slice = rows.slice(from, Math.max(from, to));
    if (range.reverse) slice.reverse();
    for (const { key, stored } of slice) {
      if (!visit({ key, record: decodeRecord(key, Buffer.from(stored)) })) return;
    }
  }

  position(): TreePosition {
    return this.#view().position;
  }

  copyRange(space: Space, afterKey: string, bytesMax: number): TreeChunk {
    this.resetReadTransaction();
    const builder = new TreeChunkBuilder(bytesMax);
    const isCutOff = rowsBehind(this.#view(), space, afterKey).some(({ key, stored }) => !builder.add(key, stored));
    return {
      space,
      bytes: builder.finish(),
      lastKey: isCutOff ? builder.lastKey : null,
      mayHoldThrough: this.position().applyingThrough,
    };
  }

  verifyRange(space: Space, afterKey: string, bytesMax: number): TreeVerification {
    this.resetReadTransaction();
    const corruptKeys: string[] = [];
    let bytes = 0;
    let rowCount = 0;
    for (const { key, stored } of rowsBehind(this.#view(), space, afterKey)) {
      if (!isIntact(key, stored)) corruptKeys.push(key);
      rowCount++;
      bytes += key.length + stored.length;
      if (bytes >= bytesMax) return { rowCount, corruptKeys, lastKey: key };
    }
    return { rowCount, corruptKeys, lastKey: null };
  }

  dueKeys(nowMs: number, countMax: number): string[] {
    return rowsIn(this.#view(), SPACE.user)
      .map(({ key, stored }) => ({ key, expiryMs: storedExpiryMs(stored) }))
      .filter(({ expiryMs }) => expiryMs !== 0 && expiryMs <= nowMs)
      .sort((a, b) => a.expiryMs - b.expiryMs)
      .slice(0, countMax)
      .map(({ key }) => key);
  }

  meta(name: string): string | null {
    return this.#view().meta.get(name) ?? null;
  }

  stats(): TreeStats {
    const view = this.#view();
    let bytes = 0;
    for (const rows of view.rows.values()) for (const { key, stored } of rows) bytes += key.length + stored.length;
    const countOf = (space: Space): number => rowsIn(view, space).length;
    const counts = { userKeyCount: countOf(SPACE.user), requestIdCount: countOf(SPACE.requestIds) };
    return { ...counts, liveBytes: bytes, fileBytes: bytes };
  }

  resetReadTransaction(): void {
    this.#seen = null;
  }

  close(): void {
    this.#seen = null;
  }

  apply(transaction: TreeTransaction): void {
    this.#checkRoom();
    const { changes, clearUserRows, position, meta } = transaction;
    assertChangesInOrder(changes);
    let next: Snapshot = this.#file.snapshot;
    if (clearUserRows) next = withRows(next, SPACE.user, []);
    for (const space of Object.values(SPACE)) {
      const own = changes.filter((change) => change.space === space);
      if (own.length > 0) next = withRows(next, space, mergeRows(rowsIn(next, space), own));
    }
    this.#commit({ ...next, position, meta: new Map([...next.meta, ...(meta ?? [])]) });
  }

  importChunk(chunk: TreeChunk, afterKey: string, meta: ReadonlyMap<string, string>): void {
    this.#checkRoom();
    const { snapshot } = this.#file;
    const rows = rowsIn(snapshot, chunk.space);
    const before = rows.filter(({ key }) => key <= afterKey);
    const behind = chunk.lastKey === null ? [] : rowsBehind(snapshot, chunk.space, chunk.lastKey);
    const imported = rowsOfChunk(chunk, afterKey).map(({ key, stored }) => ({ key, stored: Buffer.from(stored) }));
    const next = withRows(snapshot, chunk.space, [...before, ...imported, ...behind]);
    this.#commit({ ...next, meta: new Map([...next.meta, ...meta]) });
  }

  wipe(): void {
    this.#checkRoom();
    this.#commit(EMPTY);
  }

  #view(): Snapshot {
    this.#seen ??= this.#file.snapshot;
    return this.#seen;
  }

  #commit(snapshot: Snapshot): void {
    this.#file.snapshot = snapshot;
    this.#seen = null;
  }

  #checkRoom(): void {
    if (this.#file.isFull) throw new KvError("DISK_FULL", "The tree has no room to grow");
  }
}

function rowsIn(snapshot: Snapshot, space: Space): readonly StoredRow[] {
  return snapshot.rows.get(space) ?? [];
}

function rowsBehind(snapshot: Snapshot, space: Space, afterKey: string): readonly StoredRow[] {
  const rows = rowsIn(snapshot, space);
  const at = indexOf(rows, afterKey);
  return rows.slice(rows[at]?.key === afterKey ? at + 1 : at);
}

function withRows(snapshot: Snapshot, space: Space, rows: readonly StoredRow[]): Snapshot {
  return { ...snapshot, rows: new Map([...snapshot.rows, [space, rows]]) };
}

/** Index of the first row whose key is at or behind `key`. */
function indexOf(rows: readonly StoredRow[], key: string): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rows[middle]?.key ?? "") < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Both in byte order; a change takes the place of the row with its key. */
function mergeRows(rows: readonly StoredRow[], changes: readonly TreeChange[]): StoredRow[] {
  const merged: StoredRow[] = [];
  let at = 0;
  for (const { key, record } of changes) {
    for (let row = rows[at]; row !== undefined && row.key < key; row = rows[at]) {
      merged.push(row);
      at++;
    }
    if (rows[at]?.key === key) at++;
    if (record !== null) merged.push({ key, stored: encodeRecord(key, record) });
  }
  for (; at < rows.length; at++) {
    const row = rows[at];
    if (row !== undefined) merged.push(row);
  }
  return merged;
}
