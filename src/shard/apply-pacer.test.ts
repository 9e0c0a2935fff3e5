import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import { LIMITS } from "../model/limits.ts";
import { ApplyPacer } from "./apply-pacer.ts";

describe("the pace of the applier", () => {
  test("starts a run at once when a quarter of the memtable has gathered", () => {
    const world = new World();
    world.pacer.observe(LIMITS.applyRunBytes - 1);
    assert.equal(world.runs, 0);
    world.pacer.observe(LIMITS.applyRunBytes);
    assert.equal(world.runs, 1);
    assert.ok(LIMITS.applyRunBytes <= LIMITS.memtableBytesMax / 4);
  });

  test("starts a run after five seconds, however little there is, counted from the first entry", () => {
    const world = new World();
    world.pacer.observe(1);
    world.timers.advance(3000);
    world.pacer.observe(2);
    world.timers.advance(1999);
    assert.equal(world.runs, 0);
    world.timers.advance(1);
    assert.equal(world.runs, 1);
  });

  test("starts nothing when nothing waits", () => {
    const world = new World();
    world.pacer.observe(0);
    world.timers.advance(60_000);
    assert.equal(world.runs, 0);
  });

  test("makes one run at a time, and looks again when it ends", () => {
    const world = new World();
    world.pacer.observe(LIMITS.applyRunBytes);
    world.pacer.observe(LIMITS.applyRunBytes * 2);
    world.pacer.hurry();
    world.timers.advance(60_000);
    assert.equal(world.runs, 1);
    world.pacer.finished(LIMITS.applyRunBytes);
    assert.equal(world.runs, 2);
    world.pacer.finished(5);
    world.timers.advance(LIMITS.applyDelayMs);
    assert.equal(world.runs, 3);
    world.pacer.finished(0);
    world.timers.advance(60_000);
    assert.equal(world.runs, 3);
  });

  test("in a hurry starts at once, and not a second time when the five seconds are over", () => {
    const world = new World();
    world.pacer.observe(1);
    world.pacer.hurry();
    assert.equal(world.runs, 1);
    world.pacer.finished(0);
    world.timers.advance(60_000);
    assert.equal(world.runs, 1);
  });

  test("stopped, starts nothing any more, also when a run that was under way ends", () => {
    const world = new World();
    world.pacer.observe(1);
    world.pacer.stop();
    world.timers.advance(60_000);
    world.pacer.finished(LIMITS.applyRunBytes);
    world.pacer.observe(LIMITS.applyRunBytes);
    world.pacer.hurry();
    world.timers.advance(60_000);
    assert.equal(world.runs, 0);
  });
});

class World {
  readonly timers = new ManualTimers();
  runs = 0;
  readonly pacer = new ApplyPacer(this.timers, () => {
    this.runs++;
  });
}
