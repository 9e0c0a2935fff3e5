import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import type { Room } from "../log/log.ts";
import { RoomShortage } from "./room-shortage.ts";

describe("want of room on a leader's disk", () => {
  test("counts from the first entry that the log had no room for, until one is taken", () => {
    const world = new World();
    world.room = "full";
    world.shortage.note(500);
    world.timers.advance(300);
    world.shortage.note(90);
    world.timers.advance(300);
    assert.deepEqual(world.shortage.measure(), { forMs: 600, bytes: 500 });
    world.shortage.end();
    assert.equal(world.shortage.measure(), null);
  });

  test("is over as soon as there is room, though nobody writes", () => {
    const world = new World();
    world.room = "full";
    world.shortage.note(500);
    world.room = "yes";
    world.timers.advance(5000);
    assert.equal(world.shortage.measure(), null);
    world.room = "full";
    assert.equal(world.shortage.measure(), null, "nobody has missed it since");
  });

  test("is none while the log makes its next segment, or the tree is merely slow", () => {
    const world = new World();
    world.room = "preparing";
    world.shortage.note(500);
    assert.equal(world.shortage.measure(), null);
    world.memtable.isFull = true;
    world.shortage.note(500);
    assert.equal(world.shortage.measure(), null);
  });

  test("is what a full memtable waits for when the disk has no room for the tree", () => {
    const world = new World();
    world.memtable.isFull = true;
    world.log.roomAheadBytes = 0;
    world.shortage.note(500);
    world.timers.advance(1200);
    assert.deepEqual(world.shortage.measure(), { forMs: 1200, bytes: 500 });
    world.memtable.isFull = false;
    assert.equal(world.shortage.measure(), null, "the log still has room");
  });
});

class World {
  readonly timers = new ManualTimers();
  readonly memtable = { isFull: false };
  readonly log = { roomAheadBytes: 1_000_000 };
  room: Room = "yes";
  readonly shortage: RoomShortage = new RoomShortage(this.timers, {
    memtable: this.memtable,
    log: this.log,
    roomFor: () => this.room,
  });
}
