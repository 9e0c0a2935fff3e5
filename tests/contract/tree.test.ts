import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, test } from "node:test";
import fc from "fast-check";
import { SPACE, type Space } from "../../src/model/entry.ts";
import { KvError } from "../../src/model/errors.ts";
import type { Record } from "../../src/model/record.ts";
import { LmdbTree } from "../../src/tree/lmdb-tree.ts";
import { MemoryTree, MemoryTreeFile } from "../../src/tree/memory-tree.ts";
import { compareRows } from "../../src/tree/tree-order.ts";
import type { TreeChange, TreeChunk, TreeReader, TreeWriter } from "../../src/tree/tree.ts";

/** One tree with two handles, as in production: the applier writes, the shard reads. */
interface Trees {
  readonly writer: TreeWriter;
  readonly reader: TreeReader;
  /** Closes both handles and opens them again. */
  reopen(): Trees;
  close(): void;
}

const implementations: ReadonlyArray<{ readonly name: string; readonly make: () => Trees }> = [
  { name: "over LMDB", make: makeLmdbTrees },
  { name: "in memory", make: makeMemoryTrees },
];

for (const { name, make } of implementations) {
  describe(`the tree ${name}`, () => {
    let open: Trees | null = null;
    const start = (): Trees => {
      open = make();
      return open;
    };
    afterEach(() => {
      open?.close();
      open = null;
    });

    test("holds nothing at first", () => {
      const { reader } = start();
      assert.equal(reader.get(SPACE.user, "k"), null);
      assert.deepEqual(rowsOf(reader), []);
      assert.deepEqual(reader.position(), { appliedSequence: 0, applyingThrough: 0 });
      assert.equal(reader.meta("clock"), null);
      assert.equal(reader.stats().userKeyCount, 0);
      assert.deepEqual(reader.dueKeys(Number.MAX_SAFE_INTEGER, 10), []);
    });

    test("tells an empty value from an absent row", () => {
      const { writer, reader } = start();
      applyRows(writer, [set("empty", "")]);
      reader.resetReadTransaction();
      assert.equal(reader.get(SPACE.user, "empty")?.value.length, 0);
      assert.equal(reader.get(SPACE.user, "absent"), null);
    });

    test("keeps values, versions, expiries and content types", () => {
      const { writer, reader } = start();
      const row = record("v", {
        version: 2 ** 40 + 3,
        expiryMs: 1_800_000_000_000,
        contentType: "text/plain; charset=utf-8",
      });
      applyRows(writer, [{ space: SPACE.user, key: "k", record: row }]);
      reader.resetReadTransaction();
      assert.deepEqual(reader.get(SPACE.user, "k"), row);
    });

    test("a record stays as it was read while others are read and written", () => {
      const { writer, reader } = start();
      applyRows(writer, [set("a", "first"), set("b", "x".repeat(50_000)), set("c", "third")]);
      reader.resetReadTransaction();
      const a = reader.get(SPACE.user, "a");
      const b = reader.get(SPACE.user, "b");
      applyRows(writer, [set("a", "FIRST"), set("b", "y".repeat(50_000))]);
      reader.resetReadTransaction();
      reader.get(SPACE.user, "c");
      reader.get(SPACE.user, "a");
      assert.equal(a?.value.toString(), "first");
      assert.equal(b?.value.toString(), "x".repeat(50_000));
    });

    test("holds keys of 1,024 bytes, also with an expiry, and orders keys by their bytes", () => {
      const { writer, reader } = start();
      const longest = "\xff".repeat(1024);
      const nearly = "\xff".repeat(1023);
      const changes = [
        set("\0", "low"),
        set("\0\0", "x"),
        set("a", "mid"),
        set("\x80", "high"),
        set(nearly, "n"),
        set(longest, "l", 9),
      ];
      applyRows(writer, changes);
      reader.resetReadTransaction();
      assert.deepEqual(
        rowsOf(reader).map(([key]) => key),
        ["\0", "\0\0", "a", "\x80", nearly, longest],
      );
      assert.equal(reader.get(SPACE.user, longest)?.value.toString(), "l");
      assert.deepEqual(reader.dueKeys(9, 10), [longest]);
    });

    test("holds values of 16 MiB", () => {
      const { writer, reader } = start();
      const value = Buffer.alloc(16 * 1024 * 1024, "0123456789");
      applyRows(writer, [
        { space: SPACE.user, key: "big", record: { value, version: 1, expiryMs: 0, contentType: "x/y" } },
        set("small", "s"),
      ]);
      reader.resetReadTransaction();
      const read = reader.get(SPACE.user, "big");
      assert.equal(reader.get(SPACE.user, "small")?.value.toString(), "s");
      assert.ok(read?.value.equals(value));
      const lengths = rowsOf(reader).map(([, stored]) => stored.length);
      assert.deepEqual(lengths, [value.length, 1]);
    });

    test("keeps its spaces apart", () => {
      const { writer, reader } = start();
      applyRows(writer, [
        set("k", "user"),
        set("k", "request", 0, SPACE.requestIds),
        set("k", "state", 0, SPACE.shardState),
      ]);
      reader.resetReadTransaction();
      assert.equal(reader.get(SPACE.user, "k")?.value.toString(), "user");
      assert.equal(reader.get(SPACE.requestIds, "k")?.value.toString(), "request");
      assert.equal(reader.get(SPACE.shardState, "k")?.value.toString(), "state");
      assert.equal(reader.stats().userKeyCount, 1);
    });

    test("ranges include their start, exclude their end, go both ways and stop when told", () => {
      const { writer, reader } = start();
      applyRows(
        writer,
        ["a", "b", "c", "d", "e"].map((key) => set(key, key)),
      );
      reader.resetReadTransaction();
      const keys = (from: string, to: string, reverse: boolean): string =>
        rowsOf(reader, { start: from, end: to, reverse })
          .map(([key]) => key)
          .join("");
      assert.equal(keys("b", "d", false), "bc");
      assert.equal(keys("b", "d", true), "cb");
      assert.equal(keys("", "", false), "abcde");
      assert.equal(keys("", "", true), "edcba");
      assert.equal(keys("bb", "dd", false), "cd");
      assert.equal(keys("bb", "dd", true), "dc");
      assert.equal(keys("d", "b", false), "");
      assert.equal(keys("d", "b", true), "");
      assert.equal(keys("", "c", true), "ba");
      assert.equal(keys("c", "", true), "edc");
      const seen: string[] = [];
      reader.range({ space: SPACE.user, start: "", end: "", reverse: false }, (row) => seen.push(row.key) < 2);
      assert.deepEqual(seen, ["a", "b"]);
    });

    test("a reader sees a transaction only after its read transaction was reset, and then all of it", () => {
      const { writer, reader } = start();
      applyRows(writer, [set("a", "1")], { appliedSequence: 1, applyingThrough: 1 });
      reader.resetReadTransaction();
      assert.equal(reader.get(SPACE.user, "a")?.value.toString(), "1");
      applyRows(writer, [set("a", "2"), set("b", "2")], { appliedSequence: 2, applyingThrough: 2 });
      assert.equal(reader.get(SPACE.user, "a")?.value.toString(), "1");
      assert.equal(reader.get(SPACE.user, "b"), null);
      reader.resetReadTransaction();
      assert.equal(reader.get(SPACE.user, "b")?.value.toString(), "2");
      assert.equal(reader.position().appliedSequence, 2);
    });

    test("position and meta are kept with the rows, and survive a restart", () => {
      const trees = start();
      const position = { appliedSequence: 2 ** 41, applyingThrough: 2 ** 41 + 5 };
      trees.writer.apply({
        changes: [set("a", "1")],
        clearUserRows: false,
        position,
        meta: new Map([["clock", "17"]]),
      });
      trees.writer.apply({
        changes: [set("b", "1")],
        clearUserRows: false,
        position,
        meta: new Map([["other", "नमस्ते"]]),
      });
      open = trees.reopen();
      assert.deepEqual(open.reader.position(), position);
      assert.equal(open.reader.meta("clock"), "17");
      assert.equal(open.reader.meta("other"), "नमस्ते");
      assert.deepEqual(
        rowsOf(open.reader).map(([key]) => key),
        ["a", "b"],
      );
    });

    test("a clear removes all user rows and their expiries, and nothing else, before the changes are made", () => {
      const { writer, reader } = start();
      applyRows(writer, [set("a", "1", 5), set("b", "1"), set("id", "1", 0, SPACE.requestIds)]);
      writer.apply({
        changes: [set("c", "2", 6)],
        clearUserRows: true,
        position: { appliedSequence: 2, applyingThrough: 2 },
      });
      reader.resetReadTransaction();
      assert.deepEqual(
        rowsOf(reader).map(([key]) => key),
        ["c"],
      );
      assert.deepEqual(reader.dueKeys(10, 10), ["c"]);
      assert.notEqual(reader.get(SPACE.requestIds, "id"), null);
    });

    test("due keys come soonest first, follow overwrites and deletes, and stop at the count asked for", () => {
      const { writer, reader } = start();
      applyRows(writer, [
        set("a", "1", 300),
        set("b", "1", 100),
        set("c", "1", 200),
        set("d", "1"),
        set("e", "1", 2 ** 42),
      ]);
      reader.resetReadTransaction();
      assert.deepEqual(reader.dueKeys(300, 10), ["b", "c", "a"]);
      assert.deepEqual(reader.dueKeys(299.9, 10), ["b", "c"]);
      assert.deepEqual(reader.dueKeys(300, 2), ["b", "c"]);
      assert.deepEqual(reader.dueKeys(99, 10), []);
      assert.deepEqual(reader.dueKeys(2 ** 42, 10), ["b", "c", "a", "e"]);
      applyRows(writer, [
        set("a", "2", 50),
        set("b", "2"),
        { space: SPACE.user, key: "c", record: null },
        set("d", "2", 60),
      ]);
      reader.resetReadTransaction();
      assert.deepEqual(reader.dueKeys(1000, 10), ["a", "d"]);
    });

    test("many expiries are found in order", () => {
      const { writer, reader } = start();
      const keys = Array.from({ length: 5000 }, (_, i) => String(i).padStart(5, "0"));
      applyRows(
        writer,
        keys.map((key) => set(key, "v", 1_000_000 - Number(key))),
      );
      reader.resetReadTransaction();
      assert.deepEqual(reader.dueKeys(1_000_000, 10_000), keys.toReversed());
      assert.equal(reader.dueKeys(995_001, 10_000).length, 1);
    });

    test("a copy in chunks carries every row of every space, whatever the chunk size", () => {
      const source = start();
      const changes = Array.from({ length: 300 }, (_, i) =>
        set(`k${String(i).padStart(3, "0")}`, "v".repeat(i), i % 7),
      );
      applyRows(
        source.writer,
        [...changes, set("id", "r", 0, SPACE.requestIds), set("base", "s", 0, SPACE.shardState)],
        { appliedSequence: 4, applyingThrough: 9 },
      );
      for (const bytesMax of [1, 1000, 10_000_000]) {
        const target = make();
        try {
          for (const chunk of copyAll(source.reader, bytesMax)) {
            assert.equal(chunk.chunk.mayHoldThrough, 9);
            target.writer.importChunk(chunk.chunk, chunk.afterKey, new Map([["cursor", String(chunk.chunk.lastKey)]]));
          }
          target.reader.resetReadTransaction();
          assert.deepEqual(contentOf(target.reader), contentOf(source.reader));
          assert.deepEqual(target.reader.dueKeys(100, 1000), source.reader.dueKeys(100, 1000));
          assert.equal(target.reader.meta("cursor"), "null");
        } finally {
          target.close();
        }
      }
    });

    test("each chunk of a copy is read in a fresh transaction, with the position that it may hold (M59)", () => {
      const { writer, reader } = start();
      applyRows(writer, [set("a", "1"), set("b", "1"), set("c", "1")], { appliedSequence: 1, applyingThrough: 1 });
      const first = reader.copyRange(SPACE.user, "", 1);
      assert.equal(first.lastKey, "a");
      applyRows(writer, [set("b", "2"), set("d", "2")], { appliedSequence: 1, applyingThrough: 7 });
      const second = reader.copyRange(SPACE.user, "a", 1_000_000);
      assert.equal(second.mayHoldThrough, 7);
      assert.equal(second.lastKey, null);
      const target = make();
      try {
        target.writer.importChunk(first, "", new Map());
        target.writer.importChunk(second, "a", new Map());
        target.reader.resetReadTransaction();
        assert.deepEqual(
          rowsOf(target.reader).map(([key, value]) => key + value.toString()),
          ["a1", "b2", "c1", "d2"],
        );
      } finally {
        target.close();
      }
    });

    test("an imported chunk takes the place of all rows in its range, and of no others", () => {
      const { writer, reader } = start();
      applyRows(
        writer,
        ["a", "b", "c", "d", "e", "f"].map((key) => set(key, "old", 50)),
      );
      const other = make();
      try {
        applyRows(other.writer, [set("b", "new"), set("d", "new", 70), set("e", "new")]);
        const chunk = { ...other.reader.copyRange(SPACE.user, "", 1_000_000), lastKey: "e" };
        writer.importChunk(chunk, "a", new Map([["cursor", "e"]]));
        reader.resetReadTransaction();
        assert.deepEqual(
          rowsOf(reader).map(([key, value]) => key + value.toString()),
          ["aold", "bnew", "dnew", "enew", "fold"],
        );
        assert.deepEqual(reader.dueKeys(100, 10), ["a", "f", "d"]);
        writer.importChunk(
          { space: SPACE.user, bytes: Buffer.alloc(0), lastKey: null, mayHoldThrough: 0 },
          "b",
          new Map(),
        );
        reader.resetReadTransaction();
        assert.deepEqual(
          rowsOf(reader).map(([key]) => key),
          ["a", "b"],
        );
        assert.deepEqual(reader.dueKeys(100, 10), ["a"]);
      } finally {
        other.close();
      }
    });

    test("a damaged or malformed chunk is refused, and nothing of it is stored (M68)", () => {
      const { writer, reader } = start();
      applyRows(writer, [set("a", "1"), set("b", "1")]);
      const chunk = reader.copyRange(SPACE.user, "", 1_000_000);
      const target = make();
      try {
        for (let length = 1; length < chunk.bytes.length; length++) {
          const cut: TreeChunk = { ...chunk, bytes: chunk.bytes.subarray(0, length) };
          const isWholeRow = length === chunk.bytes.length / 2;
          if (!isWholeRow) assert.throws(() => target.writer.importChunk(cut, "", new Map()), KvError);
        }
        for (let at = 0; at < chunk.bytes.length; at++) {
          const bytes = Buffer.from(chunk.bytes);
          bytes[at] = (bytes[at] ?? 0) ^ 0x10;
          assert.throws(() => target.writer.importChunk({ ...chunk, bytes }, "", new Map()), KvError, `byte ${at}`);
        }
        assert.throws(() => target.writer.importChunk(chunk, "a", new Map()), KvError);
        assert.deepEqual(rowsOf(target.reader), []);
      } finally {
        target.close();
      }
    });

    test("a wipe leaves nothing, and the tree can be used again at once", () => {
      const trees = start();
      trees.writer.apply({
        changes: [set("a", "1", 5), set("i", "1", 0, SPACE.requestIds)],
        clearUserRows: false,
        position: { appliedSequence: 3, applyingThrough: 3 },
        meta: new Map([["clock", "1"]]),
      });
      trees.writer.wipe();
      trees.reader.resetReadTransaction();
      assert.deepEqual(contentOf(trees.reader), []);
      assert.deepEqual(trees.reader.position(), { appliedSequence: 0, applyingThrough: 0 });
      assert.equal(trees.reader.meta("clock"), null);
      assert.deepEqual(trees.reader.dueKeys(100, 10), []);
      applyRows(trees.writer, [set("b", "1")]);
      open = trees.reopen();
      assert.deepEqual(
        rowsOf(open.reader).map(([key]) => key),
        ["b"],
      );
    });

    test("checking rows walks all of them in steps", () => {
      const { writer, reader } = start();
      applyRows(
        writer,
        Array.from({ length: 50 }, (_, i) => set(String(i).padStart(2, "0"), "v".repeat(100))),
      );
      let after = "";
      let rowCount = 0;
      let steps = 0;
      for (;;) {
        const step = reader.verifyRange(SPACE.user, after, 1000);
        rowCount += step.rowCount;
        steps++;
        assert.deepEqual(step.corruptKeys, []);
        if (step.lastKey === null) break;
        after = step.lastKey;
      }
      assert.equal(rowCount, 50);
      assert.ok(steps > 4, `${steps} steps`);
    });

    test("changes out of order are a programmer's error, and change nothing", () => {
      const { writer, reader } = start();
      assert.throws(() => applyRows(writer, [set("b", "1"), set("a", "1")]), /byte order/);
      assert.throws(() => applyRows(writer, [set("a", "1"), set("a", "2")]), /byte order/);
      assert.deepEqual(rowsOf(reader), []);
    });

    test("an exception in the middle of a range leaves the tree usable", () => {
      const { writer, reader } = start();
      applyRows(writer, [set("a", "1"), set("b", "1")]);
      reader.resetReadTransaction();
      const thrower = (): boolean => {
        throw new Error("stop");
      };
      assert.throws(() => reader.range({ space: SPACE.user, start: "", end: "", reverse: false }, thrower), /stop/);
      assert.equal(rowsOf(reader).length, 2);
    });

    test("behaves as a sorted map under any series of transactions, clears, wipes and restarts", () => {
      fc.assert(
        fc.property(fc.array(anyStep, { maxLength: 25 }), (steps) => {
          let trees = make();
          try {
            const model = new Model();
            for (const [at, step] of steps.entries()) {
              if (step.kind === "reopen") trees = trees.reopen();
              else model.run(step, trees.writer, at + 1);
              trees.reader.resetReadTransaction();
              model.compare(trees.reader);
            }
          } finally {
            trees.close();
          }
        }),
        { numRuns: 60 },
      );
    });
  });
}

type Step =
  | { readonly kind: "apply"; readonly changes: readonly TreeChange[]; readonly clear: boolean }
  | { readonly kind: "wipe" }
  | { readonly kind: "reopen" };

const anyKey = fc.oneof(
  fc.constantFrom("a", "b", "c", "aa", "ab", "\0", "\xff", "\xff\xff"),
  fc.uint8Array({ minLength: 1, maxLength: 6 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
);

const anyChange: fc.Arbitrary<TreeChange> = fc
  .record({
    space: fc.constantFrom<Space>(SPACE.user, SPACE.user, SPACE.user, SPACE.requestIds, SPACE.shardState),
    key: anyKey,
    value: fc.option(fc.string({ maxLength: 12 })),
    expiryMs: fc.constantFrom(0, 0, 1, 2, 3, 2 ** 33),
    version: fc.maxSafeNat(),
  })
  .map(({ space, key, value, expiryMs, version }) => ({
    space,
    key,
    record: value === null ? null : record(value, { version, expiryMs, contentType: expiryMs === 2 ? "t" : "" }),
  }));

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .record({
        changes: fc.array(anyChange, { maxLength: 20 }),
        clear: fc.integer({ min: 0, max: 7 }).map((n) => n === 0),
      })
      .map(({ changes, clear }) => ({ kind: "apply" as const, changes: inOrder(changes), clear })),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "wipe" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "reopen" as const }) },
);

/** What the tree must say after each step. */
class Model {
  readonly #rows = new Map<string, TreeChange>();
  #applied = 0;

  run(step: Exclude<Step, { readonly kind: "reopen" }>, writer: TreeWriter, sequence: number): void {
    if (step.kind === "wipe") {
      writer.wipe();
      this.#rows.clear();
      this.#applied = 0;
      return;
    }
    this.#applied = sequence;
    writer.apply({
      changes: step.changes,
      clearUserRows: step.clear,
      position: { appliedSequence: sequence, applyingThrough: sequence },
    });
    if (step.clear) for (const [id, row] of this.#rows) if (row.space === SPACE.user) this.#rows.delete(id);
    for (const change of step.changes) {
      const id = `${change.space}${change.key}`;
      if (change.record === null) this.#rows.delete(id);
      else this.#rows.set(id, change);
    }
  }

  compare(reader: TreeReader): void {
    const rows = [...this.#rows.values()].sort(compareRows);
    assert.deepEqual(
      contentOf(reader),
      rows.map(({ space, key, record: row }) => [space, key, row]),
    );
    for (const { space, key, record: row } of rows) assert.deepEqual(reader.get(space, key), row);
    const users = rows.filter(({ space }) => space === SPACE.user);
    const due = users.filter(({ record: row }) => (row?.expiryMs ?? 0) !== 0 && (row?.expiryMs ?? 0) <= 2);
    const order = due.toSorted((a, b) => (a.record?.expiryMs ?? 0) - (b.record?.expiryMs ?? 0)).map(({ key }) => key);
    assert.deepEqual(reader.dueKeys(2, 1000), order);
    assert.equal(reader.stats().userKeyCount, users.length);
    assert.equal(reader.position().appliedSequence, this.#applied);
    if (reader instanceof LmdbTree) assert.deepEqual(reader.expiryFaults(10), []);
  }
}

function inOrder(changes: readonly TreeChange[]): TreeChange[] {
  const newest = new Map(changes.map((change) => [`${change.space}${change.key}`, change]));
  return [...newest.values()].sort(compareRows);
}

function record(value: string, rest: Partial<Omit<Record, "value">> = {}): Record {
  return { value: Buffer.from(value), version: 1, expiryMs: 0, contentType: "", ...rest };
}

function set(key: string, value: string, expiryMs = 0, space: Space = SPACE.user): TreeChange {
  return { space, key, record: record(value, { expiryMs }) };
}

function applyRows(
  writer: TreeWriter,
  changes: readonly TreeChange[],
  position = { appliedSequence: 1, applyingThrough: 1 },
): void {
  writer.apply({ changes, clearUserRows: false, position });
}

function rowsOf(
  reader: TreeReader,
  range: { start?: string; end?: string; reverse?: boolean; space?: Space } = {},
): Array<[string, Buffer]> {
  const rows: Array<[string, Buffer]> = [];
  reader.range({ space: SPACE.user, start: "", end: "", reverse: false, ...range }, (row) => {
    rows.push([row.key, row.record.value]);
    return true;
  });
  return rows;
}

function contentOf(reader: TreeReader): Array<[Space, string, Record]> {
  const content: Array<[Space, string, Record]> = [];
  for (const space of Object.values(SPACE)) {
    reader.range({ space, start: "", end: "", reverse: false }, (row) => {
      content.push([space, row.key, row.record]);
      return true;
    });
  }
  return content;
}

function* copyAll(reader: TreeReader, bytesMax: number): Generator<{ chunk: TreeChunk; afterKey: string }> {
  for (const space of Object.values(SPACE)) {
    for (let afterKey = ""; ;) {
      const chunk = reader.copyRange(space, afterKey, bytesMax);
      yield { chunk, afterKey };
      if (chunk.lastKey === null) break;
      afterKey = chunk.lastKey;
    }
  }
}

function makeLmdbTrees(): Trees {
  const directory = mkdtempSync(join(tmpdir(), "kv-tree-"));
  const openBoth = (): Trees => {
    const writer = new LmdbTree({ path: join(directory, "tree") });
    const reader = new LmdbTree({ path: join(directory, "tree") });
    const closeBoth = (): void => {
      writer.close();
      reader.close();
    };
    return {
      writer,
      reader,
      reopen: () => {
        closeBoth();
        return openBoth();
      },
      close: () => {
        closeBoth();
        rmSync(directory, { recursive: true });
      },
    };
  };
  return openBoth();
}

function makeMemoryTrees(): Trees {
  const file = new MemoryTreeFile();
  const openBoth = (): Trees => ({
    writer: new MemoryTree(file),
    reader: new MemoryTree(file),
    reopen: openBoth,
    close: () => {},
  });
  return openBoth();
}
