import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import { ReplicaLag } from "./replica-lag.ts";

describe("a replica's lag", () => {
  test("is nothing while everything that the leader has can be read here", () => {
    const { lag, timers } = start();
    lag.leaderLogEnd = 10;
    lag.noteVisible(10, true);
    timers.advance(5000);
    assert.deepEqual(lag.measure(10, true), { entries: 0, ms: 0 });
  });

  test("is the entries it lacks, and the time since it lacked none", () => {
    const { lag, timers } = start();
    lag.leaderLogEnd = 10;
    lag.noteVisible(10, true);
    timers.advance(300);
    lag.leaderLogEnd = 17;
    lag.noteVisible(12, true);
    timers.advance(400);
    assert.deepEqual(lag.measure(12, true), { entries: 5, ms: 700 });
    lag.noteVisible(17, true);
    assert.deepEqual(lag.measure(17, true), { entries: 0, ms: 0 });
  });

  test("without a stream grows with time, though no entry is known to be missing", () => {
    const { lag, timers } = start();
    lag.leaderLogEnd = 10;
    lag.noteVisible(10, true);
    timers.advance(1234);
    assert.deepEqual(lag.measure(10, false), { entries: 0, ms: 1234 });
  });

  test("is never negative when this log is ahead of the end last heard of", () => {
    const { lag } = start();
    lag.leaderLogEnd = 10;
    assert.deepEqual(lag.measure(12, true), { entries: 0, ms: 0 });
  });

  test("counts from the start of the process before anything was heard", () => {
    const { lag, timers } = start();
    timers.advance(800);
    assert.deepEqual(lag.measure(0, false), { entries: 0, ms: 800 });
  });
});

function start(): { readonly lag: ReplicaLag; readonly timers: ManualTimers } {
  const timers = new ManualTimers();
  timers.advance(100);
  return { lag: new ReplicaLag(timers), timers };
}
