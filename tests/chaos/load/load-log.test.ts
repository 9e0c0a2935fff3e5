import assert from "node:assert/strict";
import { test } from "node:test";
import { type Ending, LoadLog } from "./load-log.ts";

function logOf(
  ...writes: readonly (readonly [called: number, ended: number, ending: Ending, shard?: string])[]
): LoadLog {
  const log = new LoadLog();
  for (const [calledAtMs, endedAtMs, ending, shard = "a"] of writes) {
    log.note({ shard, isRead: false, calledAtMs, endedAtMs, ending });
  }
  return log;
}

test("the first acknowledgement after a moment is of a write that was called after it, of that shard", () => {
  const log = logOf([90, 105, "ok"], [101, 110, "unknown"], [102, 120, "ok", "b"], [103, 130, "ok"], [104, 140, "ok"]);
  assert.equal(log.firstAcknowledged("a", 100), 130);
  assert.equal(log.firstAcknowledged("a", 105), undefined);
});

test("the longest stall includes what lies before the first and behind the last acknowledgement", () => {
  const log = logOf([0, 10, "ok"], [20, 30, "ok"], [30, 80, "notApplied"], [30, 95, "ok"]);
  assert.equal(log.longestStallMs("a", { fromMs: 10, toMs: 100 }), 65);
  assert.equal(log.longestStallMs("a", { fromMs: 40, toMs: 200 }), 105);
  assert.equal(log.longestStallMs("b", { fromMs: 0, toMs: 50 }), 50);
});

test("endings are counted within a span, reads apart from writes", () => {
  const log = logOf([0, 10, "ok"], [0, 20, "unknown"], [0, 30, "notApplied", "b"]);
  log.note({ shard: "a", isRead: true, calledAtMs: 30, endedAtMs: 31, ending: "ok" });
  const all = log.counts({ fromMs: 15, toMs: 31 });
  assert.deepEqual(all.writes, { ok: 0, notApplied: 1, unknown: 1 });
  assert.deepEqual(all.reads, { ok: 1, notApplied: 0, unknown: 0 });
  assert.deepEqual(log.counts({ fromMs: 0, toMs: 99 }, "b").writes, { ok: 0, notApplied: 1, unknown: 0 });
  assert.equal(log.okPerSecond(40, 40), 50);
});
