import assert from "node:assert/strict";
import { test } from "node:test";
import { renderCharts } from "./charts.ts";
import type { RowResult } from "./result.ts";

test("a chart names both sides, the figure and the bar", () => {
  const row: RowResult = {
    id: "P3",
    name: "GET",
    what: "RESP GET, no pipelining, vs Redis",
    form: "full",
    date: "2026-01-02T03:04:05.000Z",
    seconds: 1,
    commit: "abc",
    faults: [],
    notes: [],
    figures: [
      {
        label: "",
        direction: "at least",
        unit: "×",
        bar: 1,
        reach: 1.1,
        median: 1.04,
        min: 0.98,
        max: 1.07,
        subject: { name: "kv", value: 72_345, unit: "ops/s" },
        peer: { name: "Redis, appendfsync always", value: 69_562, unit: "ops/s" },
      },
    ],
  };
  const charts = new Map(renderCharts([row]).map(({ name, svg }) => [name, svg]));
  assert.deepEqual([...charts.keys()], ["overview.svg", "redis.svg"]);
  const panels = charts.get("redis.svg") ?? "";
  for (const text of ["72,345", "69,562", "1.04 ×", "≥ 1", ">kv<", "Redis"]) {
    assert.ok(panels.includes(text), `${text} is missing`);
  }
  assert.match(charts.get("overview.svg") ?? "", /1\.04 × {2}\(bar ≥ 1\)/);
});

test("there is no chart of nothing", () => {
  assert.deepEqual(renderCharts([]), []);
});
