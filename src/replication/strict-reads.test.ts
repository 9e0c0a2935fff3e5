import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { errorOf, get, OperationsWorld, set, summaryOf } from "../../tests/support/operations-world.ts";
import { clearMutants, plantMutant } from "../base/mutants.ts";
import { LIMITS } from "../model/limits.ts";
import type { RequestOptions } from "../model/operation.ts";

const STRICT: RequestOptions = { consistency: "strict", durability: null };

afterEach(() => clearMutants());

describe("a strict read", () => {
  test("waits for the proof that was asked for after it came, whatever the lease says", () => {
    const world = new OperationsWorld();
    world.settled(set("k", "v"));
    world.proven = world.proofCount;
    const [reply] = world.ask(get("k"), STRICT);
    assert.equal(world.proofCount, 1);
    world.hasLease = false;
    world.answers.onLease();
    assert.equal(reply(), null);
    world.proven = 2;
    world.answers.onLease();
    assert.equal(summaryOf(reply()), '"v" @2');
  });

  test("answers with the value of the moment at which it came", () => {
    const world = new OperationsWorld();
    world.settled(set("k", "old"));
    const [reply] = world.ask(get("k"), STRICT);
    world.settled(set("k", "new"));
    world.proven = 2;
    world.answers.onLease();
    assert.equal(summaryOf(reply()), '"old" @2');
  });

  test("is also a condition that does not hold (R6)", () => {
    const world = new OperationsWorld();
    const [reply] = world.ask(set("k", "v", { kind: "present" }), STRICT);
    assert.equal(reply(), null);
    world.proven = 2;
    world.answers.onLease();
    assert.match(summaryOf(reply()) ?? "", /not met/);
  });

  test("is busy after a second without a proof, and counts as refused for want of it", () => {
    const world = new OperationsWorld();
    const [reply] = world.ask(get("k"), STRICT);
    world.timers.advance(LIMITS.readWaitMsMax + 100);
    assert.deepEqual([errorOf(reply()).code, errorOf(reply()).outcome], ["BUSY", "not_applied"]);
    assert.equal(world.answers.leaseRefusalCount, 1);
  });

  test("asks for no proof when it is a write, or a read that trusts the lease", () => {
    const world = new OperationsWorld();
    world.settled(set("k", "v"), STRICT);
    world.settled(get("k"));
    assert.equal(world.proofCount, 0);
  });
});

describe("a read under the lease", () => {
  test("is checked when what was read is committed, not when it came (L3, M13)", () => {
    const answered = (): string | null => {
      const world = new OperationsWorld("in-sync");
      world.replicasAnswer = false;
      world.ask(set("k", "v"));
      const [reply] = world.ask(get("k"));
      world.hasLease = false;
      world.replicasAnswer = true;
      world.settle();
      world.advanceCommit();
      return summaryOf(reply());
    };
    assert.equal(answered(), null);
    plantMutant("M13");
    assert.equal(answered(), '"v" @2');
  });
});
