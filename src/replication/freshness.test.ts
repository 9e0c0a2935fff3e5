import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import { clearMutants, plantMutant } from "../base/mutants.ts";
import { Freshness } from "./freshness.ts";

afterEach(() => clearMutants());

describe("a replica is fresh as of", () => {
  test("the sending of the echo that its leader had seen, not the coming of the leader's word (R8)", () => {
    const world = new World();
    const sentMs = world.echo(1);
    world.timers.advance(70);
    world.word({ lastEcho: 1, commit: 10 });
    world.visible(10);
    assert.equal(world.freshness.freshAtMs, sentMs);
  });

  test("the first sending, when it has echoed the same beacon several times", () => {
    const world = new World();
    const sentMs = world.echo(1);
    world.timers.advance(50);
    world.echo(1);
    world.word({ lastEcho: 1, commit: 10 });
    world.visible(10);
    assert.equal(world.freshness.freshAtMs, sentMs);
  });

  test("no moment before everything committed then can be read here", () => {
    const world = new World();
    world.echo(1);
    world.word({ lastEcho: 1, commit: 10 });
    world.visible(9);
    assert.equal(world.freshness.freshAtMs, Number.NEGATIVE_INFINITY);
    const sentMs = world.echo(2);
    world.word({ lastEcho: 2, commit: 12 });
    world.visible(11);
    assert.equal(world.freshness.freshAtMs, sentMs - 10);
    world.visible(12);
    assert.equal(world.freshness.freshAtMs, sentMs);
  });

  test("no moment that a leader without a lease speaks of (M51)", () => {
    const world = new World();
    world.echo(1);
    world.word({ lastEcho: 1, commit: 10, leaseOk: false });
    world.visible(10);
    assert.equal(world.freshness.freshAtMs, Number.NEGATIVE_INFINITY);
    plantMutant("M51");
    world.word({ lastEcho: 1, commit: 10, leaseOk: false });
    world.visible(10);
    assert.ok(world.freshness.freshAtMs > 0);
  });

  test("no moment before the leadership's first entry can be read here (R3)", () => {
    const world = new World();
    const sentMs = world.echo(1);
    world.word({ lastEcho: 1, commit: 3 });
    world.freshness.onVisible(3, false);
    assert.equal(world.freshness.freshAtMs, Number.NEGATIVE_INFINITY);
    world.freshness.onVisible(10, true);
    assert.equal(world.freshness.freshAtMs, sentMs);
  });

  test("no moment of an echo that it never sent, or sent in an older session", () => {
    const world = new World();
    world.echo(1);
    world.freshness.onSession();
    world.word({ lastEcho: 1, commit: 10 });
    world.word({ lastEcho: 7, commit: 10 });
    world.visible(10);
    assert.equal(world.freshness.freshAtMs, Number.NEGATIVE_INFINITY);
  });

  test("a moment that stays true in the next session, and does not outlive the copy", () => {
    const world = new World();
    const sentMs = world.echo(1);
    world.word({ lastEcho: 1, commit: 10 });
    world.visible(10);
    world.freshness.onSession();
    assert.equal(world.freshness.freshAtMs, sentMs);
    world.freshness.reset();
    assert.equal(world.freshness.freshAtMs, Number.NEGATIVE_INFINITY);
  });

  test("a moment that never goes back, in however long a stream", () => {
    const world = new World();
    let freshAtMs = Number.NEGATIVE_INFINITY;
    for (let i = 1; i < 5000; i++) {
      world.echo(i);
      world.word({ lastEcho: Math.max(1, i - (i % 7)), commit: i });
      if (i % 3 === 0) world.visible(i - 5);
      assert.ok(world.freshness.freshAtMs >= freshAtMs);
      freshAtMs = world.freshness.freshAtMs;
    }
    assert.ok(world.timers.nowMs() - freshAtMs < 300, `${world.timers.nowMs() - freshAtMs} ms`);
  });
});

class World {
  readonly timers = new ManualTimers();
  readonly freshness = new Freshness(this.timers);

  /** Sends an echo, ten milliseconds after what was before. Returns when. */
  echo(beacon: number): number {
    this.timers.advance(10);
    this.freshness.onEcho(beacon);
    return this.timers.nowMs();
  }

  word({ leaseOk = true, ...word }: { lastEcho: number; commit: number; leaseOk?: boolean }): void {
    this.freshness.onWord({ leaseOk, ...word });
  }

  visible(sequence: number): void {
    this.freshness.onVisible(sequence, true);
  }
}
