import { mutant } from "../base/mutants.ts";
import { SPACE, type Space } from "../model/entry.ts";
import { keyOfBinary, type Key } from "../model/key.ts";
import type { ScanItem, ScanOperation } from "../model/operation.ts";
import type { Sequence } from "../model/position.ts";
import { LIMITS } from "../model/limits.ts";
import { isExpired, type Record } from "../model/record.ts";
import type { TreeReader, TreeRow } from "../tree/tree.ts";
import type { Memtable, MemtableAnswer } from "./memtable.ts";

/** What a row is, and the last entry that this knowledge depends on (0: only on what the tree holds). */
export interface Seen {
  readonly record: Record | null;
  readonly sequence: Sequence;
}

/** One page of live rows, keys met that have expired, and the newest entry that the page depends on. */
export interface SeenPage {
  readonly items: readonly ScanItem[];
  /** The last key examined when more may follow; null at the end of the range. */
  readonly resume: Key | null;
  readonly expired: readonly Key[];
  readonly sequence: Sequence;
}

const NOTHING: Seen = { record: null, sequence: 0 };

/**
 * The shard's rows as one ordered map: the memtable over the tree.
 *
 * Every look is one synchronous step and therefore a snapshot (rule R5). `limit` says how much of the log counts:
 * the leader's operations see everything appended, replicas and `eventual` reads what is committed and flushed here.
 */
export class ShardView {
  readonly #memtable: Memtable;
  readonly #tree: TreeReader;

  constructor(memtable: Memtable, tree: TreeReader) {
    this.#memtable = memtable;
    this.#tree = tree;
  }

  /** The row as of `limit`. Throws KvError CORRUPT when the stored record is damaged. */
  get(space: Space, key: string, limit: Sequence): Seen {
    const answer = this.#memtable.newestUpTo(space, key, limit);
    if (answer !== null) return seenOf(answer);
    const record = this.#tree.get(space, key);
    return record === null ? NOTHING : { record, sequence: 0 };
  }

  /** Rows of one page in byte order. Expired rows (at `nowMs`) are left out and named. */
  page(scan: ScanOperation, limit: Sequence, nowMs: number): SeenPage {
    const page = new PageBuilder(scan, nowMs);
    const range = { space: SPACE.user, start: scan.start, end: scan.end, reverse: scan.reverse };
    const floor = this.#memtable.floorUpTo(limit);
    page.depend(floor);
    const keys = this.#memtable.keys(SPACE.user, scan)[Symbol.iterator]();
    let next = keys.next();
    const before = scan.reverse ? (a: string, b: string) => a > b : (a: string, b: string) => a < b;
    const takeFromMemtable = (key: string): boolean => {
      next = keys.next();
      return page.add(key, this.get(SPACE.user, key, limit));
    };
    const visit = (row: TreeRow): boolean => {
      while (next.done !== true && before(next.value, row.key)) if (!takeFromMemtable(next.value)) return false;
      if (next.done !== true && next.value === row.key && !mutant("M52")) return takeFromMemtable(row.key);
      return page.add(row.key, { record: row.record, sequence: 0 });
    };
    // A `clear` that the tree has not passed hides all of it.
    if (floor === 0) this.#tree.range(range, visit);
    while (next.done !== true && !page.isFull) takeFromMemtable(next.value);
    return page.finish();
  }
}

/** Gathers one page up to its row and byte limits. */
class PageBuilder {
  readonly #scan: ScanOperation;
  readonly #nowMs: number;
  readonly #items: ScanItem[] = [];
  readonly #expired: Key[] = [];
  #sequence: Sequence = 0;
  #bytes = 0;
  #examined = 0;
  #last: Key | null = null;
  isFull = false;

  constructor(scan: ScanOperation, nowMs: number) {
    this.#scan = scan;
    this.#nowMs = nowMs;
  }

  depend(sequence: Sequence): void {
    if (sequence > this.#sequence) this.#sequence = sequence;
  }

  /** Takes one row; false when the page is full and the row was not taken. */
  add(key: string, seen: Seen): boolean {
    if (this.isFull) return false;
    if (this.#examined >= LIMITS.scanExaminedMax) {
      // Rows that are gone cost as much as rows that are there: a step must end somewhere.
      this.isFull = true;
      return false;
    }
    const { record } = seen;
    if (record === null || isExpired(record, this.#nowMs)) {
      this.#examine(key, seen);
      if (record !== null) this.#expired.push(keyOfBinary(key));
      return true;
    }
    const bytes = key.length + (this.#scan.keysOnly ? 0 : record.value.length);
    const isFirst = this.#items.length === 0;
    if (this.#items.length >= this.#scan.rowsMax || (!isFirst && this.#bytes + bytes > this.#scan.bytesMax)) {
      this.isFull = true;
      return false;
    }
    this.#examine(key, seen);
    this.#bytes += bytes;
    const { version, expiryMs, contentType } = record;
    this.#items.push({
      key: keyOfBinary(key),
      value: this.#scan.keysOnly ? null : record.value,
      version,
      expiryMs,
      contentType,
    });
    return true;
  }

  finish(): SeenPage {
    return {
      items: this.#items,
      resume: this.isFull ? this.#last : null,
      expired: this.#expired,
      sequence: this.#sequence,
    };
  }

  #examine(key: string, seen: Seen): void {
    this.depend(seen.sequence);
    this.#examined++;
    this.#last = keyOfBinary(key);
  }
}

/** A delete is depended upon like a value (rule R7, M46). */
function seenOf(answer: MemtableAnswer): Seen {
  if (answer.kind === "cleared" || answer.version.value === null) {
    return { record: null, sequence: mutant("M46") ? 0 : answer.sequence };
  }
  const { value, version, expiryMs, contentType } = answer.version;
  return { record: { value, version, expiryMs, contentType }, sequence: answer.sequence };
}
