import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { fuzzRuns } from "../../tests/support/byte-mutations.ts";
import { readAll } from "../../tests/support/log-fixture.ts";
import { errorOf, get, increment, OperationsWorld, set, summaryOf } from "../../tests/support/operations-world.ts";
import { proveCaught } from "../../tests/support/prove-caught.ts";
import { decodeEntry, SPACE } from "../model/entry.ts";
import { KvError } from "../model/errors.ts";
import { keyOfText } from "../model/key.ts";
import { LIMITS } from "../model/limits.ts";
import type { Reply, RequestOptions } from "../model/operation.ts";
import type { Guarantee } from "./pending-answers.ts";

const ASYNC: RequestOptions = { consistency: "linearizable", durability: "async" };
const IN_SYNC: RequestOptions = { consistency: "linearizable", durability: "in-sync" };
const PLAIN: RequestOptions = { consistency: "linearizable", durability: null };

describe("a write", () => {
  test("is answered when it is flushed, not before, with its place in the log", () => {
    const world = new OperationsWorld();
    world.fixture.disk.faults.flushMs = () => 100;
    const [reply] = world.ask(set("k", "v"));
    world.timers.advance(99);
    assert.equal(reply(), null);
    world.timers.advance(10);
    const answer = reply();
    assert.ok(answer?.ok === true);
    assert.deepEqual(answer.result, { kind: "written", version: 2, created: true, old: null });
    assert.deepEqual(answer.position, { epoch: 1, lineage: 0, sequence: 2 });
    assert.deepEqual(answer.answerer, { shard: "Delhi", node: "a", role: "leader", lagMs: 0 });
  });

  test("waits for the guarantee that the cluster gives, or for the one that it asks for (K4)", () => {
    const table: readonly (readonly [cluster: Guarantee, options: RequestOptions, waitsForInSync: boolean])[] = [
      ["flushed", PLAIN, false],
      ["flushed", ASYNC, false],
      ["flushed", IN_SYNC, true],
      ["in-sync", PLAIN, true],
      ["in-sync", ASYNC, false],
      ["in-sync", IN_SYNC, true],
    ];
    for (const [cluster, options, waitsForInSync] of table) {
      const world = new OperationsWorld(cluster);
      world.replicasAnswer = false;
      const [reply] = world.ask(set("k", "v"), options);
      world.settle();
      assert.equal(reply() === null, waitsForInSync);
      world.replicasAnswer = true;
      world.advanceCommit();
      assert.equal(reply()?.ok, true);
    }
  });

  test("whose flush never ends is unknown after five seconds, and stays in the log (K3)", () => {
    const world = new OperationsWorld("in-sync");
    world.replicasAnswer = false;
    const [reply] = world.ask(set("k", "v"));
    world.timers.advance(LIMITS.writeWaitMsMax + 100);
    assert.equal(errorOf(reply()).code, "UNKNOWN_OUTCOME");
    assert.equal(world.fixture.read("k"), "v");
  });

  test("clears all rows of the shard in its place in the order", () => {
    const world = new OperationsWorld();
    const replies = [
      ...world.ask(set("a", "1")),
      ...world.ask({ kind: "clear" }),
      ...world.ask(get("a"), PLAIN),
      ...world.ask(set("b", "2")),
    ];
    world.settle();
    assert.deepEqual(
      replies.map((reply) => summaryOf(reply())),
      ["created @2", "cleared", "absent", "created @4"],
    );
    assert.equal(world.fixture.read("a"), null);
  });
});

describe("reading and writing in one step", () => {
  test("two increments that come at once both count (S8, M70)", () => {
    proveCaught("M70", () => {
      const world = new OperationsWorld();
      const replies = [...world.ask(increment("n")), ...world.ask(increment("n")), ...world.ask(increment("n"))];
      world.settle();
      assert.deepEqual(
        replies.map((reply) => summaryOf(reply())),
        ["1 @2", "2 @3", "3 @4"],
      );
      assert.equal(world.fixture.read("n"), "3");
    });
  });

  test("of two writers with the same condition one wins, also when both come in one batch (S8, M70)", () => {
    proveCaught("M70", () => {
      const world = new OperationsWorld();
      const replies = [1, 2].flatMap((i) => world.ask(set("k", `v${i}`, { kind: "absent" })));
      world.settle();
      assert.deepEqual(
        replies.map((reply) => summaryOf(reply())),
        ["created @2", 'not met by "v1"'],
      );
    });
  });

  test("two writes never share a version, so that a condition on the first fails after the second (G2, M101)", () => {
    proveCaught("M101", () => {
      const world = new OperationsWorld();
      const [first, second] = [...world.ask(set("k", "1")), ...world.ask(set("k", "2"))];
      world.settle();
      const answer = first?.();
      assert.ok(answer?.ok === true && answer.result.kind === "written");
      const { version } = answer.result;
      assert.equal(summaryOf(second?.() ?? null), `replaced @${version + 1}`);
      const [late] = world.ask(set("k", "3", { kind: "version", version }));
      world.settle();
      assert.equal(summaryOf(late()), 'not met by "2"');
    });
  });
});

describe("a read", () => {
  test("answers with the newest write, and waits for that write's commit (R1, R2, M45)", () => {
    proveCaught("M45", () => {
      const world = new OperationsWorld("in-sync");
      world.replicasAnswer = false;
      world.ask(set("k", "new"));
      const [reply] = world.ask(get("k"));
      world.settle();
      assert.equal(reply(), null, "the write is not committed yet");
      world.replicasAnswer = true;
      world.advanceCommit();
      assert.equal(summaryOf(reply()), '"new" @2');
    });
  });

  test("that was refused or found nothing is a read all the same (R6, M48)", () => {
    proveCaught("M48", () => {
      const world = new OperationsWorld("in-sync");
      world.replicasAnswer = false;
      world.ask(set("k", "text"));
      const late = [set("k", "x", { kind: "absent" }), increment("k"), get("missing")];
      world.ask({ kind: "delete", key: keyOfText("k"), condition: null });
      const replies = [...late, get("k")].flatMap((operation) => world.ask(operation));
      world.settle();
      // What was never written depends on nothing; all others saw the delete, which is not committed.
      assert.deepEqual(
        replies.map((reply) => summaryOf(reply())),
        [null, null, "absent", null],
      );
    });
  });

  test("of what nobody wrote since is answered at once", () => {
    const world = new OperationsWorld("in-sync");
    world.replicasAnswer = false;
    world.ask(set("other", "v"));
    const [reply] = world.ask(get("k"));
    assert.equal(summaryOf(reply()), "absent");
  });

  test("waits for the first entry of the leadership (R3)", () => {
    const world = new OperationsWorld("in-sync", { isOpen: false });
    const [reply] = world.ask(get("k"));
    assert.equal(reply(), null);
    world.replicasAnswer = true;
    world.settle();
    world.advanceCommit();
    assert.equal(summaryOf(reply()), "absent");
  });

  test("that waits too long is busy, definitely (R2)", () => {
    const world = new OperationsWorld("in-sync");
    world.replicasAnswer = false;
    world.ask(set("k", "v"));
    const [reply] = world.ask(get("k"));
    world.timers.advance(LIMITS.readWaitMsMax + 100);
    assert.deepEqual([errorOf(reply()).code, errorOf(reply()).outcome], ["BUSY", "not_applied"]);
  });

  test("of an expired key waits for its delete: what was seen gone stays gone", () => {
    const world = new OperationsWorld();
    world.ask(set("k", "v", null, 100));
    world.settle();
    world.timers.advance(200);
    const before = world.store.lastSequence;
    const [reply] = world.ask(get("k"));
    assert.equal(reply(), null);
    world.settle();
    assert.equal(summaryOf(reply()), "absent");
    assert.equal(world.store.lastSequence, before + 1);
    assert.equal(world.fixture.read("k"), null);
  });

  test("of a damaged record is an error of that read alone (S5)", () => {
    const world = new OperationsWorld();
    world.ask(set("k", "v"));
    world.settle();
    world.store.applyNow();
    world.settle();
    world.fixture.treeFile.damage(SPACE.user, "k");
    world.store.tree.resetReadTransaction();
    const [damaged] = world.ask(get("k"));
    const [sound] = world.ask(get("other"));
    world.settle();
    assert.equal(errorOf(damaged()).code, "CORRUPT");
    assert.equal(summaryOf(sound()), "absent");
  });
});

describe("a write that is refused", () => {
  test("for want of in-sync members leaves no trace, while reads and async writes go on (K5)", () => {
    const world = new OperationsWorld("in-sync");
    world.refusal = new KvError("NOT_ENOUGH_REPLICAS", "b does not answer");
    world.refuses(set("k", "v"), "NOT_ENOUGH_REPLICAS");
    world.refuses({ kind: "clear" }, "NOT_ENOUGH_REPLICAS");
    const [read] = world.ask(get("k"));
    const [write] = world.ask(set("k", "v"), ASYNC);
    world.settle();
    assert.deepEqual([summaryOf(read()), summaryOf(write())], ["absent", "created @2"]);
  });

  test("because the oldest write has waited for a second leaves no trace (K5)", () => {
    const world = new OperationsWorld("in-sync");
    world.replicasAnswer = false;
    const [first] = world.ask(set("a", "1"));
    world.timers.advance(LIMITS.uncommittedAgeMsMax);
    world.ask(set("b", "1"));
    world.timers.advance(1);
    world.refuses(set("c", "1"), "OVERLOADED");
    world.replicasAnswer = true;
    world.advanceCommit();
    assert.equal(summaryOf(first()), "created @2");
    world.accepts(set("c", "1"));
  });

  test("because the oldest write waits for a silent member names that member, for async writes too (K5)", () => {
    const world = new OperationsWorld("in-sync");
    world.replicasAnswer = false;
    world.ask(set("a", "1"), ASYNC);
    world.timers.advance(LIMITS.uncommittedAgeMsMax + 1);
    world.refusal = new KvError("NOT_ENOUGH_REPLICAS", "b does not answer");
    const [refused] = world.ask(set("b", "1"), ASYNC);
    assert.equal(errorOf(refused()).message, "b does not answer");
    world.refusal = null;
    const [slow] = world.ask(set("b", "1"), ASYNC);
    assert.equal(errorOf(slow()).code, "OVERLOADED");
  });

  test("because too many entries wait leaves no trace", () => {
    const world = new OperationsWorld("in-sync", { largeSegments: true });
    world.replicasAnswer = false;
    for (let i = 0; i < LIMITS.uncommittedEntriesMax; i++) world.ask(set(`k${i}`, "v"));
    world.refuses(set("more", "v"), "OVERLOADED");
    world.replicasAnswer = true;
    world.advanceCommit();
    world.accepts(set("more", "v"));
  });

  test("because too many bytes wait leaves no trace; alone, the largest value is let in (K6)", () => {
    const world = new OperationsWorld("in-sync", { largeSegments: true });
    world.replicasAnswer = false;
    const largest = "x".repeat(LIMITS.valueBytesMax);
    const [first] = world.ask(set("large", largest));
    world.settle();
    world.refuses(set("second", "x".repeat(1000)), "OVERLOADED");
    world.replicasAnswer = true;
    world.advanceCommit();
    assert.equal(summaryOf(first()), "created @2");
    world.accepts(set("second", "x".repeat(1000)));
  });

  test("comes late where the tree is far behind: writes wait for it a second, and go on when it has caught up", () => {
    const world = new OperationsWorld("flushed", { largeSegments: true });
    const value = "x".repeat(LIMITS.valueBytesMax - 1000);
    world.fixture.treeFile.isFull = true;
    for (let i = 0; i < 5 && !world.store.memtable.isFull; i++) {
      world.ask(set(`large${i}`, value));
      world.timers.advance(500);
    }
    assert.ok(world.store.memtable.isFull);
    const [refused] = world.ask(set("refused", "v"));
    world.timers.advance(500);
    assert.equal(refused(), null);
    world.timers.advance(600);
    assert.deepEqual([errorOf(refused()).code, errorOf(refused()).outcome], ["OVERLOADED", "not_applied"]);
    world.fixture.treeFile.isFull = false;
    let waiting = refused;
    for (let i = 0; i < 10 && waiting()?.ok !== true; i++) {
      [waiting] = world.ask(set("late", "v"));
      assert.equal(waiting(), null, "it waits for the tree");
      world.timers.advance(1050);
    }
    assert.equal(waiting()?.ok, true, "the tree makes room while one waits");
    assert.equal(world.fixture.read("refused"), null);
  });

  test("because the disk is full leaves no trace, reads go on, and writes when there is space again (S4)", () => {
    const world = new OperationsWorld();
    world.fixture.disk.faults.capacityBytes = 1e12;
    world.fixture.disk.faults.fillerBytes = 1e12;
    const value = "x".repeat(300);
    let refusedAt: number | null = null;
    for (let i = 0; i < 100 && refusedAt === null; i++) {
      const [reply] = world.ask(set(`k${i}`, value));
      world.timers.advance(1500);
      if (reply()?.ok === false) refusedAt = i;
    }
    assert.notEqual(refusedAt, null);
    assert.equal(world.fixture.read(`k${refusedAt}`), null);
    world.refuses(set("k", value), "DISK_FULL");
    const missing = world.operations.shortage.measure();
    assert.ok(missing !== null && missing.forMs >= 1500 && missing.bytes > value.length, JSON.stringify(missing));
    const [read] = world.ask(get("k0"));
    world.settle();
    assert.equal(read()?.ok, true);
    world.fixture.disk.faults.fillerBytes = 0;
    world.timers.advance(30_000);
    world.ask(set("k", value));
    world.timers.advance(1000);
    world.accepts(set("k", value));
    assert.equal(world.operations.shortage.measure(), null);
    assert.deepEqual(world.fixture.fatal, []);
  });
});

describe("operations that wait for the log's next segment", () => {
  test("are carried out in the order in which they came, reads behind the writes before them", () => {
    const world = new OperationsWorld("flushed", { segmentMs: 40 });
    const replies: (() => Reply | null)[] = [];
    for (let i = 1; i <= 200; i++) {
      replies.push(...world.ask(increment("n")), ...world.ask(get("n")));
      if (i % 10 === 0) world.timers.advance(5);
    }
    world.timers.advance(20_000);
    const summaries = replies.map((reply) => summaryOf(reply()));
    for (let i = 1; i <= 200; i++) {
      assert.match(summaries[2 * i - 2] ?? "", new RegExp(`^${i} @`));
      assert.match(summaries[2 * i - 1] ?? "", new RegExp(`^"${i}" @`));
    }
    assert.ok(world.waitedCount > 10, `${world.waitedCount} of them waited for room`);
    assert.deepEqual(
      world.order,
      [...world.order].sort((a, b) => a - b),
      "answers of one kind come in order",
    );
  });

  test("are refused, definitely, when it takes longer than a second", () => {
    const world = new OperationsWorld("flushed", { segmentMs: 1e9 });
    const replies = world.fillSegment();
    const [late] = world.ask(set("late", "v"));
    const [read] = world.ask(get("late"));
    world.timers.advance(LIMITS.readWaitMsMax + 100);
    assert.deepEqual([errorOf(late()).code, errorOf(late()).outcome], ["BUSY", "not_applied"]);
    assert.equal(errorOf(read()).code, "BUSY");
    assert.equal(world.fixture.read("late"), null);
    world.timers.advance(LIMITS.writeWaitMsMax);
    for (const reply of replies.slice(0, -1)) assert.equal(errorOf(reply()).code, "UNKNOWN_OUTCOME");
    assert.equal(errorOf(replies.at(-1)?.() ?? null).code, "BUSY");
  });

  test("tell for how long nothing could be appended, until there is a segment (L8)", () => {
    const world = new OperationsWorld("flushed", { segmentMs: 3000 });
    assert.equal(world.operations.segmentMissingMs, 0);
    world.fillSegment();
    world.timers.advance(2000);
    const waitedMs = world.operations.segmentMissingMs;
    assert.ok(waitedMs >= 1900 && waitedMs <= 2000, `${waitedMs} ms`);
    world.timers.advance(2000);
    assert.equal(world.operations.segmentMissingMs, 0);
  });

  test("are refused when there are too many of them, and all of them when the leadership ends", () => {
    const world = new OperationsWorld("flushed", { segmentMs: 1e9 });
    world.fillSegment();
    const replies = Array.from({ length: LIMITS.parkedOperationsMax + 5 }, (_, i) =>
      world.ask(set(`p${i}`, "v")),
    ).flat();
    const overloaded = replies.filter((reply) => reply() !== null);
    for (const reply of overloaded) assert.equal(errorOf(reply()).code, "OVERLOADED");
    assert.ok(overloaded.length >= 5 && overloaded.length < 10);
    const { lastSequence } = world.store;
    world.answers.abandon();
    world.operations.end();
    for (const reply of replies) assert.notEqual(reply(), null);
    assert.deepEqual(
      [errorOf(replies[0]?.() ?? null).code, errorOf(replies[0]?.() ?? null).outcome],
      ["NOT_LEADER", "not_applied"],
    );
    assert.equal(world.store.lastSequence, lastSequence);
  });
});

describe("expiry without anybody asking", () => {
  test("deletes what is due and still there, and says how many were", () => {
    const world = new OperationsWorld();
    world.ask(set("due", "v", null, 100));
    world.ask(set("later", "v", null, 1e6));
    world.ask(set("forever", "v"));
    world.settle();
    world.timers.advance(200);
    const before = world.store.lastSequence;
    assert.equal(world.operations.expire(["due", "later", "forever", "unknown"]), 1);
    world.settle();
    assert.equal(world.store.lastSequence, before + 1);
    assert.deepEqual(
      ["due", "later", "forever"].map((key) => world.fixture.read(key)),
      [null, "v", "v"],
    );
    assert.equal(world.operations.expire(["due"]), 0);
    assert.equal(world.store.lastSequence, before + 1);
  });

  test("appends nothing while writes are refused", () => {
    const world = new OperationsWorld("in-sync");
    world.ask(set("due", "v", null, 100));
    world.settle();
    world.advanceCommit();
    world.timers.advance(200);
    world.refusal = new KvError("NOT_ENOUGH_REPLICAS", "b does not answer");
    const before = world.store.lastSequence;
    assert.equal(world.operations.expire(["due"]), 1);
    assert.equal(world.store.lastSequence, before);
  });
});

describe("whatever happens", () => {
  const operation = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom("a", "b").map((key) => ({ kind: "set" as const, key })) },
    { weight: 1, arbitrary: fc.constantFrom("a", "b").map((key) => ({ kind: "large" as const, key })) },
    { weight: 2, arbitrary: fc.constantFrom("a", "b").map((key) => ({ kind: "get" as const, key })) },
    { weight: 2, arbitrary: fc.constantFrom("a", "b").map((key) => ({ kind: "ifAbsent" as const, key })) },
  );
  const step = fc.oneof(
    {
      weight: 10,
      arbitrary: fc.record({
        kind: fc.constant("ask" as const),
        operation,
        options: fc.constantFrom(PLAIN, ASYNC, IN_SYNC),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.constantFrom(1, 20, 300, 1100, 6000) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("replicas" as const), on: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("refusal" as const), on: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("disk" as const), on: fc.boolean() }) },
  );

  test("each request has exactly one outcome, and what was not applied never shows", () => {
    let refusedCount = 0;
    let unknownCount = 0;
    let okCount = 0;
    fc.assert(
      fc.property(
        fc.constantFrom<Guarantee>("flushed", "in-sync"),
        fc.array(step, { minLength: 10, maxLength: 80 }),
        (cluster, steps) => {
          const world = new OperationsWorld(cluster, { segmentMs: 30 });
          world.fixture.disk.faults.capacityBytes = 1e12;
          const asked: { text: string; reply: () => Reply | null }[] = [];
          for (const [i, one] of steps.entries()) {
            if (one.kind === "ask") {
              const { kind, key } = one.operation;
              const text = kind === "large" ? `${i};${"x".repeat(1500)}` : `${i};`;
              const write = set(key, text, kind === "ifAbsent" ? { kind: "absent" } : null);
              const [reply] = world.ask(kind === "get" ? get(key) : write, one.options);
              asked.push({ text, reply });
            } else if (one.kind === "wait") world.timers.advance(one.ms);
            else if (one.kind === "replicas") world.replicasAnswer = one.on;
            else if (one.kind === "refusal") world.refusal = one.on ? new KvError("NOT_ENOUGH_REPLICAS", "no") : null;
            else world.fixture.disk.faults.fillerBytes = one.on ? 1e12 : 0;
          }
          world.answers.abandon();
          world.operations.end();
          world.settle();
          const inLog = readAll(world.fixture.log).flatMap((raw) => {
            const { body } = decodeEntry(raw);
            return body.kind === "data" ? body.mutations.map(({ value }) => value?.toString() ?? "") : [];
          });
          for (const { text, reply } of asked) {
            const answer = reply();
            assert.ok(answer !== null, "every request is answered");
            const isInLog = inLog.includes(text);
            if (answer.ok && answer.result.kind === "written") assert.ok(isInLog);
            if (!answer.ok && answer.error.outcome === "not_applied") assert.ok(!isInLog, answer.error.code);
            if (answer.ok) okCount++;
            else if (answer.error.outcome === "unknown") unknownCount++;
            else refusedCount++;
          }
          assert.deepEqual(world.fixture.fatal, []);
        },
      ),
      { numRuns: fuzzRuns(150) },
    );
    assert.ok(okCount > 500 && refusedCount > 100 && unknownCount > 20, `${okCount} ${refusedCount} ${unknownCount}`);
  });
});
