import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import { FollowerPromise } from "./follower-promise.ts";
import { ReadLease } from "./read-lease.ts";

const LEASE_MS = 1500;
const GRACE_MS = 2000;

function newLease(): { readonly timers: ManualTimers; readonly lease: ReadLease; pass: (ms: number) => void } {
  const timers = new ManualTimers();
  const lease = new ReadLease({ clock: timers, leaseMs: LEASE_MS });
  const pass = (ms: number): void => {
    for (let left = ms; left > 0; left -= 50) {
      timers.advance(Math.min(50, left));
      lease.tick();
    }
  };
  return { timers, lease, pass };
}

describe("the lease of a leader", () => {
  test("holds without others, and not before each of them has echoed", () => {
    const { lease } = newLease();
    assert.equal(lease.holds([]), true);
    const beacon = lease.beacon();
    lease.onEcho("b", beacon);
    assert.equal(lease.holds(["b"]), true);
    assert.equal(lease.holds(["b", "c"]), false);
    lease.onEcho("c", beacon);
    assert.equal(lease.holds(["b", "c"]), true);
  });

  test("ends the lease time after the beacon was sent, however late its echo came", () => {
    const { lease, pass } = newLease();
    const beacon = lease.beacon();
    pass(1000);
    lease.onEcho("b", beacon);
    assert.equal(lease.remainingMs(["b"]), 500);
    pass(499);
    assert.equal(lease.holds(["b"]), true);
    pass(1);
    assert.equal(lease.holds(["b"]), false);
  });

  test("goes by the member that was silent for longest", () => {
    const { lease, pass } = newLease();
    lease.onEcho("b", lease.beacon());
    lease.onEcho("c", lease.beacon());
    pass(1000);
    lease.onEcho("b", lease.beacon());
    assert.equal(lease.remainingMs(["b"]), LEASE_MS);
    assert.equal(lease.remainingMs(["b", "c"]), 500);
  });

  test("a beacon shared by frames stands for the first of them", () => {
    const { lease, pass } = newLease();
    const first = lease.beacon();
    pass(4);
    assert.equal(lease.beacon(), first);
    lease.onEcho("b", first);
    assert.equal(lease.remainingMs(["b"]), LEASE_MS - 4);
    assert.notEqual(lease.freshBeacon(), first);
  });

  test("a loop that stood still trusts only what was sent after it", () => {
    const { lease, timers } = newLease();
    const before = lease.beacon();
    lease.onEcho("b", before);
    timers.advance(301);
    assert.equal(lease.holds(["b"]), false);
    lease.onEcho("b", before);
    assert.equal(lease.holds(["b"]), false);
    lease.onEcho("b", lease.beacon());
    assert.equal(lease.holds(["b"]), true);
  });

  test("an old echo that comes late takes nothing away, and one of an unknown beacon grants nothing", () => {
    const { lease, pass } = newLease();
    const old = lease.beacon();
    pass(100);
    lease.onEcho("b", lease.beacon());
    lease.onEcho("b", old);
    assert.equal(lease.remainingMs(["b"]), LEASE_MS);
    lease.onEcho("c", 4711);
    assert.equal(lease.holds(["c"]), false);
  });
});

describe("the promise of a replica", () => {
  test("is owed for the whole grace time after a start, and renewed by every frame", () => {
    const timers = new ManualTimers();
    const promise = new FollowerPromise(timers, GRACE_MS);
    assert.equal(promise.remainingMs, GRACE_MS);
    timers.advance(1500);
    promise.renew();
    timers.advance(1999);
    assert.equal(promise.remainingMs, 1);
    timers.advance(1);
    assert.equal(promise.remainingMs, 0);
  });
});
