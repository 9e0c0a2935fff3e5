import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import { ScriptedCoordinator } from "../../tests/support/scripted-coordinator.ts";
import { silentLogger } from "../base/logger.ts";
import { SeededRandom } from "../base/random.ts";
import { encodeShardDocument, type ShardDocument } from "../model/shard-document.ts";
import { type ChangeOutcome, type RegisterReading, ShardRegister } from "./shard-register.ts";

const A = { node: "a:1", store: "store-a", generation: 0 };
const B = { node: "b:1", store: "store-b", generation: 0 };
const DOCUMENT: ShardDocument = {
  version: 7,
  epoch: 3,
  term: "00000000000000aa",
  leader: A,
  inSync: [A],
  members: [A.node, B.node],
  minInSync: 1,
  lineage: 0,
  token: "a:1/earlier/1",
  cause: "shrink",
};

describe("a shard's document at the coordinator", () => {
  test("is read with its revision", () => {
    const world = new World();
    const reading = world.read();
    assert(reading.kind === "known");
    assert.deepEqual(reading.known, { document: DOCUMENT, revision: "1" });
  });

  test("that makes no sense, is gone or cannot be read is told as such, and nothing is thrown", () => {
    const world = new World();
    world.coordinator.value = "{";
    assert.equal(world.read().kind, "failed");
    world.coordinator.value = null;
    assert.deepEqual(world.read(), { kind: "absent" });
    world.coordinator.isReadable = false;
    assert.match(String((world.read() as { reason?: string }).reason), /does not answer: down/);
  });

  test("that makes no sense is told to the operator, once for each fault: nothing else would show it", () => {
    const world = new World();
    for (const value of ["{", "{", "[]", encodeShardDocument(DOCUMENT), "[]"]) {
      world.coordinator.value = value;
      world.read();
    }
    const what = "The shard's document makes no sense: nobody takes over while it is so";
    assert.deepEqual(world.errors, [what, what, what]);
  });

  test("is changed by one swap, with the next version and a token of its own", () => {
    const world = new World();
    const outcome = world.expand();
    assert(outcome()?.kind === "accepted");
    assert.deepEqual(world.coordinator.document?.inSync, [A, B]);
    assert.equal(world.coordinator.document?.version, 8);
    assert.notEqual(world.coordinator.document?.token, DOCUMENT.token);
    assert.equal(world.coordinator.swaps.length, 1);
  });

  test("that somebody else changed refuses, and what it is now is told", () => {
    const world = new World();
    world.foreign({ epoch: 4, leader: B, inSync: [B] });
    const outcome = world.expand()();
    assert(outcome?.kind === "refused");
    assert.equal(outcome.actual?.document.epoch, 4);
  });

  test("an unanswered change that took effect is found out by repeating it (C3)", () => {
    const world = new World();
    world.coordinator.fates.push("lostReply");
    const outcome = world.expand();
    assert.equal(outcome(), null);
    world.timers.advance(2000);
    assert.equal(outcome()?.kind, "accepted");
    assert.equal(world.coordinator.swaps.length, 2);
    assert.deepEqual(world.coordinator.swaps[0], world.coordinator.swaps[1]);
  });

  test("an unanswered change is never called failed while its request may still arrive (M38)", () => {
    const world = new World();
    world.coordinator.fates.push("held");
    const outcome = world.expand();
    world.timers.advance(20);
    assert.equal(outcome(), null);
    assert.deepEqual(world.coordinator.document?.inSync, [A], "it has not arrived");
    world.timers.advance(2000);
    assert.equal(outcome()?.kind, "accepted");
    world.coordinator.release();
    assert.equal(world.coordinator.document?.version, 8, "the late request changed nothing");
  });

  test("repeats are spread out while the coordinator does not answer, and go on until it does", () => {
    const world = new World();
    world.coordinator.fates.push(...Array.from({ length: 20 }, () => "unanswered" as const));
    const outcome = world.expand();
    world.timers.advance(5000);
    assert.equal(outcome(), null);
    assert.ok(
      world.coordinator.swaps.length >= 5 && world.coordinator.swaps.length <= 15,
      `${world.coordinator.swaps.length} swaps in 5 s`,
    );
    world.timers.advance(30_000);
    assert.equal(outcome()?.kind, "accepted");
  });

  test("an own change under somebody else's is told by what the document says now", () => {
    const world = new World();
    world.coordinator.fates.push("lostReply");
    const outcome = world.expand();
    world.foreign({ members: [A.node, B.node, "c:1"], inSync: [A, B], token: "operator", cause: "members" });
    world.timers.advance(2000);
    const settled = outcome();
    assert(settled?.kind === "refused");
    assert.deepEqual(settled.actual?.document.inSync, [A, B], "the set holds the member that was added");
  });

  test("a change that was never sent is over at once, and the register takes the next one", () => {
    const world = new World();
    world.coordinator.fates.push("unsent");
    assert.deepEqual(world.expand()(), { kind: "failed", reason: "refused the connection" });
    assert.equal(world.register.isChanging, false);
    assert.equal(world.expand()()?.kind, "accepted");
  });

  test("a change that would make a document which nobody can read is not sent, and fails after a while", () => {
    const world = new World();
    const outcomes: ChangeOutcome[] = [];
    const known = { document: DOCUMENT, revision: "1" };
    world.register.change(known, { ...DOCUMENT, epoch: 2 ** 32, cause: "restart" }, (outcome) =>
      outcomes.push(outcome),
    );
    assert.deepEqual(outcomes, [], "whoever tries again at every reading would never pause");
    world.timers.advance(1000);
    assert.deepEqual(
      outcomes.map(({ kind }) => kind),
      ["failed"],
    );
    assert.deepEqual(world.coordinator.swaps, []);
    assert.equal(world.expand()()?.kind, "accepted");
  });

  test("nobody is told anything after its end", () => {
    const world = new World();
    world.coordinator.fates.push("lostReply");
    const outcome = world.expand();
    world.register.stop();
    world.timers.advance(5000);
    assert.equal(outcome(), null);
    assert.equal(world.coordinator.swaps.length, 1);
  });
});

/** A register before a scripted coordinator. */
class World {
  readonly timers = new ManualTimers();
  readonly coordinator = new ScriptedCoordinator(DOCUMENT);
  readonly register: ShardRegister;
  readonly errors: string[] = [];

  constructor() {
    const { timers, coordinator } = this;
    const random = new SeededRandom(1);
    const parts = { coordinator, key: "/kv/test/shards/Delhi", node: A.node, boot: "boot", timers, random };
    const logger = { ...silentLogger, error: (message: string) => void this.errors.push(message) };
    this.register = new ShardRegister({ ...parts, logger });
  }

  read(): RegisterReading {
    const readings: RegisterReading[] = [];
    this.register.read((reading) => readings.push(reading));
    assert.equal(readings.length, 1);
    return readings[0] ?? assert.fail();
  }

  /** Adds B to the set; the function tells the outcome, or null as long as there is none. */
  expand(): () => ChangeOutcome | null {
    let outcome: ChangeOutcome | null = null;
    const known = { document: DOCUMENT, revision: "1" };
    this.register.change(known, { ...DOCUMENT, inSync: [A, B], cause: "expand" }, (settled) => {
      assert.equal(outcome, null, "there is one outcome");
      outcome = settled;
    });
    return () => outcome;
  }

  foreign(changes: Partial<ShardDocument>): void {
    this.coordinator.write({ ...DOCUMENT, version: 9, ...changes });
  }
}
