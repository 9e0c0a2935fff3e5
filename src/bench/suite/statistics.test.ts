import assert from "node:assert/strict";
import { test } from "node:test";
import { median, quantile, spreadOf } from "./statistics.ts";

test("the median is the middle value, whatever the order", () => {
  assert.equal(median([5, 1, 9]), 5);
  assert.equal(median([10, 9, 1, 2]), 5.5);
  assert.equal(median([]), 0);
});

test("a spread names the outermost rounds, and none is refused", () => {
  assert.deepEqual(spreadOf([1.2, 0.9, 1.1, 1.0, 1.5]), { median: 1.1, min: 0.9, max: 1.5 });
  assert.throws(() => spreadOf([]), /no round/);
});

test("a quantile is a value that occurred", () => {
  const values = Array.from({ length: 200 }, (_, index) => 200 - index);
  assert.equal(quantile(values, 0.99), 198);
  assert.equal(quantile([7], 0.99), 7);
  assert.equal(quantile([3, 1, 2], 0), 1);
});
