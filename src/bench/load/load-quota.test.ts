import assert from "node:assert/strict";
import { test } from "node:test";
import { CLOSED_LOOP, openLoop } from "./load-pace.ts";
import { LoadQuota, type LoadQuotaParts } from "./load-quota.ts";

test("a schedule has operations due at its rate from the first moment on, and none after its end", () => {
  const quota = quotaOf({ pace: openLoop(100), durationMs: 1000 });
  assert.equal(quota.backlog(5000), 1);
  assert.equal(quota.backlog(5009), 1);
  assert.equal(quota.backlog(5010), 2);
  assert.equal(quota.backlog(5999), 100);
  assert.equal(quota.backlog(60_000), 100);
});

test("a latency of a schedule counts from when the operation was due, however late it is drawn", () => {
  const quota = quotaOf({ pace: openLoop(100), durationMs: 1000 });
  const starts = [0, 1, 2].map(() => quota.draw(5900));
  assert.deepEqual(starts, [5000, 5010, 5020]);
  assert.equal(quota.nextStartMs(), 5030);
});

test("what was due before the end is sent for two more seconds, and counts as never sent then", () => {
  const quota = quotaOf({ pace: openLoop(10), durationMs: 1000 });
  for (let i = 0; i < 4; i++) {
    quota.draw(5900);
    quota.start();
  }
  assert.equal(quota.isUsedUp(7900), false);
  assert.equal(quota.mayDraw(7900), true);
  assert.equal(quota.mayDraw(8000), false);
  assert.equal(quota.isUsedUp(8000), true);
  assert.equal(quota.backlog(8000), 6);
});

test("a number of operations is counted from the end of the warm-up on", () => {
  const quota = quotaOf({ pace: openLoop(10), warmupMs: 1000, countMax: 3 });
  let count = 0;
  for (; quota.mayDraw(50_000); count++) {
    quota.draw(50_000);
    quota.start();
  }
  assert.equal(count, 13);
  assert.equal(quota.isUsedUp(50_000), true);
});

test("a closed loop ends at its count once everything drawn has started; what is given back is drawn again", () => {
  const quota = quotaOf({ pace: CLOSED_LOOP, countMax: 2 });
  quota.draw(5000);
  quota.giveBack(quota.draw(5001));
  assert.equal(quota.mayDraw(5002), true);
  assert.equal(quota.draw(5002), 5002);
  quota.start();
  assert.deepEqual([quota.mayDraw(5003), quota.isUsedUp(5003)], [false, false]);
  quota.start();
  assert.equal(quota.isUsedUp(5003), true);
  assert.equal(quota.backlog(5003), 0);
});

test("a load that is stopped starts nothing more", () => {
  const closed = quotaOf({ pace: CLOSED_LOOP });
  assert.equal(closed.mayDraw(9000), true);
  closed.stop(9000);
  assert.deepEqual([closed.mayDraw(9000), closed.isUsedUp(9000)], [false, true]);
  const open = quotaOf({ pace: openLoop(1000) });
  open.stop(5010);
  assert.equal(open.backlog(9000), 10);
});

/** Begun at 5,000 ms. */
function quotaOf(parts: Partial<LoadQuotaParts>): LoadQuota {
  const quota = new LoadQuota({ pace: CLOSED_LOOP, warmupMs: 0, durationMs: Infinity, countMax: Infinity, ...parts });
  quota.begin(5000);
  return quota;
}
