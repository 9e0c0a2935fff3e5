import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import { silentLogger } from "../base/logger.ts";
import { SeededRandom } from "../base/random.ts";
import type { Coordinator, ReadResult, Swap, SwapResult } from "../coordinator/coordinator.ts";
import { decodeShardDocument, encodeShardDocument, type ShardDocument } from "../model/shard-document.ts";
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
const UNANSWERED: SwapResult = { kind: "unknown", reason: "no answer" };

describe("a shard's document at the coordinator", () => {
  test("is read with its revision", () => {
    const world = new World();
    const reading = world.read();
    assert(reading.kind === "known");
    assert.deepEqual(reading.known, { document: DOCUMENT, revision: "1" });
  });

  test("that makes no sense, is gone or cannot be read is told as such, and nothing is thrown", () => {
    const world = new World();
    world.value = "{";
    assert.equal(world.read().kind, "failed");
    world.value = null;
    assert.deepEqual(world.read(), { kind: "absent" });
    world.isReadable = false;
    assert.match(String((world.read() as { reason?: string }).reason), /does not answer: down/);
  });

  test("is changed by one swap, with the next version and a token of its own", () => {
    const world = new World();
    const outcome = world.expand();
    assert(outcome()?.kind === "accepted");
    assert.deepEqual(world.document?.inSync, [A, B]);
    assert.equal(world.document?.version, 8);
    assert.notEqual(world.document?.token, DOCUMENT.token);
    assert.equal(world.swaps.length, 1);
  });

  test("that somebody else changed refuses, and what it is now is told", () => {
    const world = new World();
    world.foreign({ epoch: 4, leader: B, inSync: [B] }, "2");
    const outcome = world.expand()();
    assert(outcome?.kind === "refused");
    assert.equal(outcome.actual?.document.epoch, 4);
  });

  test("an unanswered change that took effect is found out by repeating it (C3)", () => {
    const world = new World();
    world.fates.push("lostReply");
    const outcome = world.expand();
    assert.equal(outcome(), null);
    world.timers.advance(2000);
    assert.equal(outcome()?.kind, "accepted");
    assert.equal(world.swaps.length, 2);
    assert.deepEqual(world.swaps[0], world.swaps[1]);
  });

  test("an unanswered change is never called failed while its request may still arrive (M38)", () => {
    const world = new World();
    world.fates.push("held");
    const outcome = world.expand();
    world.timers.advance(20);
    assert.equal(outcome(), null);
    assert.deepEqual(world.document?.inSync, [A], "it has not arrived");
    world.timers.advance(2000);
    assert.equal(outcome()?.kind, "accepted");
    world.release();
    assert.equal(world.document?.version, 8, "the late request changed nothing");
  });

  test("repeats are spread out while the coordinator does not answer, and go on until it does", () => {
    const world = new World();
    world.fates.push(...Array.from({ length: 20 }, () => "unanswered" as const));
    const outcome = world.expand();
    world.timers.advance(5000);
    assert.equal(outcome(), null);
    assert.ok(world.swaps.length >= 5 && world.swaps.length <= 15, `${world.swaps.length} swaps in 5 s`);
    world.timers.advance(30_000);
    assert.equal(outcome()?.kind, "accepted");
  });

  test("an own change under somebody else's is told by what the document says now", () => {
    const world = new World();
    world.fates.push("lostReply");
    const outcome = world.expand();
    world.foreign({ members: [A.node, B.node, "c:1"], inSync: [A, B], token: "operator", cause: "members" }, "3");
    world.timers.advance(2000);
    const settled = outcome();
    assert(settled?.kind === "refused");
    assert.deepEqual(settled.actual?.document.inSync, [A, B], "the set holds the member that was added");
  });

  test("a change that was never sent is over at once, and the register takes the next one", () => {
    const world = new World();
    world.fates.push("unsent");
    assert.deepEqual(world.expand()(), { kind: "failed", reason: "refused the connection" });
    assert.equal(world.register.isChanging, false);
    assert.equal(world.expand()()?.kind, "accepted");
  });

  test("nobody is told anything after its end", () => {
    const world = new World();
    world.fates.push("lostReply");
    const outcome = world.expand();
    world.register.stop();
    world.timers.advance(5000);
    assert.equal(outcome(), null);
    assert.equal(world.swaps.length, 1);
  });
});

type Fate = "lostReply" | "held" | "unanswered" | "unsent";

/** A register before a coordinator that does to its swaps what the test wants, in order; then it is well. */
class World {
  readonly timers = new ManualTimers();
  readonly swaps: Swap[] = [];
  readonly fates: Fate[] = [];
  readonly register: ShardRegister;
  value: string | null = encodeShardDocument(DOCUMENT);
  isReadable = true;
  #revision = "1";
  readonly #held: Swap[] = [];

  constructor() {
    const coordinator: Coordinator = {
      read: (_key, done) => done(this.#stored()),
      compareAndSwap: (_key, swap, done) => done(this.#take(swap)),
      list: () => assert.fail("nothing is listed"),
      watch: () => ({ stop: () => {} }),
      close: () => {},
    };
    const { timers } = this;
    const random = new SeededRandom(1);
    const parts = { coordinator, key: "/kv/test/shards/Delhi", node: A.node, boot: "boot", timers, random };
    this.register = new ShardRegister({ ...parts, logger: silentLogger });
  }

  get document(): ShardDocument | null {
    return this.value === null ? null : decodeShardDocument(this.value);
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

  foreign(changes: Partial<ShardDocument>, revision: string): void {
    this.value = encodeShardDocument({ ...DOCUMENT, version: 9, ...changes });
    this.#revision = revision;
  }

  /** What was held on its way arrives. */
  release(): void {
    for (const swap of this.#held.splice(0)) this.#apply(swap);
  }

  #take(swap: Swap): SwapResult {
    this.swaps.push(swap);
    switch (this.fates.shift()) {
      case "lostReply":
        this.#apply(swap);
        return UNANSWERED;
      case "held":
        this.#held.push(swap);
        return UNANSWERED;
      case "unanswered":
        return UNANSWERED;
      case "unsent":
        return { kind: "failed", reason: "refused the connection" };
      case undefined:
        return this.#apply(swap);
    }
  }

  #apply({ expectedRevision, value }: Swap): SwapResult {
    if (expectedRevision !== this.#revision) return { kind: "refused" };
    this.value = value;
    this.#revision = String(Number(this.#revision) + 1);
    return { kind: "accepted", revision: this.#revision };
  }

  #stored(): ReadResult {
    if (!this.isReadable) return { kind: "failed", reason: "down" };
    return this.value === null ? { kind: "absent" } : { kind: "value", value: this.value, revision: this.#revision };
  }
}
