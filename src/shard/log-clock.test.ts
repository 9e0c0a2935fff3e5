import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Clock } from "../base/clock.ts";
import { LogClock } from "./log-clock.ts";

describe("the log clock", () => {
  test("starts at the wall clock, or at the last entry's timestamp when that is later", () => {
    assert.equal(new LogClock(new TwoClocks(5000), 0).nowMs(), 5000);
    assert.equal(new LogClock(new TwoClocks(5000), 9000).nowMs(), 9000);
    assert.equal(new LogClock(new TwoClocks(5000), 9000).lastTimestampMs, 9000);
  });

  test("goes with monotonic time, in whole milliseconds, whatever the wall clock does", () => {
    const clocks = new TwoClocks(5000);
    const clock = new LogClock(clocks, 0);
    clocks.pass(10.25);
    assert.equal(clock.nowMs(), 5010);
    clocks.wall -= 1_000_000;
    assert.equal(clock.nowMs(), 5010);
    clocks.wall += 5_000_000;
    assert.equal(clock.nowMs(), 5010);
    clocks.pass(0.75);
    assert.equal(clock.nowMs(), 5011);
  });

  test("goes on from a timestamp that is ahead of it: it never waits there for the time to catch up", () => {
    const clocks = new TwoClocks(5000);
    const clock = new LogClock(clocks, 0);
    clock.observe(60_000);
    assert.equal(clock.nowMs(), 60_000);
    clocks.pass(7);
    assert.equal(clock.nowMs(), 60_007);
    clock.observe(100);
    assert.equal(clock.lastTimestampMs, 60_000);
    assert.equal(clock.nowMs(), 60_007);
  });

  test("follows the wall clock at the start of a leadership, but only forward", () => {
    const clocks = new TwoClocks(5000);
    const clock = new LogClock(clocks, 0);
    clocks.wall += 3000;
    assert.equal(clock.nowMs(), 5000);
    clock.rebase();
    assert.equal(clock.nowMs(), 8000);
    clocks.wall -= 6000;
    clocks.pass(1);
    clock.rebase();
    assert.equal(clock.nowMs(), 8001);
  });

  test("never goes back and never stands still, whatever is observed and however the wall jumps", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("pass" as const), ms: fc.double({ min: 0, max: 50, noNaN: true }) }),
      fc.record({ kind: fc.constant("jump" as const), ms: fc.integer({ min: -100_000, max: 100_000 }) }),
      fc.record({ kind: fc.constant("observe" as const), ms: fc.integer({ min: -2000, max: 2000 }) }),
      fc.record({ kind: fc.constant("rebase" as const), ms: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
        const clocks = new TwoClocks(1_000_000);
        const clock = new LogClock(clocks, 0);
        let said = clock.nowMs();
        let newest = 0;
        for (const { kind, ms } of steps) {
          if (kind === "jump") clocks.wall += ms;
          else if (kind === "rebase") clock.rebase();
          else if (kind === "observe") {
            newest = Math.max(newest, said + ms);
            clock.observe(said + ms);
          } else {
            const before = clock.nowMs();
            clocks.pass(ms);
            assert.ok(clock.nowMs() - before >= Math.floor(ms), "all of the time that passed shows");
          }
          assert.ok(clock.nowMs() >= said && clock.nowMs() >= newest);
          assert.ok(Number.isInteger(clock.nowMs()));
          said = clock.nowMs();
          if (kind === "rebase") assert.ok(said >= Math.floor(clocks.wallMs()));
        }
      }),
      { numRuns: 500 },
    );
  });
});

/** Monotonic and wall time, each as the test wants it. */
class TwoClocks implements Clock {
  #monotonic = 77.5;
  wall: number;

  constructor(wall: number) {
    this.wall = wall;
  }

  pass(ms: number): void {
    this.#monotonic += ms;
    this.wall += ms;
  }

  nowMs(): number {
    return this.#monotonic;
  }

  wallMs(): number {
    return this.wall;
  }
}
