import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { keyOfBinary, type Key } from "../model/key.ts";
import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import { DEFAULT_OPTIONS, type Reply } from "../model/operation.ts";
import type { Shard } from "../model/topology.ts";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import { MemoryCluster } from "../../tests/support/memory-cluster.ts";
import { MemoryShard } from "../../tests/support/memory-member.ts";
import { ClusterScanner, type FetchPage } from "./cluster-scan.ts";
import type { ClusterPage, ClusterScan } from "./gateway.ts";

const WHOLE: ClusterScan = {
  start: "",
  end: "",
  reverse: false,
  keysOnly: false,
  rowsMax: 1000,
  options: DEFAULT_OPTIONS,
};

/** Shards with rows of their own, asked at once or with a delay of their own. */
class Shards {
  readonly timers = new ManualTimers();
  readonly shards: readonly Shard[];
  readonly #stores: readonly MemoryShard[];
  readonly #delaysMs: readonly number[];
  fetchCount = 0;
  rowsFetched = 0;

  constructor(keysOfShard: readonly (readonly string[])[], delaysMs: readonly number[] = [], valueBytes = 3) {
    this.shards = keysOfShard.map((_, index) => ({ name: `shard${index}`, index, members: [] }));
    this.#delaysMs = delaysMs;
    this.#stores = keysOfShard.map((keys, index) => {
      const store = new MemoryShard(`shard${index}`);
      for (const key of keys) {
        store.rows.set(keyOfBinary(key), { value: Buffer.alloc(valueBytes), version: 1, expiryMs: 0, contentType: "" });
      }
      return store;
    });
  }

  readonly fetch: FetchPage = (shard, operation, done) => {
    this.fetchCount++;
    assert.ok(operation.rowsMax >= 1 && operation.rowsMax <= LIMITS.scanRowsMax);
    assert.ok(operation.bytesMax >= 1 && operation.bytesMax <= LIMITS.scanPageBytesMax);
    const result = this.#stores[shard.index]?.execute(operation);
    assert.ok(result?.kind === "page");
    this.rowsFetched += result.items.length;
    const answerer = { shard: shard.name, node: "n", role: "leader" as const, lagMs: 0 };
    const reply: Reply = { ok: true, result, answerer, position: { epoch: 1, lineage: 0, sequence: 1 } };
    const delayMs = this.#delaysMs[shard.index] ?? 0;
    if (delayMs === 0) done(reply);
    else this.timers.after(delayMs, () => done(reply));
  };

  page(scan: ClusterScan): ClusterPage {
    const pages: (ClusterPage | KvError)[] = [];
    new ClusterScanner(scan, this.shards, { fetch: this.fetch, done: (page) => pages.push(page) }).run();
    this.timers.advance(10_000);
    const [page] = pages;
    assert.equal(pages.length, 1);
    assert.ok(page !== undefined && !(page instanceof KvError));
    return page;
  }

  /** All pages, each resumed behind the last. */
  allKeys(scan: ClusterScan): string[] {
    const keys: string[] = [];
    for (let { start, end } = scan; ;) {
      const page = this.page({ ...scan, start, end });
      assert.ok(page.items.length <= scan.rowsMax);
      keys.push(...page.items.map(({ key }) => key));
      if (page.resumeKey === null) return keys;
      assert.equal(page.resumeKey, page.items.at(-1)?.key);
      if (scan.reverse) end = page.resumeKey;
      else start = `${page.resumeKey}\0`;
    }
  }
}

const keyText = fc.string({ unit: fc.constantFrom("\0", "a", "b", "\u00fe", "\u00ff"), minLength: 1, maxLength: 4 });
const bound = fc.oneof(fc.constant(""), keyText);

test("pages of a merged scan hold exactly the keys of the range, in order, each once", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(keyText, fc.nat(3)), { selector: ([key]) => key, maxLength: 60 }),
      fc.record({
        start: bound,
        end: bound,
        reverse: fc.boolean(),
        keysOnly: fc.boolean(),
        rowsMax: fc.integer({ min: 1, max: 20 }),
      }),
      fc.array(fc.nat(5), { minLength: 4, maxLength: 4 }),
      (keys, range, delaysMs) => {
        const shards = new Shards(
          [0, 1, 2, 3].map((index) => keys.flatMap(([key, of]) => (of === index ? [key] : []))),
          delaysMs,
        );
        const expected = keys
          .map(([key]) => key)
          .filter((key) => key >= range.start && (range.end === "" || key < range.end))
          .sort();
        if (range.reverse) expected.reverse();
        assert.deepEqual(shards.allKeys({ ...WHOLE, ...range }), expected);
      },
    ),
    { numRuns: 300 },
  );
});

test("a page whose last row is the last of all says that nothing follows", () => {
  const shards = new Shards([["a", "c"], ["b"], []]);
  assert.deepEqual(shards.page({ ...WHOLE, rowsMax: 3 }).resumeKey, null);
  assert.deepEqual(shards.page({ ...WHOLE, rowsMax: 2 }).resumeKey, "b");
  assert.deepEqual(shards.page({ ...WHOLE, rowsMax: 2, start: "b" }).resumeKey, null);
});

test("rows that are all on one shard are fetched until the page is full", () => {
  const keys = Array.from({ length: 500 }, (_, index) => `k${String(index).padStart(4, "0")}`);
  const shards = new Shards([[], keys, [], []], [1, 2, 3, 4]);
  const page = shards.page({ ...WHOLE, rowsMax: 400 });
  assert.deepEqual(
    page.items.map(({ key }) => key as string),
    keys.slice(0, 400),
  );
  assert.equal(page.resumeKey, "k0399");
});

test("evenly spread rows take one fetch a shard, and little more than the page", () => {
  const keysOfShard = [0, 1, 2, 3].map((shard) =>
    Array.from({ length: 1000 }, (_, index) => `${String(index).padStart(5, "0")}-${shard}`),
  );
  const shards = new Shards(keysOfShard);
  assert.equal(shards.page({ ...WHOLE, rowsMax: 400 }).items.length, 400);
  assert.equal(shards.fetchCount, 4);
  assert.ok(shards.rowsFetched < 600, `${shards.rowsFetched} rows`);
});

test("a page ends at 4 MiB of keys and values, but holds one row at least", () => {
  const keysOfShard = [0, 1].map((shard) =>
    Array.from({ length: 20 }, (_, index) => `${String(index).padStart(3, "0")}-${shard}`),
  );
  const megabyte = new Shards(keysOfShard, [], 1_000_000);
  const page = megabyte.page(WHOLE);
  assert.equal(page.items.length, 4);
  assert.equal(page.resumeKey, "001-1");
  assert.equal(new Shards([["a"], ["b"]], [], LIMITS.valueBytesMax).page(WHOLE).items.length, 1);
  assert.equal(megabyte.page({ ...WHOLE, keysOnly: true }).items.length, 40);
});

test("a shard that cannot answer fails the page once: rows are never left out silently", () => {
  const shards = new Shards([["a"], ["b"]], [1, 2]);
  const pages: (ClusterPage | KvError)[] = [];
  const fetch: FetchPage = (shard, operation, done) => {
    if (shard.index === 0) shards.fetch(shard, operation, done);
    else done({ ok: false, error: new KvError("UNREACHABLE", "gone") });
  };
  new ClusterScanner(WHOLE, shards.shards, { fetch, done: (page) => pages.push(page) }).run();
  shards.timers.advance(100);
  assert.equal(pages.length, 1);
  assert.ok(pages[0] instanceof KvError && pages[0].code === "UNREACHABLE");
});

test("a page that goes on where it began is an error, not an endless scan", () => {
  const shards = new Shards([["a"]]);
  const pages: (ClusterPage | KvError)[] = [];
  const answerer = { shard: "shard0", node: "n", role: "leader" as const, lagMs: 0 };
  const fetch: FetchPage = (_shard, _operation, done) =>
    done({
      ok: true,
      result: { kind: "page", items: [], resume: keyOfBinary("\0") },
      answerer,
      position: { epoch: 1, lineage: 0, sequence: 1 },
    });
  new ClusterScanner(WHOLE, shards.shards, { fetch, done: (page) => pages.push(page) }).run();
  assert.ok(pages[0] instanceof KvError);
});

test("a scan over nodes gathers every shard, from any node, linearizable or eventual", () => {
  const made = new MemoryCluster({ shardCount: 4, memberCount: 2 });
  made.start();
  const keys: Key[] = [];
  for (let index = 0; index < 4; index++) for (let count = 0; count < 25; count++) keys.push(made.keyOf(index, count));
  const record = { value: Buffer.from("v"), version: 1, expiryMs: 0, contentType: "" };
  for (const key of keys) made.shard(made.topology.shardOfKey(key).index).rows.set(key, record);
  for (const consistency of ["linearizable", "eventual"] as const) {
    const scan = { ...WHOLE, options: { consistency, durability: null } };
    const page = made.await<ClusterPage | KvError>((done) => made.node("s2m1").core.scan(scan, done));
    assert.ok(!(page instanceof KvError));
    assert.deepEqual(
      page.items.map(({ key }) => key),
      keys.toSorted(),
    );
  }
  made.network.detach("s3m0");
  const page = made.await<ClusterPage | KvError>((done) => made.node("s2m1").core.scan(WHOLE, done));
  assert.ok(page instanceof KvError && page.code === "UNREACHABLE");
});
