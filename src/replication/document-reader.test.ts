import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import type { ShardDocument } from "../model/shard-document.ts";
import { DocumentReader } from "./document-reader.ts";
import type { MemberState } from "./member-environment.ts";
import type { RegisterReading } from "./shard-register.ts";

const A = { node: "a:1", store: "store-a", generation: 0 };

describe("the reader of a shard's document", () => {
  test("reads at its start, once in a while, and at every hint", () => {
    const world = new World();
    world.reader.start();
    world.answer(1);
    world.timers.advance(999);
    world.reader.onTick();
    assert.equal(world.asked, 1);
    world.timers.advance(1);
    world.reader.onTick();
    assert.equal(world.asked, 2);
    world.answer(1);
    world.hint();
    world.hint();
    world.timers.advance(1);
    assert.equal(world.asked, 3);
  });

  test("reads again when a hint came while a reading was under way, which may be of before", () => {
    const world = new World();
    world.reader.start();
    world.hint();
    world.timers.advance(1);
    assert.equal(world.asked, 1);
    world.answer(1);
    world.timers.advance(1);
    assert.equal(world.asked, 2);
    world.answer(2);
    world.timers.advance(1);
    assert.deepEqual([world.asked, world.heard], [2, ["epoch 1", "epoch 2"]]);
  });

  test("drops a reading that was overtaken by what this member has heard meanwhile, and reads again", () => {
    const world = new World();
    world.reader.start();
    world.seenEpoch = 2;
    world.answer(1);
    assert.deepEqual(world.heard, []);
    world.timers.advance(1);
    world.answer(2);
    assert.deepEqual(world.heard, ["epoch 2"]);
  });

  test("calls a document older than what was seen before it was asked for a fault (C5)", () => {
    const world = new World();
    world.seenEpoch = 2;
    world.reader.start();
    world.answer(1);
    assert.deepEqual(world.heard, ["The coordinator's epoch 1 is older than epoch 2, seen here"]);
  });

  test("calls nobody once it is stopped", () => {
    const world = new World();
    world.reader.start();
    world.reader.stop();
    world.answer(1);
    world.hint();
    world.timers.advance(5000);
    world.reader.onTick();
    assert.deepEqual([world.asked, world.heard, world.isWatched], [1, [], false]);
  });
});

/** A coordinator whose answers the test gives, and a member of which only the seen epoch counts. */
class World {
  readonly timers = new ManualTimers();
  readonly heard: string[] = [];
  seenEpoch = 0;
  asked = 0;
  isWatched = false;
  hint: () => void = () => {};
  #pending: ((reading: RegisterReading) => void) | null = null;
  readonly reader = new DocumentReader({
    clock: this.timers,
    timers: this.timers,
    register: {
      read: (done) => {
        this.asked++;
        this.#pending = done;
      },
      watch: (onChange) => {
        this.isWatched = true;
        this.hint = onChange;
        return { stop: () => (this.isWatched = false) };
      },
    },
    state: () => stateOf(this.seenEpoch),
    intervalMs: () => 1000,
    onReading: (reading, fault) => {
      this.heard.push(fault ?? (reading.kind === "known" ? `epoch ${reading.known.document.epoch}` : reading.kind));
    },
  });

  /** The reading under way finds the document in `epoch`. */
  answer(epoch: number): void {
    const done = this.#pending;
    assert(done !== null);
    this.#pending = null;
    done({ kind: "known", known: { document: documentOf(epoch), revision: "1" } });
  }
}

function stateOf(epoch: number): MemberState {
  const seenEpoch = { epoch, term: "00000000000000aa" };
  return { store: A, seenEpoch, leadership: null, bootstrap: null, damage: null, tornEnd: false, conflict: null };
}

function documentOf(epoch: number): ShardDocument {
  const term = "00000000000000aa";
  const set = { leader: A, inSync: [A], members: [A.node], minInSync: 1, lineage: 0 };
  return { version: epoch, epoch, term, ...set, token: "a:1/x/1", cause: "create" };
}
