import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Watermark } from "./watermark.ts";

describe("a watermark", () => {
  test("calls a waiter at once when its position is already reached", () => {
    const mark = new Watermark(5);
    const told: string[] = [];
    mark.whenReached(5, (reached) => told.push(`5 ${reached}`));
    mark.whenReached(3, (reached) => told.push(`3 ${reached}`));
    assert.deepEqual(told, ["5 true", "3 true"]);
    assert.equal(mark.waitingCount, 0);
  });

  test("wakes waiters in order of position, then of arrival", () => {
    for (const distance of [4, 1_000_000]) {
      const mark = new Watermark(0);
      const told: string[] = [];
      for (const name of ["3a", "1a", "2a", "3b", "1b"]) {
        mark.whenReached(Number(name[0]), () => void told.push(name));
      }
      mark.advance(2);
      assert.deepEqual(told, ["1a", "1b", "2a"]);
      mark.advance(distance);
      assert.deepEqual(told, ["1a", "1b", "2a", "3a", "3b"]);
    }
  });

  test("never moves back by advancing, and wakes nobody then", () => {
    const mark = new Watermark(7);
    mark.whenReached(8, () => assert.fail("8 was not reached"));
    mark.advance(7);
    mark.advance(3);
    assert.equal(mark.value, 7);
    assert.equal(mark.waitingCount, 1);
  });

  test("gives up on all waiters with false, in order, and calls none of them again", () => {
    const mark = new Watermark(0);
    const told: string[] = [];
    for (const position of [9, 4, 6]) mark.whenReached(position, (reached) => told.push(`${position} ${reached}`));
    mark.abandon();
    assert.deepEqual(told, ["4 false", "6 false", "9 false"]);
    mark.advance(100);
    assert.equal(told.length, 3);
  });

  test("keeps the order when a waiter moves the mark further", () => {
    const mark = new Watermark(0);
    const told: number[] = [];
    mark.whenReached(1, () => {
      told.push(1);
      mark.advance(9);
    });
    for (const position of [2, 1, 9, 3]) mark.whenReached(position, () => void told.push(position));
    mark.advance(3);
    assert.deepEqual(told, [1, 1, 2, 3, 9]);
    assert.equal(mark.value, 9);
  });

  test("calls a waiter that another waiter adds: at once when reached, else later", () => {
    const mark = new Watermark(0);
    const told: string[] = [];
    mark.whenReached(2, () => {
      mark.whenReached(1, () => void told.push("1"));
      mark.whenReached(3, () => void told.push("3"));
      told.push("2");
    });
    mark.advance(2);
    assert.deepEqual(told, ["1", "2"]);
    mark.advance(3);
    assert.deepEqual(told, ["1", "2", "3"]);
  });

  test("tells those it has passed that it was reached when a waiter gives up on the rest", () => {
    const mark = new Watermark(0);
    const told: string[] = [];
    mark.whenReached(1, () => mark.abandon());
    mark.whenReached(2, (reached) => told.push(`2 ${reached}`));
    mark.whenReached(5, (reached) => told.push(`5 ${reached}`));
    mark.advance(2);
    assert.deepEqual(told, ["2 true", "5 false"]);
  });

  test("goes on waking others after a waiter threw", () => {
    const mark = new Watermark(0);
    mark.whenReached(1, () => {
      throw new Error("broken");
    });
    assert.throws(() => mark.advance(1), /broken/);
    let isWoken = false;
    mark.whenReached(2, () => {
      isWoken = true;
    });
    mark.advance(2);
    assert.ok(isWoken);
  });

  test("agrees with a plain list of waiters", () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant("wait" as const), by: fc.integer({ min: -3, max: 40 }) }) },
      {
        weight: 3,
        arbitrary: fc.record({ kind: fc.constant("advance" as const), by: fc.integer({ min: -2, max: 12 }) }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("jump" as const), by: fc.constant(1000) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("abandon" as const), by: fc.constant(0) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const mark = new Watermark(10);
        const told: string[] = [];
        const expected: string[] = [];
        let value = 10;
        let waiting: { readonly position: number; readonly id: number }[] = [];
        for (const [id, { kind, by }] of steps.entries()) {
          if (kind === "wait") {
            mark.whenReached(value + by, (reached) => told.push(`${id} ${reached}`));
            if (by <= 0) expected.push(`${id} true`);
            else waiting.push({ position: value + by, id });
            continue;
          }
          if (kind === "abandon") mark.abandon();
          else mark.advance(value + by);
          if (kind !== "abandon") value = Math.max(value, value + by);
          waiting.sort((a, b) => a.position - b.position);
          for (const { position, id: waiter } of waiting) {
            if (position <= value || kind === "abandon") expected.push(`${waiter} ${position <= value}`);
          }
          waiting = kind === "abandon" ? [] : waiting.filter(({ position }) => position > value);
        }
        assert.deepEqual(told, expected);
        assert.equal(mark.value, value);
        assert.equal(mark.waitingCount, new Set(waiting.map(({ position }) => position)).size);
      }),
      { numRuns: 500 },
    );
  });
});
