import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { fuzzRuns } from "../../tests/support/byte-mutations.ts";
import { proveCaught } from "../../tests/support/prove-caught.ts";
import { SPACE, type Mutation } from "../model/entry.ts";
import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import type { ScanItem, ScanOperation } from "../model/operation.ts";
import type { Sequence } from "../model/position.ts";
import { MemoryTree, MemoryTreeFile } from "../tree/memory-tree.ts";
import { Memtable } from "./memtable.ts";
import { ShardView, type SeenPage } from "./shard-view.ts";

const EVERYTHING = Number.MAX_SAFE_INTEGER;
const SCAN: ScanOperation = {
  kind: "scan",
  start: "",
  end: "",
  reverse: false,
  keysOnly: false,
  rowsMax: 1000,
  bytesMax: 1_000_000,
};

describe("a shard's view", () => {
  test("shows the memtable over the tree, and the tree below it", () => {
    const rows = new Rows();
    rows.write({ a: "1", b: "1", c: "1" });
    rows.apply(1);
    rows.write({ b: "2", c: null, d: "2" });
    assert.deepEqual(rows.texts(), { a: "1", b: "2", d: "2" });
    assert.deepEqual(rows.texts({ reverse: true }), { d: "2", b: "2", a: "1" });
    assert.deepEqual(rows.texts({}, 1), { a: "1", b: "1", c: "1" });
  });

  test("of the tree alone depends on no entry; of an entry, on exactly that one", () => {
    const rows = new Rows();
    rows.write({ a: "1" });
    rows.apply(1);
    rows.write({ b: "2" });
    assert.equal(rows.view.get(SPACE.user, "a", EVERYTHING).sequence, 0);
    assert.equal(rows.view.get(SPACE.user, "b", EVERYTHING).sequence, 2);
    assert.deepEqual(rows.view.get(SPACE.user, "zzz", EVERYTHING), { record: null, sequence: 0 });
    assert.equal(rows.page({ end: "b" }).sequence, 0);
    assert.equal(rows.page({}).sequence, 2);
  });

  test("depends on a delete as on a value: a row that is missing for a while is not answered before (R7)", () => {
    const check = (): void => {
      const rows = new Rows();
      rows.write({ a: "1" });
      rows.apply(1);
      rows.write({ a: null });
      assert.deepEqual(rows.view.get(SPACE.user, "a", EVERYTHING), { record: null, sequence: 2 });
      assert.equal(rows.page({}).sequence, 2);
    };
    proveCaught("M46", check);
  });

  test("depends on a clear for every row, until the tree has it", () => {
    const check = (): void => {
      const rows = new Rows();
      rows.write({ a: "1" });
      rows.apply(1);
      rows.clear();
      assert.deepEqual(rows.view.get(SPACE.user, "a", EVERYTHING), { record: null, sequence: 2 });
      assert.deepEqual(rows.view.get(SPACE.user, "never", EVERYTHING), { record: null, sequence: 2 });
      assert.equal(rows.page({}).sequence, 2);
      assert.deepEqual(rows.texts(), {});
      assert.deepEqual(rows.texts({}, 1), { a: "1" });
      rows.apply(2);
      assert.deepEqual(rows.view.get(SPACE.user, "a", EVERYTHING), { record: null, sequence: 0 });
    };
    proveCaught("M46", check);
  });

  test("does not depend on a row that did not fit on the page", () => {
    const rows = new Rows();
    rows.write({ a: "1" });
    rows.apply(1);
    rows.write({ b: "2" });
    const page = rows.page({ rowsMax: 1 });
    assert.equal(page.sequence, 0);
    assert.equal(page.resume, "a");
  });

  test("a page always has a row if there is one, however large, and says where to go on", () => {
    const rows = new Rows();
    rows.write({ a: "x".repeat(500), b: "1" });
    assert.deepEqual(keysOf(rows.page({ bytesMax: 10 })), { keys: ["a"], resume: "a" });
    assert.deepEqual(keysOf(rows.page({ bytesMax: 10, start: "a\0" })), { keys: ["b"], resume: null });
    assert.deepEqual(keysOf(rows.page({ bytesMax: 502 })), { keys: ["a"], resume: "a" });
    assert.deepEqual(keysOf(rows.page({ bytesMax: 503 })), { keys: ["a", "b"], resume: null });
    assert.deepEqual(keysOf(rows.page({ bytesMax: 2, keysOnly: true })), { keys: ["a", "b"], resume: null });
    assert.deepEqual(keysOf(rows.page({ rowsMax: 2 })), { keys: ["a", "b"], resume: null });
  });

  test("a page ends after so many rows that are gone, and the next one goes on behind them", () => {
    const rows = new Rows();
    const gone = Array.from({ length: LIMITS.scanExaminedMax + 50 }, (_, i) => `gone${String(i).padStart(6, "0")}`);
    rows.memtable.put(
      1,
      101,
      gone.map((key, i) => mutationOf(key, i % 2 === 0 ? null : "late", i % 2 === 0 ? 0 : 100)),
    );
    rows.memtable.put(2, 102, [mutationOf("live", "1", 0)]);
    const first = rows.page({}, EVERYTHING, 100);
    assert.equal(first.items.length, 0);
    assert.equal(first.expired.length, LIMITS.scanExaminedMax / 2);
    assert.equal(first.resume, gone[LIMITS.scanExaminedMax - 1]);
    const second = rows.page({ start: `${first.resume}\0` }, EVERYTHING, 100);
    assert.deepEqual(keysOf(second), { keys: ["live"], resume: null });
    assert.equal(second.expired.length, 25);
  });

  test("leaves values out when only keys are asked for", () => {
    const rows = new Rows();
    rows.write({ a: "1" });
    const [item] = rows.page({ keysOnly: true }).items;
    assert.deepEqual({ ...item }, { key: "a", value: null, version: 101, expiryMs: 0, contentType: "text/plain" });
  });

  test("never serves a damaged record, and says which error it is", () => {
    const rows = new Rows();
    rows.write({ a: "1", b: "1" });
    rows.apply(1);
    rows.file.damage(SPACE.user, "b");
    rows.tree.resetReadTransaction();
    const isCorrupt = (error: unknown): boolean => error instanceof KvError && error.code === "CORRUPT";
    assert.throws(() => rows.view.get(SPACE.user, "b", EVERYTHING), isCorrupt);
    assert.throws(() => rows.page({}), isCorrupt);
    assert.equal(rows.view.get(SPACE.user, "a", EVERYTHING).record?.value.toString(), "1");
  });

  test("agrees with plain maps at any limit, range and page size, with clears and expiry", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 3, maxLength: 30 }), query, (steps, asked) => {
        const rows = new Rows();
        for (const one of steps) rows.take(one);
        for (const limit of [rows.settled, Math.ceil((rows.settled + rows.last) / 2), EVERYTHING]) {
          rows.compareGets(limit);
          for (const reverse of [false, true]) {
            rows.comparePage({ ...SCAN, ...asked.scan, reverse }, limit, asked.nowMs);
          }
        }
      }),
      { numRuns: fuzzRuns(400) },
    );
  });

  test("page after page visits every live row exactly once, in order", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 3, maxLength: 30 }), query, (steps, { scan, nowMs }) => {
        const rows = new Rows();
        for (const one of steps) rows.take(one);
        for (const reverse of [false, true]) {
          const whole = rows.view.page({ ...SCAN, ...scan, reverse, rowsMax: 1000, bytesMax: 1e9 }, EVERYTHING, nowMs);
          assert.equal(whole.resume, null);
          let { start, end } = scan;
          const items: ScanItem[] = [];
          for (let isMore = true; isMore;) {
            const page = rows.view.page({ ...SCAN, ...scan, reverse, start, end }, EVERYTHING, nowMs);
            items.push(...page.items);
            isMore = page.resume !== null;
            const isWithin = (key: string): boolean => key >= start && (end === "" || key < end);
            assert.ok(page.resume === null || isWithin(page.resume), "a page with more behind it moves on");
            if (reverse) end = page.resume ?? end;
            else start = `${page.resume}\0`;
          }
          assert.deepEqual(items, whole.items);
        }
      }),
      { numRuns: 200 },
    );
  });
});

const KEYS = ["a", "aa", "b", "b\0", "c", "d", "\xff"];
const PART = fc.constantFrom(0, 0.3, 0.6, 1);
const BOUNDS = fc.constantFrom<string>("", "", "a", "aa", "b", "b\0", "c", "zz");
const row = fc.record({
  key: fc.constantFrom(...KEYS),
  size: fc.constantFrom(null, null, 0, 1, 30),
  expiryMs: fc.constantFrom(0, 0, 0, 100, 200),
});
type Step =
  | {
      readonly kind: "write";
      readonly rows: readonly { readonly key: string; readonly size: number | null; readonly expiryMs: number }[];
    }
  | { readonly kind: "clear" }
  | { readonly kind: "seal" }
  | { readonly kind: "settle"; readonly part: number }
  | { readonly kind: "apply"; readonly part: number };
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.array(row, { minLength: 1, maxLength: 4 }).map((rows) => ({ kind: "write" as const, rows })),
  },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ kind: "clear" }, { kind: "seal" }) },
  { weight: 2, arbitrary: PART.map((part) => ({ kind: "settle" as const, part })) },
  { weight: 2, arbitrary: PART.map((part) => ({ kind: "apply" as const, part })) },
);
const query = fc.record({
  nowMs: fc.constantFrom(50, 100, 150, 500),
  scan: fc.record({
    start: BOUNDS,
    end: BOUNDS,
    keysOnly: fc.boolean(),
    rowsMax: fc.constantFrom(1, 2, 3, 100),
    bytesMax: fc.constantFrom(1, 5, 33, 100, 10_000),
  }),
});

interface ModelRow {
  readonly text: string | null;
  readonly expiryMs: number;
  /** The entry that wrote it, or that cleared it. */
  readonly sequence: Sequence;
}

/** Memtable and tree under a view, and beside them every entry ever written. */
class Rows {
  readonly file = new MemoryTreeFile();
  readonly tree = new MemoryTree(this.file);
  readonly memtable = new Memtable();
  readonly view = new ShardView(this.memtable, this.tree);
  readonly #entries: (readonly Mutation[])[] = [];
  readonly #clears = new Set<Sequence>();
  settled = 0;
  applied = 0;

  get last(): Sequence {
    return this.#entries.length;
  }

  write(texts: Readonly<Record<string, string | null>>): void {
    this.#enter(Object.entries(texts).map(([key, text]) => mutationOf(key, text, 0)));
  }

  clear(): void {
    this.#entries.push([]);
    this.#clears.add(this.last);
    this.memtable.clear(this.last);
  }

  /** Settles and applies up to `sequence`, as the applier does. */
  apply(sequence: Sequence): void {
    this.settled = Math.max(this.settled, sequence);
    this.memtable.settle(this.settled);
    this.applied = sequence;
    this.memtable.seal();
    const changes = KEYS.flatMap((key) => {
      const { text, expiryMs, sequence: written } = this.#truth(key, sequence);
      if (text === null) return [];
      const record = { value: Buffer.from(text), version: 100 + written, expiryMs, contentType: "text/plain" };
      return [{ space: SPACE.user, key, record }];
    });
    changes.sort((a, b) => (a.key < b.key ? -1 : 1));
    const position = { appliedSequence: sequence, applyingThrough: sequence };
    this.tree.apply({ changes, clearUserRows: true, position });
    this.memtable.dropThrough(sequence);
  }

  take(one: Step): void {
    if (one.kind === "write") {
      this.#enter(
        one.rows.map(({ key, size, expiryMs }, i) =>
          mutationOf(key, size === null ? null : `${this.last}.${i}${"x".repeat(size)}`, size === null ? 0 : expiryMs),
        ),
      );
    } else if (one.kind === "clear") this.clear();
    else if (one.kind === "seal") this.memtable.seal();
    else if (one.kind === "apply") this.apply(this.applied + Math.round(one.part * (this.settled - this.applied)));
    else {
      this.settled += Math.round(one.part * (this.last - this.settled));
      this.memtable.settle(this.settled);
    }
  }

  page(scan: Partial<ScanOperation>, limit: Sequence = EVERYTHING, nowMs = 0): SeenPage {
    return this.view.page({ ...SCAN, ...scan }, limit, nowMs);
  }

  texts(scan: Partial<ScanOperation> = {}, limit: Sequence = EVERYTHING): Record<string, string> {
    return Object.fromEntries(this.page(scan, limit).items.map(({ key, value }) => [key, value?.toString() ?? ""]));
  }

  compareGets(limit: Sequence): void {
    for (const key of KEYS) {
      const { record, sequence } = this.view.get(SPACE.user, key, limit);
      const truth = this.#truth(key, limit);
      assert.equal(record?.value.toString() ?? null, truth.text);
      if (record !== null) {
        assert.deepEqual([record.version, record.expiryMs], [100 + truth.sequence, truth.expiryMs]);
      }
      assert.equal(this.#unsettled(sequence), this.#unsettled(truth.sequence));
    }
  }

  /** The page that plain reading says it must be. */
  comparePage(scan: ScanOperation, limit: Sequence, nowMs: number): void {
    const page = this.view.page(scan, limit, nowMs);
    const keys = KEYS.filter((key) => key >= scan.start && (scan.end === "" || key < scan.end)).sort();
    if (scan.reverse) keys.reverse();
    const items: string[] = [];
    const expired: string[] = [];
    let bytes = 0;
    let stop: string | null = null;
    let depends = Math.max(0, ...[...this.#clears].filter((sequence) => sequence <= limit));
    for (const key of keys) {
      const { text, expiryMs, sequence } = this.#truth(key, limit);
      const isGone = text === null || (expiryMs !== 0 && expiryMs <= nowMs);
      const size = key.length + (scan.keysOnly ? 0 : (text?.length ?? 0));
      if (!isGone && (items.length === scan.rowsMax || (items.length > 0 && bytes + size > scan.bytesMax))) {
        stop = key;
        break;
      }
      depends = Math.max(depends, sequence);
      if (text !== null && isGone) expired.push(key);
      if (isGone) continue;
      items.push(`${key}=${scan.keysOnly ? "" : text} @${100 + sequence}`);
      bytes += size;
    }
    assert.deepEqual(
      page.items.map(({ key, value, version }) => `${key}=${value?.toString() ?? ""} @${version}`),
      items,
    );
    assert.deepEqual(page.expired, expired);
    // The next page begins behind everything that this one has looked at, and before the row that did not fit.
    const isBefore = (a: string, b: string): boolean => (scan.reverse ? a > b : a < b);
    assert.equal(page.resume !== null, stop !== null);
    if (page.resume !== null && stop !== null) {
      assert.ok(isBefore(page.resume, stop));
      const { resume } = page;
      assert.ok([...page.items.map(({ key }) => key), ...page.expired].every((key) => !isBefore(resume, key)));
    }
    assert.equal(this.#unsettled(page.sequence), this.#unsettled(depends));
  }

  #enter(mutations: readonly Mutation[]): void {
    this.#entries.push(mutations);
    this.memtable.put(this.last, 100 + this.last, mutations);
  }

  #truth(key: string, limit: Sequence): ModelRow {
    let found: ModelRow = { text: null, expiryMs: 0, sequence: 0 };
    for (const [index, mutations] of this.#entries.entries()) {
      const sequence = index + 1;
      if (sequence > limit) break;
      if (this.#clears.has(sequence)) found = { text: null, expiryMs: 0, sequence };
      for (const { key: written, value, expiryMs } of mutations) {
        if (written === key) found = { text: value?.toString() ?? null, expiryMs, sequence };
      }
    }
    return found;
  }

  /** What is settled need not be told apart: nobody waits for it. */
  #unsettled(sequence: Sequence): Sequence {
    return sequence > this.settled ? sequence : 0;
  }
}

function mutationOf(key: string, text: string | null, expiryMs: number): Mutation {
  const value = text === null ? null : Buffer.from(text);
  return { space: SPACE.user, key, value, expiryMs, contentType: text === null ? "" : "text/plain" };
}

function keysOf(page: SeenPage): { readonly keys: readonly string[]; readonly resume: string | null } {
  return { keys: page.items.map(({ key }) => key), resume: page.resume };
}
