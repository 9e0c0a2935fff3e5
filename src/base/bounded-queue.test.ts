import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { BoundedQueue } from "./bounded-queue.ts";

describe("a bounded queue", () => {
  test("hands items out in the order in which they came", () => {
    const queue = new BoundedQueue<number>(100);
    for (let i = 0; i < 50; i++) queue.push(i);
    assert.equal(queue.peek(), 0);
    assert.deepEqual(
      Array.from({ length: 51 }, () => queue.take()),
      [...Array(50).keys(), undefined],
    );
  });

  test("says no when it is full, and takes items again once one is out", () => {
    const queue = new BoundedQueue<string>(2);
    assert.ok(queue.push("a"));
    assert.ok(queue.push("b"));
    assert.ok(queue.isFull);
    assert.equal(queue.push("c"), false);
    assert.equal(queue.count, 2);
    assert.equal(queue.take(), "a");
    assert.ok(queue.push("d"));
    assert.deepEqual([queue.take(), queue.take(), queue.take()], ["b", "d", undefined]);
  });

  test("with a bound of zero takes nothing", () => {
    const queue = new BoundedQueue<string>(0);
    assert.equal(queue.push("a"), false);
    assert.equal(queue.peek(), undefined);
  });

  test("agrees with an array, whatever its bound", () => {
    const steps = fc.array(fc.constantFrom("push", "push", "take", "peek"), { maxLength: 300 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 70 }), steps, (countMax, all) => {
        const queue = new BoundedQueue<number>(countMax);
        const model: number[] = [];
        for (const [i, step] of all.entries()) {
          if (step === "take") assert.equal(queue.take(), model.shift());
          else if (step === "peek") assert.equal(queue.peek(), model[0]);
          else {
            assert.equal(queue.push(i), model.length < countMax);
            if (model.length < countMax) model.push(i);
          }
          assert.equal(queue.count, model.length);
          assert.equal(queue.isFull, model.length >= countMax);
        }
      }),
      { numRuns: 300 },
    );
  });
});
