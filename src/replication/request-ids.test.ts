import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { errorOf, get, increment, OperationsWorld, set, summaryOf } from "../../tests/support/operations-world.ts";
import { clearMutants, plantMutant } from "../base/mutants.ts";
import { LIMITS } from "../model/limits.ts";
import type { BatchOperation, Operation, Reply, RequestOptions } from "../model/operation.ts";

afterEach(() => clearMutants());

describe("a request with an id", () => {
  test("that is made again has its effect once, and the same answer at the same place in the log (U2)", () => {
    const world = new OperationsWorld();
    const first = world.settled(increment("n"), named("a"));
    const again = world.settled(increment("n"), named("a"));
    assert.ok(first?.ok === true && again?.ok === true);
    assert.equal(summaryOf(again), "1 @2");
    assert.deepEqual(again.position, first.position);
    assert.equal(summaryOf(world.settled(increment("n"), named("b"))), "2 @3");
  });

  test("is remembered in the entry that holds its effect", () => {
    const world = new OperationsWorld();
    const before = world.store.lastSequence;
    world.settled(set("k", "v"), named("a"));
    assert.equal(world.store.lastSequence, before + 1);
    assert.equal(world.rowOf("a")?.sequence, before + 1);
  });

  test("that is in flight is joined: both answers wait for the same entry (M61)", () => {
    const world = new OperationsWorld("in-sync");
    world.replicasAnswer = false;
    const [first] = world.ask(increment("n"), named("a"));
    const [again] = world.ask(increment("n"), named("a"));
    world.settle();
    assert.deepEqual([first(), again()], [null, null]);
    world.replicasAnswer = true;
    world.advanceCommit();
    assert.deepEqual([summaryOf(first()), summaryOf(again())], ["1 @2", "1 @2"]);
  });

  test("that is in flight and comes to nothing leaves the fate of both open", () => {
    const world = new OperationsWorld("in-sync");
    world.replicasAnswer = false;
    const [first] = world.ask(increment("n"), named("a"));
    const [again] = world.ask(increment("n"), named("a"));
    world.answers.abandon();
    assert.equal(errorOf(first()).code, "UNKNOWN_OUTCOME");
    assert.equal(errorOf(again()).code, "UNKNOWN_OUTCOME");
  });

  test("is answered again from what is committed, also to who asked for less", () => {
    const world = new OperationsWorld("in-sync");
    world.replicasAnswer = false;
    const [first] = world.ask(increment("n"), { ...named("a"), durability: "async" });
    world.settle();
    assert.equal(summaryOf(first()), "1 @2");
    const [again] = world.ask(increment("n"), { ...named("a"), durability: "async" });
    world.settle();
    assert.equal(again(), null);
  });

  test("that differs is refused, whatever is different", () => {
    const world = new OperationsWorld();
    world.settled(set("k", "v"), named("a"));
    const others: readonly Operation[] = [
      set("k", "w"),
      set("l", "v"),
      increment("k"),
      set("k", "v", { kind: "absent" }),
    ];
    for (const other of others) {
      const error = errorOf(world.settled(other, named("a")));
      assert.deepEqual([error.code, error.outcome], ["REQUEST_ID_REUSED", "not_applied"]);
    }
    assert.equal(summaryOf(world.settled(get("k"))), '"v" @2');
  });

  test("that had no effect is done anew: nothing is remembered of it", () => {
    const world = new OperationsWorld();
    assert.equal(summaryOf(world.settled(set("k", "v", { kind: "present" }), named("a"))), 'not met by "undefined"');
    assert.equal(world.rowOf("a"), null);
    world.settled(set("k", "old"));
    assert.equal(summaryOf(world.settled(set("k", "v", { kind: "present" }), named("a"))), "replaced @3");
  });

  test("keeps all results of a batch, what was read and what failed among them", () => {
    const world = new OperationsWorld();
    world.settled(set("text", "no number"));
    const batch: BatchOperation = { kind: "batch", operations: [set("k", "v"), get("k"), increment("text")] };
    const first = world.settled(batch, named("a"));
    world.settled(set("k", "other"));
    assert.deepEqual(batchSummary(world.settled(batch, named("a"))), batchSummary(first));
    assert.deepEqual(batchSummary(first), ["created @3", '"v" @3', "NOT_AN_INTEGER"]);
  });

  test("whose answer is too large to be kept is refused before anything is appended", () => {
    const world = new OperationsWorld();
    world.settled(set("k", "x".repeat(LIMITS.keptResultBytesMax)));
    const before = world.store.lastSequence;
    const batch: BatchOperation = { kind: "batch", operations: [set("l", "v"), get("k")] };
    assert.equal(errorOf(world.settled(batch, named("a"))).code, "VALUE_TOO_LARGE");
    assert.equal(world.store.lastSequence, before);
  });

  test("cannot be a clear, which has no row to be remembered in", () => {
    const world = new OperationsWorld();
    assert.equal(errorOf(world.settled({ kind: "clear" }, named("a"))).code, "INVALID_ARGUMENT");
  });

  test("is found in the tree as it was in the memtable, and after FLUSHALL", () => {
    const world = new OperationsWorld();
    world.settled(increment("n"), named("a"));
    world.settled({ kind: "clear" });
    world.inTree();
    assert.equal(world.store.tree.stats().requestIdCount, 1);
    assert.equal(summaryOf(world.settled(increment("n"), named("a"))), "1 @2");
    assert.equal(summaryOf(world.settled(increment("n"), named("b"))), "1 @4");
  });
});

describe("what is remembered of requests", () => {
  test("is bounded: a new one with an id is refused, one without is not, and one that is known is answered", () => {
    const world = new OperationsWorld("flushed", { countMax: 2 });
    for (const id of ["a", "b"]) world.settled(increment("n"), named(id));
    const error = errorOf(world.settled(increment("n"), named("c")));
    assert.deepEqual([error.code, error.kind.retryable], ["TOO_MANY_REQUEST_IDS", true]);
    assert.equal(summaryOf(world.settled(increment("n"), named("a"))), "1 @2");
    assert.equal(summaryOf(world.settled(increment("n"))), "3 @4");
  });

  test("goes by a delete in the log, when its time on the log clock is over (G4, M63)", () => {
    const world = new OperationsWorld("flushed", { keptMs: 1000, countMax: 1 });
    world.settled(increment("n"), named("a"));
    world.inTree();
    const before = world.store.lastSequence;
    world.operations.forgetRequests();
    assert.equal(world.store.lastSequence, before);
    // Its time is over, but nobody has removed it: it counts.
    world.timers.advance(1001);
    assert.equal(summaryOf(world.settled(increment("n"), named("a"))), "1 @2");
    world.timers.advance(20_000);
    world.operations.forgetRequests();
    world.settle();
    assert.equal(world.store.lastSequence, before + 1);
    assert.equal(world.rowOf("a"), null);
    world.inTree();
    world.timers.advance(20_000);
    world.operations.forgetRequests();
    assert.equal(summaryOf(world.settled(increment("n"), named("b"))), "2 @4");
  });

  test("is walked through piece by piece, however much it is", () => {
    const world = new OperationsWorld("flushed", { keptMs: 1000, countMax: 5000, largeSegments: true });
    for (let i = 0; i < 2500; i++) world.settled(increment("n"), named(`request ${i}`));
    world.inTree();
    world.timers.advance(20_000);
    const before = world.store.lastSequence;
    for (let turn = 0; turn < 3; turn++) {
      world.operations.forgetRequests();
      world.settle();
    }
    world.inTree();
    assert.equal(world.store.lastSequence, before + 3);
    assert.equal(world.store.tree.stats().requestIdCount, 0);
  });

  test("lasts a quarter of an hour, and is a million requests at most", () => {
    assert.deepEqual([LIMITS.requestIdKeptMs, LIMITS.requestIdsMax], [900_000, 1_000_000]);
  });
});

describe("these checks notice", () => {
  test("requests that are remembered outside the log (M60)", () => {
    plantMutant("M60");
    const world = new OperationsWorld();
    world.settled(increment("n"), named("a"));
    assert.equal(world.rowOf("a"), null);
  });

  test("answers from what is not committed (M61)", () => {
    plantMutant("M61");
    const world = new OperationsWorld("in-sync");
    world.replicasAnswer = false;
    world.ask(increment("n"), named("a"));
    const [again] = world.ask(increment("n"), named("a"));
    assert.equal(summaryOf(again()), "1 @2");
  });

  test("a leader that forgets by its wall clock (M63)", () => {
    plantMutant("M63");
    const world = new OperationsWorld("flushed", { keptMs: 1000 });
    world.settled(increment("n"), named("a"));
    world.timers.advance(1001);
    assert.equal(summaryOf(world.settled(increment("n"), named("a"))), "2 @3");
  });
});

function named(requestId: string): RequestOptions {
  return { consistency: "linearizable", durability: null, requestId };
}

function batchSummary(reply: Reply | null): (string | null)[] {
  assert.ok(reply?.ok === true && reply.result.kind === "batch");
  return reply.result.results.map((result) => summaryOf({ ...reply, result }));
}
