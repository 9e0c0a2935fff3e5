import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import fc from "fast-check";
import { clearMutants, plantMutant } from "../base/mutants.ts";
import { SPACE, type Entry, type EntryBody, type Mutation, type Space } from "../model/entry.ts";
import { KvError } from "../model/errors.ts";
import { NO_EPOCH, type Sequence } from "../model/position.ts";
import { MemoryTree, MemoryTreeFile } from "../tree/memory-tree.ts";
import { TREE_META } from "./applier.ts";
import { LogApplier, type ApplyLimits, type EntrySource } from "./log-applier.ts";

const SMALL: ApplyLimits = { runBytesMax: 1500, transactionRowsMax: 3, transactionBytesMax: 100 };

describe("taking the log into the tree", () => {
  afterEach(clearMutants);

  test("the newest mutation of each row wins, with the version of its entry", () => {
    const tree = new Tree();
    tree.log.push(data(set("a", "1"), set("b", "1")), data(set("a", "2")), data(remove("b"), set("c", "3")));
    tree.applyAll(3);
    assert.deepEqual(tree.rows(), { a: ["2", 2], c: ["3", 3] });
    assert.deepEqual(tree.reader.position(), { appliedSequence: 3, applyingThrough: 3 });
  });

  test("nothing behind the position asked for reaches the tree (M31)", () => {
    const tree = new Tree();
    tree.log.push(data(set("a", "1")), data(set("b", "1")), data(set("a", "uncommitted")));
    tree.applyAll(2);
    assert.deepEqual(tree.rows(), { a: ["1", 1], b: ["1", 2] });
    assert.equal(tree.reader.position().applyingThrough, 2);
  });

  test("uncommitted entries would reach the tree if the applier went to the end of the log (M31 planted)", () => {
    plantMutant("M31");
    const tree = new Tree();
    tree.log.push(data(set("a", "1")), data(set("a", "uncommitted")));
    tree.applyAll(1);
    assert.deepEqual(tree.rows(), { a: ["uncommitted", 2] });
  });

  test("versions count from the base in force when their entry was written, also after a restart", () => {
    const tree = new Tree();
    tree.log.push(data(set("a", "1")), epochStart(1000), data(set("b", "2")), epochStart(5000), data(set("c", "3")));
    tree.applyAll(3);
    assert.deepEqual(tree.rows(), { a: ["1", 1], b: ["2", 1003] });
    tree.restart();
    tree.applyAll(5);
    assert.deepEqual(tree.rows(), { a: ["1", 1], b: ["2", 1003], c: ["3", 5005] });
    assert.equal(tree.reader.meta(TREE_META.versionBase), "5000");
  });

  test("the log clock is the largest timestamp taken in, and survives a restart", () => {
    const tree = new Tree();
    tree.log.push(data(set("a", "1")), data(set("b", "1")));
    tree.timestamps.push(900, 700);
    tree.applyAll(2);
    assert.equal(tree.reader.meta(TREE_META.logClockMs), "900");
    tree.restart();
    tree.log.push({ kind: "noop" });
    tree.timestamps.push(800);
    tree.applyAll(3);
    assert.equal(tree.reader.meta(TREE_META.logClockMs), "900");
  });

  test("a clear removes user rows written before it, in the tree and in the run, and no other rows", () => {
    const tree = new Tree();
    tree.log.push(data(set("a", "1"), set("id", "1", SPACE.requestIds)));
    tree.applyAll(1);
    tree.log.push(data(set("b", "1"), set("id2", "1", SPACE.requestIds)), { kind: "clear" }, data(set("c", "1")));
    tree.applyAll(4);
    assert.deepEqual(tree.rows(), { c: ["1", 4] });
    assert.deepEqual(Object.keys(tree.rows(SPACE.requestIds)), ["id", "id2"]);
  });

  test("a run of several transactions names its end in the first, and counts as applied with the last", () => {
    const tree = new Tree();
    tree.log.push(data(...["a", "b", "c", "d", "e", "f", "g"].map((key) => set(key, "1"))), data(set("h", "1")));
    const positions: Array<[Sequence, Sequence]> = [];
    while (!tree.applier.step(2).endedRun) positions.push(tree.positionPair());
    positions.push(tree.positionPair());
    assert.deepEqual(positions, [
      [0, 2],
      [0, 2],
      [2, 2],
    ]);
    assert.equal(tree.reader.meta(TREE_META.logClockMs), "2");
  });

  test("a run is bounded by its bytes, and the next one goes on behind it", () => {
    const tree = new Tree();
    for (let i = 0; i < 30; i++) tree.log.push(data(set(`k${i}`, "x".repeat(100))));
    const runs: Sequence[] = [];
    for (let applied = 0; applied < 30;) {
      const step = tree.applier.step(30);
      if (step.endedRun) runs.push(step.appliedSequence);
      applied = step.appliedSequence;
    }
    assert.ok(runs.length > 4, `${runs.length} runs`);
    assert.equal(Object.keys(tree.rows()).length, 30);
  });

  test("a full disk changes nothing, and the same step goes on when there is room", () => {
    const tree = new Tree();
    tree.log.push(data(...["a", "b", "c", "d", "e"].map((key) => set(key, "1"))));
    tree.applier.step(1);
    tree.file.isFull = true;
    for (let i = 0; i < 3; i++) assert.throws(() => tree.applier.step(1), isDiskFull);
    assert.deepEqual(Object.keys(tree.rows()), ["a", "b", "c"]);
    tree.file.isFull = false;
    tree.applyAll(1);
    assert.deepEqual(Object.keys(tree.rows()), ["a", "b", "c", "d", "e"]);
  });

  test("an entry out of order is never applied", () => {
    const tree = new Tree();
    tree.log.push(data(set("a", "1")), data(set("b", "1")));
    tree.skipped = 1;
    assert.throws(() => tree.applier.step(2), /entry 2 is applied behind 0/);
    assert.deepEqual(tree.rows(), {});
  });

  test("a log that ends before the position asked for is noticed", () => {
    const tree = new Tree();
    assert.throws(() => tree.applier.step(1), /the log holds entry 1/);
  });

  test("a copy is only stored where nothing was replayed (M94)", () => {
    const source = new Tree();
    source.log.push(data(set("a", "old")));
    source.applyAll(1);
    const imported = {
      chunk: source.reader.copyRange(SPACE.user, "", 1000),
      afterKey: "",
      meta: new Map<string, string>(),
    };
    const target = new Tree();
    target.log.push(data(set("a", "new")));
    target.applyAll(1);
    assert.throws(() => target.applier.importChunk(imported), /M94/);
    assert.deepEqual(target.rows(), { a: ["new", 1] });
    plantMutant("M94");
    target.applier.importChunk(imported);
    assert.deepEqual(target.rows(), { a: ["old", 1] });
  });

  test("what is replayed over a copy gets versions above the copy's base (M95)", () => {
    const replayed = (): unknown => {
      const tree = new Tree();
      tree.log.push(data(set("a", "1")), data(remove("a")), data(set("a", "3")));
      tree.applier.wipe();
      tree.applier.setBase({ sequence: 2, versionBase: 7000, logClockMs: 44 });
      tree.applyAll(3);
      return [tree.rows(), tree.reader.meta(TREE_META.logClockMs)];
    };
    assert.deepEqual(replayed(), [{ a: ["3", 7003] }, "44"]);
    plantMutant("M95");
    assert.deepEqual(replayed(), [{ a: ["3", 3] }, "44"]);
  });

  test("a crash between any two transactions, any number of times, loses and adds nothing", () => {
    fc.assert(
      fc.property(anyLog, fc.infiniteStream(fc.nat(6)), (bodies, chances) => {
        const tree = new Tree();
        tree.log.push(...bodies);
        for (let through = 0; through <= bodies.length; through += 1 + (chances.next().value ?? 0)) {
          while (tree.applier.step(through).didWrite) if (chances.next().value === 0) tree.restart();
          assert.deepEqual(tree.content(), expected(bodies.slice(0, through)));
          assert.equal(tree.reader.position().appliedSequence, through);
        }
      }),
      { numRuns: 300 },
    );
  });
});

const anyMutation: fc.Arbitrary<Mutation> = fc
  .record({
    space: fc.constantFrom<Space>(SPACE.user, SPACE.user, SPACE.requestIds),
    key: fc.constantFrom("a", "b", "c", "d", "e", "f", "g", "h"),
    value: fc.option(fc.string({ maxLength: 60 }), { freq: 4 }),
  })
  .map(({ space, key, value }) => (value === null ? remove(key, space) : set(key, value, space)));

const anyLog: fc.Arbitrary<EntryBody[]> = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: fc.array(anyMutation, { maxLength: 8 }).map((mutations) => data(...mutations)) },
    { weight: 1, arbitrary: fc.constant<EntryBody>({ kind: "clear" }) },
    { weight: 1, arbitrary: fc.constant<EntryBody>({ kind: "noop" }) },
  ),
  { maxLength: 30 },
);

/** The rows that a log leaves behind, worked out entry by entry. */
function expected(bodies: readonly EntryBody[]): Record<string, [string, number]> {
  const rows = new Map<string, [string, number]>();
  for (const [at, body] of bodies.entries()) {
    if (body.kind === "clear") for (const id of rows.keys()) if (id.startsWith("0")) rows.delete(id);
    if (body.kind !== "data") continue;
    for (const { space, key, value } of body.mutations) {
      if (value === null) rows.delete(space + key);
      else rows.set(space + key, [value.toString(), at + 1]);
    }
  }
  return Object.fromEntries([...rows].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A tree in memory, a log that is an array, and the applier between them. */
class Tree implements EntrySource {
  readonly file: MemoryTreeFile = new MemoryTreeFile();
  readonly log: EntryBody[] = [];
  readonly timestamps: number[] = [];
  skipped = 0;
  applier: LogApplier = new LogApplier(this, new MemoryTree(this.file), SMALL);

  get reader(): MemoryTree {
    return new MemoryTree(this.file);
  }

  /** The process dies between two transactions. */
  restart(): void {
    this.applier = new LogApplier(this, new MemoryTree(this.file), SMALL);
  }

  applyAll(through: Sequence): void {
    while (this.applier.step(through).didWrite);
  }

  positionPair(): [Sequence, Sequence] {
    const { appliedSequence, applyingThrough } = this.reader.position();
    return [appliedSequence, applyingThrough];
  }

  rows(space: Space = SPACE.user): Record<string, [string, number]> {
    const rows: Record<string, [string, number]> = {};
    this.reader.range({ space, start: "", end: "", reverse: false }, ({ key, record }) => {
      rows[key] = [record.value.toString(), record.version];
      return true;
    });
    return rows;
  }

  content(): Record<string, [string, number]> {
    const content: Record<string, [string, number]> = {};
    for (const space of Object.values(SPACE)) {
      for (const [key, row] of Object.entries(this.rows(space))) content[space + key] = row;
    }
    return content;
  }

  *read(from: Sequence, through: Sequence): Generator<Entry> {
    for (const [at, body] of this.log.entries()) {
      const sequence = at + 1;
      if (sequence < from + this.skipped || sequence > through) continue;
      yield { epoch: 1, sequence, timestampMs: this.timestamps[at] ?? sequence, body };
    }
  }

  reset(): void {}
  close(): void {}
}

function data(...mutations: Mutation[]): EntryBody {
  return { kind: "data", mutations };
}

function epochStart(versionBase: number): EntryBody {
  const start = { term: "0123456789abcdef", previous: NO_EPOCH, versionBase, lineage: 0, inSync: [] };
  return { kind: "epochStart", start };
}

function set(key: string, value: string, space: Space = SPACE.user): Mutation {
  return { space, key, value: Buffer.from(value), expiryMs: 0, contentType: "" };
}

function remove(key: string, space: Space = SPACE.user): Mutation {
  return { space, key, value: null, expiryMs: 0, contentType: "" };
}

function isDiskFull(error: unknown): boolean {
  return error instanceof KvError && error.code === "DISK_FULL";
}
