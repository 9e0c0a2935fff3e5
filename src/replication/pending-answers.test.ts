import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import { proveCaught } from "../../tests/support/prove-caught.ts";
import { LIMITS } from "../model/limits.ts";
import type { Reply } from "../model/operation.ts";
import type { Sequence } from "../model/position.ts";
import { PendingAnswers, type Guarantee } from "./pending-answers.ts";

describe("an answer that is owed", () => {
  test("goes out at once when its position is already safe", () => {
    const world = new World(5);
    world.owe("a", 5);
    assert.deepEqual(world.told, ["a ok"]);
  });

  test("goes out when its own guarantee reaches its position, not before and not by the other one", () => {
    const world = new World();
    world.owe("flushed", 3, { guarantee: "flushed" });
    world.owe("in-sync", 3, { guarantee: "in-sync" });
    world.answers.advance("flushed", 2);
    assert.deepEqual(world.told, []);
    world.answers.advance("flushed", 3);
    assert.deepEqual(world.told, ["flushed ok"]);
    world.answers.advance("in-sync", 2);
    assert.equal(world.told.length, 1);
    world.answers.advance("in-sync", 9);
    assert.deepEqual(world.told, ["flushed ok", "in-sync ok"]);
    assert.equal(world.answers.reached("in-sync"), 9);
  });

  test("go out in the order of the log", () => {
    const world = new World();
    const owed = { c: 7, a: 2, b: 4, a2: 2 };
    for (const [name, sequence] of Object.entries(owed)) world.owe(name, sequence);
    world.answers.advance("in-sync", 7);
    assert.deepEqual(world.told, ["a ok", "a2 ok", "b ok", "c ok"]);
  });

  test("of a write that waited too long is unknown, never a definite failure (K3, U1, M07)", () => {
    proveCaught("M07", () => {
      const world = new World();
      world.owe("write", 1);
      world.timers.advance(LIMITS.writeWaitMsMax - 1);
      world.answers.sweep();
      assert.deepEqual(world.told, []);
      world.timers.advance(1);
      world.answers.sweep();
      assert.deepEqual(world.told, ["write UNKNOWN_OUTCOME unknown"]);
      assert.equal(world.answers.unknownCount, 1);
    });
  });

  test("of a read that waited too long is busy, definitely (R2), sooner than a write's", () => {
    const world = new World();
    world.owe("write", 1);
    world.owe("read", 1, { isWrite: false });
    world.timers.advance(LIMITS.readWaitMsMax);
    world.answers.sweep();
    assert.deepEqual(world.told, ["read BUSY not_applied"]);
    world.timers.advance(LIMITS.writeWaitMsMax);
    world.answers.sweep();
    assert.deepEqual(world.told, ["read BUSY not_applied", "write UNKNOWN_OUTCOME unknown"]);
  });

  test("at the end of the leadership goes out then: writes unknown, reads busy (K2)", () => {
    proveCaught("M07", () => {
      const world = new World();
      world.owe("write", 4);
      world.owe("read", 3, { isWrite: false });
      world.owe("other", 2, { guarantee: "flushed" });
      world.answers.abandon();
      const expected = ["other UNKNOWN_OUTCOME unknown", "read BUSY not_applied", "write UNKNOWN_OUTCOME unknown"];
      assert.deepEqual(world.told, expected);
    });
  });

  test("never goes out by the position of a later leadership (K2, M06)", () => {
    const world = new World();
    world.owe("write", 4);
    world.answers.abandon();
    const later = new PendingAnswers(world.timers, 3, () => true);
    later.advance("in-sync", 100);
    world.answers.advance("in-sync", 100);
    assert.deepEqual(world.told, ["write UNKNOWN_OUTCOME unknown"]);
  });

  test("given up is not given again when its position is reached later", () => {
    const world = new World();
    world.owe("write", 4);
    world.timers.advance(LIMITS.writeWaitMsMax);
    world.answers.sweep();
    world.answers.advance("in-sync", 4);
    world.answers.abandon();
    assert.equal(world.told.length, 1);
  });

  test("may bring the next question, also while answers are given up", () => {
    const world = new World();
    world.owe("first", 1, {}, () => world.owe("second", 2));
    world.timers.advance(LIMITS.writeWaitMsMax);
    world.answers.sweep();
    assert.deepEqual(world.told, ["first UNKNOWN_OUTCOME unknown"]);
    world.answers.advance("in-sync", 2);
    assert.deepEqual(world.told, ["first UNKNOWN_OUTCOME unknown", "second ok"]);
  });

  test("goes out exactly once, whatever happens, and ok only when its position was reached", () => {
    const guarantee = fc.constantFrom<Guarantee>("flushed", "in-sync");
    const step = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({
          kind: fc.constant("owe" as const),
          guarantee,
          by: fc.integer({ min: -1, max: 10 }),
          isWrite: fc.boolean(),
        }),
      },
      {
        weight: 3,
        arbitrary: fc.record({ kind: fc.constant("advance" as const), guarantee, by: fc.integer({ min: 0, max: 5 }) }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.constantFrom(10, 999, 1000, 4000, 6000) }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("sweep" as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("abandon" as const) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const world = new World();
        const marks = { flushed: 0, "in-sync": 0 };
        const owed = new Map<string, { guarantee: Guarantee; sequence: Sequence; isWrite: boolean }>();
        const check = (name: string, told: string): void => {
          const {
            guarantee: kind,
            sequence,
            isWrite,
          } = owed.get(name) ?? assert.fail(`${name} was not owed, or twice`);
          owed.delete(name);
          if (told === "ok") assert.ok(sequence <= marks[kind]);
          else assert.equal(told, isWrite ? "UNKNOWN_OUTCOME unknown" : "BUSY not_applied");
        };
        for (const [i, one] of steps.entries()) {
          if (one.kind === "owe") {
            const sequence = marks[one.guarantee] + one.by;
            owed.set(`${i}`, { guarantee: one.guarantee, sequence, isWrite: one.isWrite });
            world.owe(`${i}`, sequence, one);
          } else if (one.kind === "advance") {
            marks[one.guarantee] += one.by;
            world.answers.advance(one.guarantee, marks[one.guarantee]);
          } else if (one.kind === "wait") world.timers.advance(one.ms);
          else if (one.kind === "sweep") world.answers.sweep();
          else world.answers.abandon();
          for (const told of world.told.splice(0)) check(told.split(" ")[0] ?? "", told.slice(told.indexOf(" ") + 1));
          for (const left of owed.values()) assert.ok(one.kind !== "abandon" && left.sequence > marks[left.guarantee]);
        }
        world.answers.abandon();
        assert.equal(world.told.length, owed.size);
      }),
      { numRuns: 400 },
    );
  });

  test("a read whose value is committed goes out only under the lease, a write needs none (R4, K1)", () => {
    const world = new World(5);
    world.mayRead = false;
    world.owe("read of old", 5, { isWrite: false });
    world.owe("read", 6, { isWrite: false });
    world.owe("write", 6);
    world.answers.advance("in-sync", 6);
    assert.deepEqual(world.told, ["write ok"]);
    world.answers.onLease();
    assert.deepEqual(world.told, ["write ok"], "the lease has not come back");
    world.mayRead = true;
    world.answers.onLease();
    assert.deepEqual(world.told, ["write ok", "read of old ok", "read ok"]);
  });

  test("a read that waits in vain for the lease is definitely busy, and the others go on waiting", () => {
    const world = new World(5);
    world.mayRead = false;
    world.owe("first", 5, { isWrite: false });
    world.timers.advance(600);
    world.owe("second", 5, { isWrite: false });
    world.timers.advance(500);
    world.answers.sweep();
    assert.deepEqual(world.told, ["first BUSY not_applied"]);
    world.answers.abandon();
    assert.deepEqual(world.told, ["first BUSY not_applied", "second BUSY not_applied"]);
    assert.equal(world.answers.unknownCount, 0);
  });
});

/** Answers owed by one leadership; what was told, in order. */
class World {
  readonly timers = new ManualTimers();
  readonly told: string[] = [];
  mayRead = true;
  readonly answers: PendingAnswers;

  constructor(start: Sequence = 0) {
    this.answers = new PendingAnswers(this.timers, start, () => this.mayRead);
  }

  owe(
    name: string,
    sequence: Sequence,
    options: { guarantee?: Guarantee; isWrite?: boolean } = {},
    then: () => void = () => {},
  ): void {
    const { guarantee = "in-sync", isWrite = true } = options;
    const answerer = { shard: "Delhi", node: "a", role: "leader", lagMs: 0 } as const;
    const reply: Reply = {
      ok: true,
      result: { kind: "absent" },
      answerer,
      position: { epoch: 1, lineage: 0, sequence },
    };
    this.answers.add({ sequence, guarantee, isWrite }, reply, (answer) => {
      this.told.push(answer.ok ? `${name} ok` : `${name} ${answer.error.code} ${answer.error.outcome}`);
      then();
    });
  }
}
