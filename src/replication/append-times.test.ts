import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import { AppendTimes } from "./append-times.ts";

describe("append times", () => {
  test("tell how long ago the batch with an entry was written", () => {
    const timers = new ManualTimers();
    const times = new AppendTimes(timers);
    times.note(5);
    timers.advance(100);
    times.note(9);
    timers.advance(10);
    assert.deepEqual(
      [1, 5, 6, 9].map((sequence) => times.ageMs(sequence)),
      [110, 110, 10, 10],
    );
  });

  test("are 0 for what was not written yet, and before anything was", () => {
    const timers = new ManualTimers();
    const times = new AppendTimes(timers);
    assert.equal(times.ageMs(1), 0);
    times.note(3);
    timers.advance(50);
    assert.equal(times.ageMs(4), 0);
  });

  test("are exact for the newest entries and never too large for old ones, however many were written", () => {
    const timers = new ManualTimers();
    const times = new AppendTimes(timers);
    for (let sequence = 1; sequence <= 20_000; sequence++) {
      timers.advance(1);
      times.note(sequence);
      assert.equal(times.ageMs(sequence), 0);
      // One batch a millisecond: the age of an entry is its distance from the end.
      if (sequence > 1500) assert.equal(times.ageMs(sequence - 1000), 1000);
    }
    for (let sequence = 1; sequence <= 20_000; sequence += 97) {
      const age = times.ageMs(sequence);
      assert.ok(age <= 20_000 - sequence && age >= (20_000 - sequence) / 3, `entry ${sequence}: ${age} ms`);
    }
  });
});
