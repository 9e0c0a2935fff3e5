import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import { LeadershipProbe } from "./leadership-probe.ts";
import { PromisedLease, StaticLease, type TermLease } from "./term-lease.ts";

describe("a leader that trusts no clock", () => {
  test("asks everybody at once, and is sure when all have echoed what was sent after the question arose", () => {
    const world = new World(["b", "c"]);
    const earlier = world.lease.beacon();
    const after = world.probe.begin();
    assert.deepEqual(world.sent, [earlier + 1]);
    world.lease.onEcho("b", earlier);
    world.lease.onEcho("c", earlier);
    assert.ok(!world.lease.hasProof(after), "an older beacon proves nothing about now");
    world.lease.onEcho("b", earlier + 1);
    assert.ok(!world.lease.hasProof(after), "one of two has answered");
    world.lease.onEcho("c", earlier + 1);
    assert.ok(world.lease.hasProof(after));
  });

  test("takes the echo of any later frame for an answer", () => {
    const world = new World(["b"]);
    const after = world.probe.begin();
    world.lease.onEcho("b", world.lease.beacon());
    assert.ok(world.lease.hasProof(after));
  });

  test("has one question under way: those that arise meanwhile share the next", () => {
    const world = new World(["b"]);
    const first = world.probe.begin();
    const later = Array.from({ length: 100 }, () => world.probe.begin());
    assert.equal(world.sent.length, 1);
    world.echo("b");
    assert.ok(world.lease.hasProof(first));
    assert.ok(later.every((after) => !world.lease.hasProof(after)));
    assert.equal(world.sent.length, 2);
    world.echo("b");
    assert.ok(later.every((after) => world.lease.hasProof(after)));
    assert.equal(world.sent.length, 2);
  });

  test("asks again when no answer comes, as long as somebody waits for one", () => {
    const world = new World(["b"]);
    world.probe.begin();
    world.advance(90);
    assert.equal(world.sent.length, 1);
    world.advance(300);
    assert.equal(world.sent.length, 4);
    world.echo("b");
    world.advance(1000);
    assert.equal(world.sent.length, 4);
  });

  test("is sure without asking when nobody else is in its set (L9)", () => {
    const world = new World([]);
    assert.ok(world.lease.hasProof(world.probe.begin()));
    assert.deepEqual(world.sent, []);
  });

  test("believes no echo of what it never sent", () => {
    const world = new World(["b"]);
    const after = world.probe.begin();
    world.lease.onEcho("b", 1_000_000);
    assert.ok(!world.lease.hasProof(after));
  });

  test("proves nothing while it hands over, not even to itself alone", () => {
    const parts = { leaseMs: 1500, silenceMs: () => 0, isFlushStuck: () => false };
    const lease = new PromisedLease({ clock: new ManualTimers(), ...parts, others: () => [] });
    lease.suspend(true);
    assert.ok(!lease.hasProof(0));
    assert.equal(lease.freshBeacon(), 0);
    lease.suspend(false);
    assert.ok(lease.hasProof(0));
  });
});

class World {
  readonly timers = new ManualTimers();
  readonly sent: number[] = [];
  readonly lease: TermLease;
  readonly probe: LeadershipProbe;

  constructor(others: readonly string[]) {
    this.lease = new StaticLease(() => others);
    this.probe = new LeadershipProbe({
      clock: this.timers,
      lease: this.lease,
      send: (beacon) => this.sent.push(beacon),
    });
  }

  /** The newest question is answered. */
  echo(node: string): void {
    this.lease.onEcho(node, this.sent.at(-1) ?? 0);
    this.probe.goOn();
  }

  advance(durationMs: number): void {
    for (let passedMs = 0; passedMs < durationMs; passedMs += 10) {
      this.timers.advance(10);
      this.probe.goOn();
    }
  }
}
