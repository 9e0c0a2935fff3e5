import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../base/random.ts";
import { LatencyHistogram } from "./latency-histogram.ts";

const PERCENTS = [1, 25, 50, 90, 95, 99, 99.9, 99.99, 100] as const;

test("percentiles lie within 1 % of the exact ones, from a microsecond to hours", () => {
  const random = new SeededRandom(7);
  const shapes: readonly (() => number)[] = [
    () => 0.001 + random.next() * 0.02,
    () => -Math.log(1 - random.next()) * 3,
    () => 10 ** (random.next() * 10 - 3),
  ];
  for (const draw of shapes) {
    const histogram = new LatencyHistogram();
    const exact = Array.from({ length: 50_000 }, draw);
    for (const ms of exact) histogram.record(ms);
    exact.sort((one, other) => one - other);
    for (const percent of PERCENTS) {
      const wanted = exact[Math.ceil((percent / 100) * exact.length - 1e-6) - 1] ?? 0;
      const got = histogram.percentile(percent);
      assert.ok(Math.abs(got - wanted) <= wanted * 0.01, `p${percent}: ${got}, exactly ${wanted}`);
    }
    assert.equal(histogram.figures().max, exact.at(-1));
  }
});

test("the mean, the maximum and a lone latency are exact", () => {
  const histogram = new LatencyHistogram();
  assert.deepEqual(Object.values(histogram.figures()), [0, 0, 0, 0, 0, 0, 0, 0]);
  histogram.record(12.345);
  assert.deepEqual(
    Object.values(histogram.figures()),
    Array.from({ length: 8 }, () => 12.345),
  );
  histogram.record(7.655);
  assert.equal(histogram.figures().mean, 10);
  assert.equal(histogram.figures().max, 12.345);
});

test("a merged histogram says what one that had recorded everything would", () => {
  const random = new SeededRandom(11);
  const [one, other, whole] = [new LatencyHistogram(), new LatencyHistogram(), new LatencyHistogram()];
  for (let i = 0; i < 10_000; i++) {
    const ms = random.next() * 50;
    (i % 3 === 0 ? one : other).record(ms);
    whole.record(ms);
  }
  one.add(other);
  const [{ mean, ...merged }, { mean: wholeMean, ...expected }] = [one.figures(), whole.figures()];
  assert.deepEqual(merged, expected);
  assert.ok(Math.abs(mean - wholeMean) < 1e-9);
  assert.equal(one.count, 10_000);
});

test("what is negative, zero or endless is counted at the ends, not lost", () => {
  const histogram = new LatencyHistogram();
  for (const ms of [-1, 0, 1e12]) histogram.record(ms);
  assert.equal(histogram.count, 3);
  assert.ok(histogram.percentile(50) < 0.001);
  assert.ok(histogram.percentile(100) > 1e9);
});
