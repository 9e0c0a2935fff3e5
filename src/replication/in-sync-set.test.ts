import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { leadershipOf, MemoryStateFile, sessionOf, stateOf, storeOf } from "../../tests/support/member-facts.ts";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import { proveCaught } from "../../tests/support/prove-caught.ts";
import { silentLogger } from "../base/logger.ts";
import type { InSyncMember } from "../model/leadership.ts";
import type { StoreRef } from "../model/position.ts";
import { InSyncSet } from "./in-sync-set.ts";
import type { MemberEnvironment } from "./member-environment.ts";
import type { ReplicaSession } from "./replica-sessions.ts";

const POSITION = { commit: 50, epochStart: 40, promised: 50, lagMs: 0 };

describe("the in-sync set", () => {
  test("binds a listed member to the store that it shows first, durably, and to no later one (T5)", () => {
    const world = new World([storeOf("a"), { node: "b", store: null, generation: 0 }]);
    world.set.bind(storeOf("b"));
    assert.deepEqual(world.inSync(), [storeOf("a"), storeOf("b")]);
    assert.equal(world.set.leadership.setVersion, 2);
    assert.deepEqual(world.file.state.leadership, world.set.leadership);
    world.set.bind({ node: "b", store: "another", generation: 0 });
    world.set.bind(storeOf("stranger"));
    assert.deepEqual(world.inSync(), [storeOf("a"), storeOf("b")]);
    assert.equal(world.file.writeCount, 1);
  });

  test("adds a replica that has everything committed and has kept up for a second", () => {
    const world = new World([storeOf("a")]);
    world.consider({});
    world.timers.advance(999);
    world.consider({});
    assert.deepEqual(world.inSync(), [storeOf("a")]);
    world.timers.advance(1);
    world.consider({});
    assert.deepEqual(world.inSync(), [storeOf("a"), storeOf("b")]);
    assert.equal(world.set.leadership.setVersion, 2);
  });

  test("requires a new member from the moment it is written down: memory first, then the file (I1)", () => {
    const world = new World([storeOf("a")]);
    const seen: (readonly InSyncMember[])[] = [];
    world.onReplace = () => seen.push(world.set.leadership.inSync);
    world.consider({});
    world.timers.advance(1000);
    world.consider({});
    assert.deepEqual(seen, [[storeOf("a"), storeOf("b")]]);
  });

  const unfit: readonly (readonly [name: string, changes: Partial<ReplicaSession>])[] = [
    ["whose log was not found to match", { isMatched: false }],
    ["that lacks something committed", { durable: 49 }],
    ["that is still copying its rows", { isComplete: false }],
  ];
  for (const [name, changes] of unfit) {
    test(`never adds a replica ${name}`, () => {
      const world = new World([storeOf("a")]);
      for (let i = 0; i < 30; i++) {
        world.consider(changes);
        world.timers.advance(100);
      }
      assert.deepEqual(world.inSync(), [storeOf("a")]);
    });
  }

  test("M99 planted: a copy that is still being made is caught being added", () => {
    proveCaught("M99", () => {
      const world = new World([storeOf("a")]);
      world.consider({ isComplete: false });
      world.timers.advance(1000);
      world.consider({ isComplete: false });
      assert.deepEqual(world.inSync(), [storeOf("a")]);
    });
  });

  test("never adds a replica by a commit position that is older than this leadership (I2)", () => {
    const world = new World([storeOf("a")]);
    const lagging = { commit: 30, epochStart: 40, promised: 30, lagMs: 0 };
    for (let i = 0; i < 30; i++) {
      world.set.considerAdding(sessionOf("b", { durable: 35 }), lagging);
      world.set.considerAdding(sessionOf("b", { durable: 60 }), lagging);
      world.timers.advance(100);
    }
    assert.deepEqual(world.inSync(), [storeOf("a")]);
    world.set.considerAdding(sessionOf("b", { durable: 39 }), { ...lagging, commit: 40 });
    world.timers.advance(1000);
    world.set.considerAdding(sessionOf("b", { durable: 39 }), { ...lagging, commit: 40 });
    assert.deepEqual(world.inSync(), [storeOf("a")]);
  });

  test("requires a replica that keeps up under load before it lists it, so that it can catch up with what was promised", () => {
    const world = new World([storeOf("a")]);
    const busy = (at: number, durable: number): void => {
      const position = { commit: at, epochStart: 40, promised: at, lagMs: 5 };
      world.set.considerAdding(sessionOf("b", { durable }), position);
    };
    for (let at = 50; at < 60; at++) {
      busy(at, at - 1);
      assert.deepEqual(world.set.required, [storeOf("a")]);
      world.timers.advance(100);
    }
    busy(60, 59);
    assert.deepEqual(world.inSync(), [storeOf("a")]);
    assert.deepEqual(world.set.required, [storeOf("a"), storeOf("b")]);
    busy(60, 60);
    assert.deepEqual(world.inSync(), [storeOf("a"), storeOf("b")]);
    assert.deepEqual(world.set.required, world.inSync());
  });

  test("requires a replica no longer that hangs or goes before it is listed", () => {
    const world = new World([storeOf("a")]);
    const join = (): void => {
      world.consider({ durable: 45 });
      world.timers.advance(1000);
      world.consider({ durable: 45 });
      assert.equal(world.set.required.length, 2);
    };
    join();
    world.set.considerAdding(sessionOf("b", { durable: 45 }), { ...POSITION, lagMs: 1001 });
    assert.deepEqual(world.set.required, [storeOf("a")]);
    join();
    world.set.forget("b");
    assert.deepEqual(world.set.required, [storeOf("a")]);
    assert.deepEqual(world.inSync(), [storeOf("a")]);
  });

  test("counts the second anew when the replica falls behind in between", () => {
    const world = new World([storeOf("a")]);
    world.consider({});
    world.timers.advance(900);
    world.consider({ durable: 10 });
    world.timers.advance(100);
    world.consider({});
    assert.deepEqual(world.inSync(), [storeOf("a")]);
    world.timers.advance(1000);
    world.consider({});
    assert.equal(world.inSync().length, 2);
  });

  test("puts a member's new store in the place of the one that is gone (D7)", () => {
    const world = new World([storeOf("a"), storeOf("b"), storeOf("c")]);
    const fresh: StoreRef = { node: "b", store: "fresh", generation: 0 };
    world.consider({ store: fresh });
    world.timers.advance(1000);
    world.consider({ store: fresh });
    assert.deepEqual(world.inSync(), [storeOf("a"), storeOf("c"), fresh]);
  });

  test("stays as it is while the disk has no room to write it down, and grows when there is some", () => {
    const world = new World([storeOf("a"), { node: "c", store: null, generation: 0 }]);
    world.onReplace = () => {
      throw Object.assign(new Error("no room"), { code: "ENOSPC" });
    };
    world.set.bind(storeOf("c"));
    world.consider({});
    world.timers.advance(1000);
    world.consider({});
    assert.deepEqual(world.inSync(), [storeOf("a"), { node: "c", store: null, generation: 0 }]);
    assert.equal(world.set.leadership.setVersion, 1);
    world.onReplace = () => {};
    world.set.bind(storeOf("c"));
    world.consider({});
    assert.deepEqual(world.inSync(), [storeOf("a"), storeOf("c"), storeOf("b")]);
  });

  test("is not written again for members that it has", () => {
    const world = new World([storeOf("a"), storeOf("b")]);
    for (let i = 0; i < 30; i++) {
      world.consider({});
      world.timers.advance(100);
    }
    assert.equal(world.file.writeCount, 0);
  });

  test("knows when each member was last heard of; from the start all were", () => {
    const world = new World([storeOf("a"), storeOf("b")]);
    assert.equal(world.set.lastHeardMs("b"), 0);
    world.timers.advance(700);
    world.set.noteHeard("b");
    assert.equal(world.set.lastHeardMs("b"), 700);
  });
});

class World {
  readonly timers = new ManualTimers();
  readonly file: MemoryStateFile;
  readonly set: InSyncSet;
  onReplace: () => void = () => {};

  constructor(inSync: readonly InSyncMember[]) {
    const leadership = leadershipOf(5, "a", { inSync });
    this.file = new MemoryStateFile(stateOf("a", { leadership }));
    const { file } = this;
    const replace = (state: Parameters<MemoryStateFile["replace"]>[0]): void => {
      this.onReplace();
      file.replace(state);
    };
    const stateFile = {
      get state() {
        return file.state;
      },
      replace,
    };
    const env = { clock: this.timers, stateFile, logger: silentLogger } as unknown as MemberEnvironment;
    this.set = new InSyncSet({ env, leadership, minInSync: 1, node: "a" });
  }

  inSync(): readonly InSyncMember[] {
    return this.set.leadership.inSync;
  }

  consider(changes: Partial<ReplicaSession>): void {
    this.set.considerAdding(sessionOf("b", changes), POSITION);
  }
}
