import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import type { StoreRef } from "../model/position.ts";
import type { ShardDocument } from "../model/shard-document.ts";
import type { HandoverOutcome } from "./coordinated-set.ts";
import { Handover } from "./handover.ts";

const STORE: StoreRef = { node: "b", store: "b1", generation: 1 };
const DOCUMENT: ShardDocument = {
  version: 8,
  epoch: 6,
  term: "0000000000000006",
  leader: STORE,
  inSync: [STORE],
  members: ["a", "b"],
  minInSync: 1,
  lineage: 0,
  token: "a/boot/1",
  cause: "handover",
};
const HANDED_OVER: HandoverOutcome = { kind: "handed-over", known: { document: DOCUMENT, revision: "9" } };

describe("a handover", () => {
  test("holds requests, lets what was taken be committed, stops reading, and only then swaps", () => {
    const world = new World();
    world.term.isSettled = false;
    world.handover.start();
    world.timers.advance(20);
    assert.deepEqual(world.told, ["hold"]);
    world.term.isSettled = true;
    world.timers.advance(20);
    assert.deepEqual(world.told, ["hold", "suspend", "swap for b"]);
    world.outcome?.(HANDED_OVER);
    assert.deepEqual(world.told.slice(3), ["gives way in epoch 6", "done"]);
  });

  test("waits for another change of the document before its own", () => {
    const world = new World();
    world.register.isChanging = true;
    world.handover.start();
    world.timers.advance(500);
    assert.deepEqual(world.told, ["hold"]);
    world.register.isChanging = false;
    world.timers.advance(10);
    assert.equal(world.told.at(-1), "swap for b");
  });

  test("that was definitely not made goes on as if nothing had been", () => {
    const world = new World();
    world.handover.start();
    world.outcome?.({ kind: "refused", reason: "somebody was first" });
    assert.deepEqual(world.told.slice(3), ["resume", "release", "not done: somebody was first"]);
  });

  test("whose outcome is not known yet neither reads nor takes requests, however long it lasts (X03)", () => {
    const world = new World();
    world.handover.start();
    world.timers.advance(60_000);
    assert.deepEqual(world.told, ["hold", "suspend", "swap for b"]);
  });

  test("is given up when writes under way are not committed within a second", () => {
    const world = new World();
    world.term.isSettled = false;
    world.handover.start();
    world.timers.advance(1100);
    assert.deepEqual(world.told, [
      "hold",
      "resume",
      "release",
      "not done: writes under way were not committed in time",
    ]);
  });

  test("touches nothing without a successor, and is given up when the successor goes", () => {
    const alone = new World();
    alone.successor = null;
    alone.handover.start();
    assert.deepEqual(alone.told, ["not done: b is not in the in-sync set, or not connected"]);
    const left = new World();
    left.term.isSettled = false;
    left.handover.start();
    left.successor = null;
    left.timers.advance(10);
    assert.deepEqual(left.told.slice(1), [
      "resume",
      "release",
      "not done: b is not in the in-sync set, or not connected",
    ]);
  });

  test("for want of room asks for a successor that has it, and says when there is none", () => {
    const world = new World({ successor: null, roomBytes: 700 });
    world.handover.start();
    assert.deepEqual(world.asked.at(-1), [null, 700]);
    const alone = new World({ successor: null, roomBytes: 700 });
    alone.successor = null;
    alone.handover.start();
    assert.deepEqual(alone.told, ["not done: no other member of the in-sync set is connected and has room"]);
  });

  test("of a leadership that ended meanwhile gives nothing back", () => {
    const world = new World();
    world.handover.start();
    world.term.isEnded = true;
    world.outcome?.(HANDED_OVER);
    assert.deepEqual(world.told.slice(3), [
      "not done: the leadership ended before it was certain that it had been handed over",
    ]);
  });
});

/** Leader "a", which is to hand over to "b". */
class World {
  readonly timers = new ManualTimers();
  readonly told: string[] = [];
  readonly register = { isChanging: false };
  readonly term = {
    isEnded: false,
    isSettled: true,
    successor: (...asked: [string | null, number]): StoreRef | null => {
      this.asked.push(asked);
      return this.successor;
    },
    operations: { hold: (): void => void this.told.push("hold"), release: (): void => void this.told.push("release") },
  };
  readonly handover: Handover;
  readonly asked: [string | null, number][] = [];
  successor: StoreRef | null = STORE;
  outcome: ((outcome: HandoverOutcome) => void) | null = null;

  constructor(
    to: { readonly successor: string | null; readonly roomBytes: number } = { successor: "b", roomBytes: 0 },
  ) {
    this.handover = new Handover({
      env: { clock: this.timers, timers: this.timers },
      term: this.term,
      set: {
        handOver: ({ node }, _stays, done) => {
          this.told.push(`swap for ${node}`);
          this.outcome = done;
        },
      },
      lease: { suspend: (isSuspended) => this.told.push(isSuspended ? "suspend" : "resume") },
      register: this.register,
      ...to,
      stays: true,
      onHandedOver: ({ document }) => this.told.push(`gives way in epoch ${document.epoch}`),
      done: (refusal) => this.told.push(refusal === null ? "done" : `not done: ${refusal}`),
    });
  }
}
