import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { fuzzRuns } from "../../tests/support/byte-mutations.ts";
import { SPACE, type Mutation, type Space } from "../model/entry.ts";
import { LIMITS } from "../model/limits.ts";
import type { Sequence } from "../model/position.ts";
import { Memtable } from "./memtable.ts";

const ALL = { start: "", end: "", reverse: false };
const EVERYTHING = Number.MAX_SAFE_INTEGER;

describe("a memtable", () => {
  test("answers with the newest version, also when it is not settled", () => {
    const table = new Memtable();
    table.put(1, 101, [set("k", "one")]);
    table.put(2, 102, [set("k", "two")]);
    assert.deepEqual(lookUp(table, "k"), "two @2");
    assert.deepEqual(lookUp(table, "k", 1), "one @1");
    assert.equal(table.newest(SPACE.user, "other"), null);
    assert.equal(table.newestUpTo(SPACE.user, "k", 0), null);
  });

  test("remembers deletes, so that the tree's older row does not show through (R7)", () => {
    const table = new Memtable();
    table.put(1, 1, [remove("k")]);
    assert.equal(lookUp(table, "k"), "deleted @1");
  });

  test("keeps a row of one space apart from the same key in another", () => {
    const table = new Memtable();
    table.put(1, 1, [set("k", "user"), { ...set("k", "id"), space: SPACE.requestIds }]);
    table.clear(2);
    assert.equal(lookUp(table, "k"), "cleared @2");
    assert.equal(table.newest(SPACE.requestIds, "k")?.kind, "version");
    assert.deepEqual([...table.keys(SPACE.shardState, ALL)], []);
  });

  test("a clear hides what was before it, not what comes after, and can be cut off again", () => {
    const table = new Memtable();
    table.put(1, 1, [set("a", "1")]);
    table.clear(2);
    table.put(3, 3, [set("b", "3")]);
    assert.equal(lookUp(table, "a"), "cleared @2");
    assert.equal(lookUp(table, "unknown"), "cleared @2");
    assert.equal(lookUp(table, "b"), "3 @3");
    assert.equal(lookUp(table, "a", 1), "1 @1");
    assert.equal(table.floorUpTo(1), 0);
    table.truncateAfter(1);
    assert.equal(lookUp(table, "a"), "1 @1");
    assert.equal(lookUp(table, "b"), null);
  });

  test("a clear hides what was before it also when the tree has passed it, as long as the rows are still here", () => {
    const table = new Memtable();
    table.put(1, 1, [set("a", "1")]);
    table.clear(2);
    table.put(3, 3, [set("b", "3")]);
    table.settle(2);
    table.seal();
    table.dropThrough(2);
    assert.equal(lookUp(table, "a"), "cleared @2");
    table.settle(3);
    table.dropThrough(3);
    assert.equal(lookUp(table, "a"), null);
  });

  test("lets go of versions that are hidden for good, and of whole runs that the tree has", () => {
    const table = new Memtable();
    for (let sequence = 1; sequence <= 1000; sequence++) {
      table.put(sequence, sequence, [set("k", String(sequence))]);
      table.settle(sequence);
    }
    assert.ok(table.sizeBytes < 2 * (LIMITS.memtableEntryOverheadBytes + 5), `${table.sizeBytes}`);
    table.seal();
    table.put(1001, 1001, [set("k", "newer")]);
    table.dropThrough(1000);
    assert.equal(lookUp(table, "k"), "newer @1001");
    assert.equal(lookUp(table, "k", 1000), null);
  });

  test("is full at its limit, and has room again when the tree has taken its runs", () => {
    const table = new Memtable();
    const value = Buffer.alloc(1_000_000);
    for (let sequence = 1; !table.isFull; sequence++) {
      table.put(sequence, sequence, [{ ...set(`k${sequence}`, ""), value }]);
    }
    assert.ok(table.sizeBytes >= LIMITS.memtableBytesMax && table.sizeBytes < LIMITS.memtableBytesMax + 1_001_000);
    table.settle(30);
    table.dropThrough(30);
    assert.ok(!table.isFull);
  });

  test("seals the active map by itself beyond its size, and goes on reading both", () => {
    const table = new Memtable();
    const value = Buffer.alloc(LIMITS.memtableActiveBytesMax);
    table.put(1, 1, [{ ...set("a", ""), value }]);
    table.put(2, 2, [set("b", "2")]);
    table.settle(1);
    table.dropThrough(1);
    assert.equal(lookUp(table, "a"), null);
    assert.equal(lookUp(table, "b"), "2 @2");
  });

  test("refuses to be cut below what is settled", () => {
    const table = new Memtable();
    table.put(1, 1, [set("a", "1")]);
    table.put(2, 2, [set("a", "2")]);
    table.settle(2);
    assert.throws(() => table.truncateAfter(1), /Broken invariant/);
  });

  test("counts nothing when it holds nothing", () => {
    const table = new Memtable();
    table.put(1, 1, [set("a", "1"), set("a", "2"), remove("b")]);
    table.put(2, 2, [set("c", "3")]);
    table.truncateAfter(0);
    assert.equal(table.sizeBytes, 0);
    table.put(1, 1, [set("a", "1")]);
    table.reset(7);
    assert.equal(table.sizeBytes, 0);
    assert.equal(lookUp(table, "a"), null);
  });

  test("over the tree agrees with a plain list of entries, whatever happens to it", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 60 }), (steps) => {
        const both = new TableAndModel();
        for (const one of steps) {
          both.take(one);
          both.compare();
        }
      }),
      { numRuns: fuzzRuns(300) },
    );
  });
});

const KEYS = ["a", "aa", "b", "c\xff", "d"];
const fraction = fc.constantFrom(0, 0.2, 0.4, 0.6, 0.8, 1);
const mutation = fc.record({
  space: fc.constantFrom<Space>(SPACE.user, SPACE.user, SPACE.user, SPACE.requestIds),
  key: fc.constantFrom(...KEYS),
  isDelete: fc.boolean(),
});
type Step =
  | {
      readonly kind: "put";
      readonly rows: readonly { readonly space: Space; readonly key: string; readonly isDelete: boolean }[];
    }
  | { readonly kind: "clear" }
  | { readonly kind: "noop" }
  | { readonly kind: "seal" }
  | { readonly kind: "settle"; readonly to: number }
  | { readonly kind: "truncate"; readonly to: number }
  | { readonly kind: "apply"; readonly to: number };
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.array(mutation, { minLength: 1, maxLength: 3 }).map((rows) => ({ kind: "put" as const, rows })),
  },
  { weight: 2, arbitrary: fc.constantFrom<Step>({ kind: "clear" }, { kind: "noop" }) },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: "seal" }) },
  { weight: 2, arbitrary: fraction.map((to) => ({ kind: "settle" as const, to })) },
  { weight: 1, arbitrary: fraction.map((to) => ({ kind: "truncate" as const, to })) },
  { weight: 2, arbitrary: fraction.map((to) => ({ kind: "apply" as const, to })) },
);

interface Write {
  readonly sequence: Sequence;
  readonly text: string | null;
}

/** A memtable, and beside it every entry ever entered; the tree is what the list says as of `applied`. */
class TableAndModel {
  readonly table = new Memtable();
  entries: { readonly sequence: Sequence; readonly mutations: readonly Mutation[] | "clear" | "noop" }[] = [];
  last = 0;
  settled = 0;
  applied = 0;
  #writeCount = 0;

  take(one: Step): void {
    const { table } = this;
    if (one.kind === "put") this.#enter(one.rows.map((row) => this.#mutationOf(row)));
    else if (one.kind === "clear" || one.kind === "noop") this.#enter(one.kind);
    else if (one.kind === "seal") table.seal();
    else if (one.kind === "settle") {
      this.settled += Math.round(one.to * (this.last - this.settled));
      table.settle(this.settled);
    } else if (one.kind === "truncate") {
      this.last = this.settled + Math.round(one.to * (this.last - this.settled));
      this.entries = this.entries.filter(({ sequence }) => sequence <= this.last);
      table.truncateAfter(this.last);
    } else {
      this.applied += Math.round(one.to * (this.settled - this.applied));
      table.dropThrough(this.applied);
      if (this.applied === this.last) assert.equal(table.sizeBytes, 0, "what the tree has is let go");
    }
  }

  /** Every row as of every limit that a reader may have, and the order of keys. */
  compare(): void {
    for (const limit of [this.settled, Math.ceil((this.settled + this.last) / 2), this.last, EVERYTHING]) {
      for (const space of [SPACE.user, SPACE.requestIds]) for (const key of KEYS) this.#compareRow(space, key, limit);
      assert.equal(this.table.floorUpTo(limit) > this.settled, this.#clearBetween(this.settled, limit));
    }
    for (const reverse of [false, true]) {
      for (const [start, end] of [
        ["", ""],
        ["aa", ""],
        ["", "b"],
        ["aa", "d"],
        ["c", "a"],
      ] as const) {
        this.#compareKeys({ start, end, reverse });
      }
    }
    assert.ok(this.table.sizeBytes >= 0);
  }

  #enter(mutations: readonly Mutation[] | "clear" | "noop"): void {
    this.last++;
    this.entries.push({ sequence: this.last, mutations });
    if (mutations === "clear") this.table.clear(this.last);
    else if (mutations !== "noop") this.table.put(this.last, this.last, mutations);
  }

  #mutationOf({ space, key, isDelete }: { space: Space; key: string; isDelete: boolean }): Mutation {
    const text = isDelete ? null : `v${this.#writeCount++}`;
    return { space, key, value: text === null ? null : Buffer.from(text), expiryMs: 0, contentType: "" };
  }

  #compareRow(space: Space, key: string, limit: Sequence): void {
    const answer = this.table.newestUpTo(space, key, limit);
    const truth = this.#truth(space, key, limit);
    const inTree = this.#truth(space, key, this.applied);
    if (answer === null) assert.equal(inTree.text, truth.text);
    else if (answer.kind === "cleared") assert.equal(truth.text, null);
    else assert.equal(answer.version.value?.toString() ?? null, truth.text);
    // What is not settled must be named exactly: the answer waits for it.
    const depends = answer?.sequence ?? 0;
    assert.equal(depends > this.settled ? depends : 0, truth.sequence > this.settled ? truth.sequence : 0);
  }

  #truth(space: Space, key: string, limit: Sequence): Write {
    let found: Write = { sequence: 0, text: null };
    for (const { sequence, mutations } of this.entries) {
      if (sequence > limit || mutations === "noop") continue;
      if (mutations === "clear") {
        if (space === SPACE.user) found = { sequence, text: null };
        continue;
      }
      for (const one of mutations) {
        if (one.space === space && one.key === key) found = { sequence, text: one.value?.toString() ?? null };
      }
    }
    return found;
  }

  #compareKeys(range: { start: string; end: string; reverse: boolean }): void {
    const keys = [...this.table.keys(SPACE.user, range)];
    const inOrder = [...new Set(keys)].sort();
    assert.deepEqual(keys, range.reverse ? inOrder.reverse() : inOrder);
    for (const key of keys) assert.ok(key >= range.start && (range.end === "" || key < range.end));
    for (const { sequence, mutations } of this.entries) {
      if (sequence <= this.applied || mutations === "clear" || mutations === "noop") continue;
      for (const { space, key } of mutations) {
        const isInside = space === SPACE.user && key >= range.start && (range.end === "" || key < range.end);
        if (isInside) assert.ok(keys.includes(key), `${key} is written behind the tree's position`);
      }
    }
  }

  #clearBetween(from: Sequence, to: Sequence): boolean {
    return this.entries.some(({ sequence, mutations }) => mutations === "clear" && sequence > from && sequence <= to);
  }
}

function set(key: string, text: string): Mutation {
  return { space: SPACE.user, key, value: Buffer.from(text), expiryMs: 0, contentType: "" };
}

function remove(key: string): Mutation {
  return { ...set(key, ""), value: null };
}

function lookUp(table: Memtable, key: string, limit: Sequence = EVERYTHING): string | null {
  const answer = table.newestUpTo(SPACE.user, key, limit);
  if (answer === null) return null;
  if (answer.kind === "cleared") return `cleared @${answer.sequence}`;
  return `${answer.version.value?.toString() ?? "deleted"} @${answer.sequence}`;
}
