import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import type { StoreRef } from "../model/position.ts";
import { Relief, type RelievedTerm } from "./relief.ts";
import type { MissingRoom } from "./room-shortage.ts";

const STORE: StoreRef = { node: "b", store: "b1", generation: 1 };

describe("a leader whose disk is full (S4)", () => {
  test("hands over to a member with room for what is missing, after a second", () => {
    const world = new World();
    assert.equal(world.due(), null, "there is room");
    world.missing = { forMs: 900, bytes: 500 };
    assert.equal(world.due(), null);
    world.missing = { forMs: 1000, bytes: 500 };
    assert.equal(world.due(), 500);
  });

  test("stays while nobody has room, and goes as soon as somebody has", () => {
    const world = new World();
    world.missing = { forMs: 60_000, bytes: 500 };
    world.roomBytes = 499;
    assert.equal(world.due(), null);
    world.roomBytes = 500;
    assert.equal(world.due(), 500);
  });

  test("does not try again for ten seconds, whatever came of it", () => {
    const world = new World();
    world.missing = { forMs: 2000, bytes: 500 };
    assert.equal(world.due(), 500);
    for (let ms = 0; ms < 9900; ms += 100) {
      assert.equal(world.due(), null);
      world.timers.advance(100);
    }
    world.timers.advance(100);
    assert.equal(world.due(), 500);
  });
});

/** A leader beside a member "b". */
class World {
  readonly timers = new ManualTimers();
  readonly #relief: Relief = new Relief(this.timers);
  missing: MissingRoom | null = null;
  roomBytes = 1_000_000;
  readonly #term: RelievedTerm = {
    operations: { shortage: { measure: () => this.missing } },
    successor: (_preferred, roomBytes) => (roomBytes <= this.roomBytes ? STORE : null),
  };

  due(): number | null {
    return this.#relief.due(this.#term);
  }
}
