import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../base/random.ts";
import { InsertOrder } from "./insert-order.ts";
import { type Distribution, keyChooser } from "./key-chooser.ts";
import { KeyScrambler } from "./key-scrambler.ts";
import { zeta, Zipfian } from "./zipfian.ts";

const DRAWS = 400_000;

test("zeta behind its exact terms agrees with the plain sum", () => {
  for (const theta of [0.2, 0.5, 0.99]) {
    let sum = 0;
    for (let i = 1; i <= 200_000; i++) sum += i ** -theta;
    assert.ok(Math.abs(zeta(200_000, theta) - sum) < sum * 1e-11, `theta ${theta}`);
  }
});

test("zipfian ranks come as often as theory says", () => {
  for (const [count, theta] of [
    [1000, 0.99],
    [100_000, 0.8],
    [100, 0.5],
  ] as const) {
    const ranks = new Zipfian(count, theta, new SeededRandom(3));
    const seen = new Float64Array(count);
    for (let i = 0; i < DRAWS; i++) {
      const rank = ranks.next();
      seen[rank] = (seen[rank] ?? 0) + 1;
    }
    const total = zeta(count, theta);
    const below = (limit: number): number => seen.slice(0, limit).reduce((sum, one) => sum + one, 0) / DRAWS;
    // The first two ranks are drawn exactly; Gray's formula approximates those behind them.
    assert.ok(Math.abs(below(1) - 1 / total) < 0.003, `rank 0 of ${count}`);
    assert.ok(Math.abs(below(2) - zeta(2, theta) / total) < 0.004, `ranks 0 and 1 of ${count}`);
    for (const limit of [5, 10, 30, 100].filter((one) => one <= count)) {
      const expected = zeta(limit, theta) / total;
      assert.ok(
        Math.abs(below(limit) - expected) < 0.02,
        `first ${limit} of ${count}: ${below(limit)}, not ${expected}`,
      );
    }
    assert.equal(below(count), 1, "no rank lies outside");
  }
});

test("a grown zipfian draws as one that had the size from the beginning", () => {
  const grown = new Zipfian(10, 0.9, new SeededRandom(5));
  grown.growTo(20_000);
  const made = new Zipfian(20_000, 0.9, new SeededRandom(5));
  for (let i = 0; i < 1000; i++) assert.equal(grown.next(), made.next());
});

test("the scrambler meets every number once, and takes neighbours apart", () => {
  for (const count of [1, 2, 3, 10, 1000, 4096, 10_001]) {
    const scrambler = new KeyScrambler(count);
    const places = Array.from({ length: count }, (_, rank) => scrambler.place(rank));
    assert.equal(new Set(places).size, count);
    assert.ok(places.every((place) => place >= 0 && place < count));
    const neighbours = places.filter((place, rank) => Math.abs(place - (places[rank + 1] ?? 0)) <= 1).length;
    assert.ok(count < 1000 || neighbours < count / 50, `${neighbours} neighbours stay together`);
  }
});

test("uniform meets all keys about equally often", () => {
  const seen = countKeys("uniform", 100, 100_000);
  assert.ok(
    seen.every((count) => count > 800 && count < 1200),
    seen.join(" "),
  );
});

test("sequential goes through all keys in order, again and again", () => {
  const { choose } = chooserOf("sequential", 3);
  assert.deepEqual(Array.from({ length: 7 }, choose), [0, 1, 2, 0, 1, 2, 0]);
});

test("zipfian loads popular keys all over the key space, each rank's share on one key", () => {
  const seen = countKeys("zipfian", 1000, DRAWS).sort((one, other) => other - one);
  const total = zeta(1000, 0.99);
  for (const rank of [0, 1]) {
    const expected = (rank + 1) ** -0.99 / total;
    assert.ok(Math.abs((seen[rank] ?? 0) / DRAWS - expected) < 0.004, `rank ${rank}`);
  }
});

test("latest prefers the newest key that is there, and follows inserts", () => {
  const { choose, inserts } = chooserOf("latest", 50);
  const share = (index: number): number =>
    Array.from({ length: 20_000 }, choose).filter((one) => one === index).length / 20_000;
  const before = share(49);
  assert.ok(before > 0.15, `the newest key has ${before}`);
  for (let i = 0; i < 10; i++) inserts.done(inserts.take());
  assert.ok(share(59) > 0.15);
  assert.ok(share(49) < before / 3);
});

test("an inserted key is read only when every key before it is there; a failed insert comes again", () => {
  const inserts = new InsertOrder(10);
  assert.deepEqual([inserts.take(), inserts.take(), inserts.take()], [10, 11, 12]);
  inserts.done(12);
  inserts.done(11);
  assert.equal(inserts.presentCount, 10);
  inserts.failed(10);
  assert.equal(inserts.take(), 10);
  inserts.done(10);
  assert.equal(inserts.presentCount, 13);
  assert.equal(inserts.take(), 13);
});

test("the same seed chooses the same keys", () => {
  const [one, other] = [chooserOf("zipfian", 500).choose, chooserOf("zipfian", 500).choose];
  for (let i = 0; i < 100; i++) assert.equal(one(), other());
});

function chooserOf(distribution: Distribution, keyCount: number): { choose: () => number; inserts: InsertOrder } {
  const inserts = new InsertOrder(keyCount);
  return { choose: keyChooser({ distribution, theta: 0.99, keyCount, random: new SeededRandom(9), inserts }), inserts };
}

function countKeys(distribution: Distribution, keyCount: number, draws: number): number[] {
  const { choose } = chooserOf(distribution, keyCount);
  const seen = Array.from({ length: keyCount }, () => 0);
  for (let i = 0; i < draws; i++) {
    const index = choose();
    seen[index] = (seen[index] ?? 0) + 1;
  }
  return seen;
}
