import { existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { open, type Database, type RangeOptions, type RootDatabase, type RootDatabaseOptions } from "lmdb";
import { assert } from "../base/assert.ts";
import { mutant } from "../base/mutants.ts";
import { NodeDisk } from "../base/node-disk.ts";
import { SPACE, type Space } from "../model/entry.ts";
import { KvError } from "../model/errors.ts";
import type { Record } from "../model/record.ts";
import { expiryBound, expiryKey, expiryOf, keyOfExpiry } from "./expiry-key.ts";
import { checkLmdbHeader, isAddressSpaceBounded } from "./lmdb-file-header.ts";
import { pageCounts } from "./page-counts.ts";
import { RowCache } from "./row-cache.ts";
import { rowsOfChunk, TreeChunkBuilder } from "./tree-chunk.ts";
import { diskFull, isDiskFull, requireRoom } from "./tree-room.ts";
import { assertChangesInOrder } from "./tree-order.ts";
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

const FORMAT_VERSION = "1";
const FORMAT_NAME = "format";
const POSITION_NAME = "position";
/** Before the names that the layers above give, so that they never meet the two above. */
const META_PREFIX = "meta/";

/**
 * Address space set aside for the map. It costs nothing until it is used; setting it aside at once keeps one thread from
 * moving the map while another reads. A larger tree makes the library map anew, and keep the old map for readers.
 */
const MAP_BYTES = 2 ** 38;
/** Where the system bounds the address space. The library dies when it cannot have what it asks for. */
const MAP_BYTES_BOUNDED = 2 ** 30;

type Rows = Database<Buffer, string>;

/** How a tree is opened. `path` names a file; LMDB puts a lock file beside it. */
export interface LmdbTreeOptions {
  readonly path: string;
  /** Only looks: the file must exist. */
  readonly readOnly?: boolean;
}

/**
 * The tree over LMDB, and the only place that knows the library.
 *
 * Owns one thread's handle on the file: any number of threads of one process may have one each, one of them writes. A row and
 * its entry in the expiry index change in one transaction, which is flushed when `apply` returns. Read transactions last one
 * turn of the loop at most (rule S7), and no cursor outlives the call that made it. A full disk is DISK_FULL with nothing
 * changed; any other failure of a write is thrown as the library says it, and is fatal to the shard.
 */
export class LmdbTree implements TreeWriter {
  readonly #path: string;
  readonly #root: RootDatabase<Buffer, string>;
  readonly #spaces: readonly [Rows, Rows, Rows];
  readonly #expiry: Rows;
  readonly #meta: Rows;
  readonly #cache = new RowCache();
  /** Whether the transaction under way has to look for index entries of rows that it replaces. */
  #mayHaveExpiries = true;

  constructor(options: LmdbTreeOptions) {
    const isNew = !existsSync(options.path);
    this.#path = options.path;
    this.#root = openRoot(options);
    this.#spaces = [this.#openRows("default"), this.#openRows("request_ids"), this.#openRows("shard_state")];
    this.#expiry = this.#openRows("expiry");
    this.#meta = this.#openRows("meta");
    try {
      this.#checkFormat();
    } catch (error) {
      this.close();
      throw error;
    }
    if (isNew) new NodeDisk().flushDirectory(dirname(options.path));
  }

  get(space: Space, key: string): Record | null {
    const kept = space === SPACE.user ? this.#cache.get(key) : undefined;
    if (kept !== undefined) return kept;
    const volatile = this.#spaces[space].getBinaryFast(key);
    if (volatile === undefined) return null;
    const record = decodeRecord(key, copyOf(volatile));
    if (space === SPACE.user) this.#cache.offer(key, record);
    return record;
  }

  range(range: TreeRange, visit: (row: TreeRow) => boolean): void {
    const { start, end } = range;
    // An empty key is no bound. Left out, the library would put in one of its own, which hides low keys.
    const options: RangeOptions = range.reverse
      ? { reverse: true, start: end, exclusiveStart: true, end: start, inclusiveEnd: true }
      : { start, end };
    walk(this.#spaces[range.space], options, (key, stored) => visit({ key, record: decodeRecord(key, stored) }));
  }

  position(): TreePosition {
    const stored = this.#meta.getBinaryFast(POSITION_NAME);
    if (stored === undefined) return { appliedSequence: 0, applyingThrough: 0 };
    return { appliedSequence: stored.readDoubleLE(0), applyingThrough: stored.readDoubleLE(8) };
  }

  copyRange(space: Space, afterKey: string, bytesMax: number): TreeChunk {
    const transaction = this.#beginCopy();
    const builder = new TreeChunkBuilder(bytesMax);
    let isCutOff = false;
    walk(this.#spaces[space], { ...behind(afterKey), ...transaction }, (key, stored) => {
      isCutOff = !builder.add(key, stored);
      return !isCutOff;
    });
    const mayHoldThrough = this.position().applyingThrough;
    return { space, bytes: builder.finish(), lastKey: isCutOff ? builder.lastKey : null, mayHoldThrough };
  }

  verifyRange(space: Space, afterKey: string, bytesMax: number): TreeVerification {
    this.resetReadTransaction();
    const corruptKeys: string[] = [];
    let bytes = 0;
    let rowCount = 0;
    let lastKey: string | null = null;
    walk(this.#spaces[space], behind(afterKey), (key, stored) => {
      if (!isIntact(key, stored)) corruptKeys.push(key);
      rowCount++;
      bytes += key.length + stored.length;
      if (bytes < bytesMax) return true;
      lastKey = key;
      return false;
    });
    return { rowCount, corruptKeys, lastKey };
  }

  dueKeys(nowMs: number, countMax: number): string[] {
    const keys: string[] = [];
    if (countMax <= 0) return keys;
    const due = this.#expiry.getKeys({ start: "", end: expiryBound(nowMs), limit: countMax });
    for (const key of due) keys.push(keyOfExpiry(key));
    return keys;
  }

  meta(name: string): string | null {
    return this.#metaText(META_PREFIX + name);
  }

  stats(): TreeStats {
    this.resetReadTransaction();
    const rows = [...this.#spaces, this.#expiry, this.#meta].map((database) => pageCounts(database.getStats()));
    const first = rows[0];
    assert(first !== undefined, "the tree has a database of user rows");
    // The databases' own pages, those of the two that LMDB keeps for itself, and its two header pages.
    const pages = rows.reduce((sum, row) => sum + row.own, first.root + first.free + 2);
    return {
      userKeyCount: first.entryCount,
      requestIdCount: rows[SPACE.requestIds]?.entryCount ?? 0,
      liveBytes: pages * first.pageSize,
      // Removed under a running node, which ends for that very soon and says why.
      fileBytes: statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0,
    };
  }

  /**
   * Compares the expiry index with the rows, and says what is wrong, at most `countMax` sentences' worth; for `kv check`.
   * Walks all user rows in one read transaction: not for a tree that is being written.
   */
  expiryFaults(countMax: number): string[] {
    const faults: string[] = [];
    const say = (fault: string): boolean => faults.push(fault) < countMax;
    let expiringRows = 0;
    let indexed = 0;
    walk(this.#spaces[SPACE.user], behind(""), (key, stored) => {
      const expiryMs = storedExpiryMs(stored);
      if (expiryMs === 0) return true;
      expiringRows++;
      if (this.#expiry.doesExist(expiryKey(expiryMs, key))) return true;
      return say(`A row that expires at ${expiryMs} is not in the expiry index`);
    });
    walk(this.#expiry, behind(""), (key) => {
      indexed++;
      const stored = this.#spaces[SPACE.user].getBinaryFast(keyOfExpiry(key));
      if (stored !== undefined && storedExpiryMs(stored) === expiryOf(key)) return true;
      return say(`The expiry index names a row that does not expire at ${expiryOf(key)}`);
    });
    if (faults.length === 0 && indexed !== expiringRows) say(`${expiringRows} rows expire, ${indexed} are indexed`);
    return faults;
  }

  resetReadTransaction(): void {
    this.#cache.clear();
    this.#root.resetReadTxn();
  }

  close(): void {
    // Nothing was written asynchronously, so the library closes at once; its promise has nothing to tell.
    void this.#root.close();
  }

  apply(transaction: TreeTransaction): void {
    const { changes, clearUserRows, position, meta } = transaction;
    assertChangesInOrder(changes);
    requireRoom(this.#path, { rowCount: changes.length, byteCount: sizeOfChanges(changes) }, () => this.stats());
    this.#write(() => {
      if (clearUserRows) this.#clearUserRows();
      this.#mayHaveExpiries = this.#hasExpiries();
      for (const change of changes) this.#applyChange(change);
      this.#putPosition(position);
      if (meta !== undefined) this.#putMeta(meta);
    });
  }

  importChunk(chunk: TreeChunk, afterKey: string, meta: ReadonlyMap<string, string>): void {
    const rows = rowsOfChunk(chunk, afterKey);
    const byteCount = rows.reduce((sum, { key, stored }) => sum + key.length + stored.length, 0);
    requireRoom(this.#path, { rowCount: rows.length, byteCount }, () => this.stats());
    this.#write(() => {
      this.#mayHaveExpiries = this.#hasExpiries();
      for (const key of this.#keysBetween(chunk.space, afterKey, chunk.lastKey)) this.#removeRow(chunk.space, key);
      for (const { key, stored } of rows) this.#putRow(chunk.space, key, stored);
      this.#putMeta(meta);
    });
  }

  wipe(): void {
    this.#write(() => {
      for (const database of [...this.#spaces, this.#expiry, this.#meta]) database.clearSync();
      this.#meta.putSync(FORMAT_NAME, Buffer.from(FORMAT_VERSION));
    });
  }

  /** One transaction, flushed when it returns; rolled back when `change` throws. */
  #write(change: () => void): void {
    this.#cache.clear();
    try {
      this.#root.transactionSync(change);
    } catch (error) {
      throw isDiskFull(error, this.#path) ? diskFull(error) : error;
    }
  }

  #applyChange({ space, key, record }: TreeChange): void {
    if (this.#mayHaveExpiries && space === SPACE.user) this.#removeExpiryOf(key);
    if (record === null) {
      this.#spaces[space].removeSync(key);
      return;
    }
    this.#spaces[space].putSync(key, encodeRecord(key, record));
    if (record.expiryMs !== 0 && space === SPACE.user) this.#putExpiry(key, record.expiryMs);
  }

  #putRow(space: Space, key: string, stored: Buffer): void {
    this.#spaces[space].putSync(key, stored);
    const expiryMs = storedExpiryMs(stored);
    if (expiryMs !== 0 && space === SPACE.user) this.#putExpiry(key, expiryMs);
  }

  #removeRow(space: Space, key: string): void {
    if (this.#mayHaveExpiries && space === SPACE.user) this.#removeExpiryOf(key);
    this.#spaces[space].removeSync(key);
  }

  #putExpiry(key: string, expiryMs: number): void {
    this.#expiry.putSync(expiryKey(expiryMs, key), Buffer.alloc(0));
    this.#mayHaveExpiries = true;
  }

  #removeExpiryOf(key: string): void {
    const old = this.#spaces[SPACE.user].getBinaryFast(key);
    const expiryMs = old === undefined ? 0 : storedExpiryMs(old);
    if (expiryMs !== 0) this.#expiry.removeSync(expiryKey(expiryMs, key));
  }

  #hasExpiries(): boolean {
    return [...this.#expiry.getKeys({ start: "", limit: 1 })].length > 0;
  }

  #clearUserRows(): void {
    this.#spaces[SPACE.user].clearSync();
    this.#expiry.clearSync();
  }

  #keysBetween(space: Space, afterKey: string, lastKey: string | null): string[] {
    return [...this.#spaces[space].getKeys({ ...behind(afterKey), end: lastKey ?? "", inclusiveEnd: true })];
  }

  #putPosition({ appliedSequence, applyingThrough }: TreePosition): void {
    const stored = Buffer.allocUnsafe(16);
    stored.writeDoubleLE(appliedSequence, 0);
    stored.writeDoubleLE(applyingThrough, 8);
    this.#meta.putSync(POSITION_NAME, stored);
  }

  #metaText(name: string): string | null {
    const volatile = this.#meta.getBinaryFast(name);
    return volatile === undefined ? null : copyOf(volatile).toString("utf8");
  }

  #putMeta(meta: ReadonlyMap<string, string>): void {
    for (const [name, value] of meta) this.#meta.putSync(META_PREFIX + name, Buffer.from(value, "utf8"));
  }

  /** A copy reads each chunk in a transaction of its own; held for the whole copy, it would keep every freed page (M59). */
  #beginCopy(): RangeOptions {
    if (mutant("M59")) return { transaction: this.#root.useReadTransaction() };
    this.resetReadTransaction();
    return {};
  }

  #checkFormat(): void {
    const stored = this.#metaText(FORMAT_NAME);
    if (stored === FORMAT_VERSION) return;
    if (stored === null && this.#isEmpty()) {
      this.#write(() => this.#meta.putSync(FORMAT_NAME, Buffer.from(FORMAT_VERSION)));
      return;
    }
    throw new KvError(
      "UNKNOWN_FORMAT",
      `${this.#path} has tree format ${stored ?? "none"}; this version understands format ${FORMAT_VERSION}`,
    );
  }

  #isEmpty(): boolean {
    return [...this.#spaces, this.#meta].every(
      (database) => [...database.getKeys({ start: "", limit: 1 })].length === 0,
    );
  }

  #openRows(name: string): Rows {
    const options: RootDatabaseOptions = { encoding: "binary", keyEncoder, cache: false };
    const rows: Rows | undefined = this.#root.openDB<Buffer, string>(name, options);
    if (rows !== undefined) return rows;
    throw new KvError("DATA_CORRUPT", `${this.#path} lacks the database "${name}"`);
  }
}

/** Keys are binary strings here and their bytes in the file. */
const keyEncoder = {
  writeKey: (key: string, target: Buffer, start: number): number => {
    target.write(key, start, "latin1");
    return start + key.length;
  },
  readKey: (source: Buffer, start: number, end: number): string => source.toString("latin1", start, end),
};

function openRoot({ path, readOnly = false }: LmdbTreeOptions): RootDatabase<Buffer, string> {
  if (existsSync(path)) checkLmdbHeader(path, readOnly);
  else if (readOnly) throw new KvError("DATA_CORRUPT", `There is no tree at ${path}`);
  try {
    return open<Buffer, string>({
      path,
      readOnly,
      noSubdir: true,
      cache: false,
      encoding: "binary",
      // With the default, what a transaction wrote could be read before it is flushed.
      overlappingSync: false,
      mapSize: isAddressSpaceBounded() ? MAP_BYTES_BOUNDED : MAP_BYTES,
      maxDbs: 8,
    });
  } catch (error) {
    throw new KvError(
      "DATA_CORRUPT",
      `${path} cannot be opened as a tree: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

/** Calls `visit` with each row; it returns false to stop. The cursor is closed whatever happens. */
function walk(rows: Rows, options: RangeOptions, visit: (key: string, stored: Buffer) => boolean): void {
  for (const { key, value } of rows.getRange(options)) if (!visit(key, value)) break;
}

function behind(afterKey: string): RangeOptions {
  return { start: afterKey, exclusiveStart: true };
}

/** What the library lends is overwritten by the next read, and longer than its `length` says. */
function copyOf(volatile: Buffer): Buffer {
  return Buffer.from(volatile.subarray(0, volatile.length));
}

function sizeOfChanges(changes: readonly TreeChange[]): number {
  return changes.reduce((sum, { key, record }) => sum + key.length + (record?.value.length ?? 0), 0);
}
