import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import { ReplicaLag } from "./replica-lag.ts";

describe("a replica's lag", () => {
  test("is nothing while everything that the leader has can be read here", () => {
    const { lag, timers } = start();
    hear(lag, 10);
    lag.noteVisible(10, true);
    timers.advance(5000);
    assert.deepEqual(lag.measure(10, true), { entries: 0, ms: 0 });
  });

  test("is the entries it lacks, and the time since it lacked none", () => {
    const { lag, timers } = start();
    hear(lag, 10);
    lag.noteVisible(10, true);
    timers.advance(300);
    hear(lag, 17);
    lag.noteVisible(12, true);
    timers.advance(400);
    assert.deepEqual(lag.measure(12, true), { entries: 5, ms: 700 });
    lag.noteVisible(17, true);
    assert.deepEqual(lag.measure(17, true), { entries: 0, ms: 0 });
  });

  test("under a steady load is the time since the leader had no more than can be read here now", () => {
    const { lag, timers } = start();
    for (let step = 1; step <= 1000; step++) {
      timers.advance(20);
      hear(lag, 10 * step);
      lag.noteVisible(10 * (step - 5), true);
      if (step > 10) assert(lag.measure(10 * (step - 5), true).ms <= 200, `step ${step}`);
    }
    assert.equal(lag.measure(9950, true).entries, 50);
  });

  test("grows while nothing more can be read here, however much the leader says, and shrinks when that goes on", () => {
    const { lag, timers } = start();
    hear(lag, 10);
    lag.noteVisible(10, true);
    for (let step = 1; step <= 1000; step++) {
      timers.advance(20);
      hear(lag, 10 + step);
      lag.noteVisible(10, true);
    }
    assert.deepEqual(lag.measure(10, true), { entries: 1000, ms: 20_000 });
    lag.noteVisible(110, true);
    const { ms } = lag.measure(110, true);
    assert(ms >= 18_000 && ms <= 18_200, `${ms}`);
    lag.noteVisible(1010, true);
    assert.deepEqual(lag.measure(1010, true), { entries: 0, ms: 0 });
  });

  test("does not wait for the end of a leader that is another's replica now", () => {
    const { lag, timers } = start();
    hear(lag, 1000);
    lag.onSession();
    timers.advance(500);
    hear(lag, 20);
    timers.advance(50);
    hear(lag, 25);
    lag.noteVisible(20, true);
    assert.deepEqual(lag.measure(20, true), { entries: 5, ms: 50 });
  });

  test("without a stream grows with time, though no entry is known to be missing", () => {
    const { lag, timers } = start();
    hear(lag, 10);
    lag.noteVisible(10, true);
    timers.advance(1234);
    assert.deepEqual(lag.measure(10, false), { entries: 0, ms: 1234 });
  });

  test("is never negative when this log is ahead of the end last heard of", () => {
    const { lag } = start();
    hear(lag, 10);
    assert.deepEqual(lag.measure(12, true), { entries: 0, ms: 0 });
  });

  test("counts from the start of the process before anything was heard", () => {
    const { lag, timers } = start();
    timers.advance(800);
    assert.deepEqual(lag.measure(0, false), { entries: 0, ms: 800 });
  });
});

/** A message of the leader whose log ends with `logEnd`; it proves nothing about freshness. */
function hear(lag: ReplicaLag, logEnd: number): void {
  lag.heard({ logEnd, leaseOk: false, lastEcho: 0, commit: 0 }, false);
}

function start(): { readonly lag: ReplicaLag; readonly timers: ManualTimers } {
  const timers = new ManualTimers();
  timers.advance(100);
  return { lag: new ReplicaLag(timers), timers };
}
