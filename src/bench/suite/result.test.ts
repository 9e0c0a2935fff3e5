import assert from "node:assert/strict";
import { test } from "node:test";
import { formatFigure, formatLimit, formatNumber, markOf, mergeResults, type RowResult } from "./result.ts";
import type { Figure } from "./row.ts";

function figureOf(changes: Partial<Figure> = {}): Figure {
  return {
    label: "",
    direction: "at least",
    unit: "×",
    bar: 1,
    reach: 1.5,
    median: 1.2,
    min: 1.1,
    max: 1.3,
    subject: { name: "kv", value: 120, unit: "ops/s" },
    peer: { name: "Redis", value: 100, unit: "ops/s" },
    ...changes,
  };
}

function rowOf(changes: Partial<RowResult> = {}): RowResult {
  return {
    id: "P1",
    name: "SET",
    what: "RESP SET",
    form: "full",
    date: "2026-01-02T03:04:05.000Z",
    seconds: 10,
    commit: "abc",
    figures: [figureOf()],
    faults: [],
    notes: [],
    ...changes,
  };
}

test("a row is as good as its worst figure", () => {
  const good = figureOf({ median: 1.6 });
  assert.equal(markOf(rowOf({ figures: [good] })), "goal reached");
  assert.equal(markOf(rowOf({ figures: [good, figureOf()] })), "reached");
  assert.equal(markOf(rowOf({ figures: [good, figureOf({ median: 0.99 })] })), "MISSED");
});

test("where less is better the bar is an upper one", () => {
  const upper = { direction: "at most", bar: 20, reach: 5, unit: "ms" } as const;
  assert.equal(markOf(rowOf({ figures: [figureOf({ ...upper, median: 20.1 })] })), "MISSED");
  assert.equal(markOf(rowOf({ figures: [figureOf({ ...upper, median: 5 })] })), "goal reached");
});

test("a row with a fault or without a figure is not valid, however good it looks", () => {
  assert.equal(
    markOf(rowOf({ figures: [figureOf({ median: 9 })], faults: ["the log outgrew the tree"] })),
    "not valid",
  );
  assert.equal(markOf(rowOf({ figures: [] })), "not valid");
});

test("a figure that is no number is missed", () => {
  assert.equal(markOf(rowOf({ figures: [figureOf({ median: Number.NaN })] })), "MISSED");
});

test("rows that did not run are kept, in the order of the suite", () => {
  const old = [rowOf({ id: "P2", commit: "old" }), rowOf({ id: "P10", commit: "old" })];
  const { rows, notKept } = mergeResults(old, [
    rowOf({ id: "P10", commit: "new" }),
    rowOf({ id: "P1", commit: "new" }),
  ]);
  assert.deepEqual(
    rows.map(({ id, commit }) => `${id} ${commit}`),
    ["P1 new", "P2 old", "P10 new"],
  );
  assert.deepEqual(notKept, []);
});

test("a quick row never takes a full one's place, but another quick one's", () => {
  const old = [rowOf({ id: "P1", commit: "old" }), rowOf({ id: "P2", form: "quick", commit: "old" })];
  const fresh = ["P1", "P2", "P3"].map((id) => rowOf({ id, form: "quick", commit: "new" }));
  const { rows, notKept } = mergeResults(old, fresh);
  assert.deepEqual(
    rows.map(({ id, form, commit }) => `${id} ${form} ${commit}`),
    ["P1 full old", "P2 quick new", "P3 quick new"],
  );
  assert.deepEqual(notKept, ["P1"]);
});

test("numbers are shown with the digits that count", () => {
  assert.equal(formatFigure(1.2345, "×"), "1.23 ×");
  assert.equal(formatNumber(45_678.9), "45,679");
  assert.equal(formatNumber(123.4), "123");
  assert.equal(formatNumber(12.34), "12.3");
  assert.equal(formatNumber(Number.NaN), "–");
  assert.equal(formatLimit(figureOf({ direction: "at most", unit: "s" }), 3), "≤ 3 s");
});
