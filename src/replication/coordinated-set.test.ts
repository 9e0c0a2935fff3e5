import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MemoryStateFile, sessionOf, stateOf, storeOf, termOf } from "../../tests/support/member-facts.ts";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import { proveCaught } from "../../tests/support/prove-caught.ts";
import { ScriptedCoordinator } from "../../tests/support/scripted-coordinator.ts";
import { silentLogger } from "../base/logger.ts";
import { SeededRandom } from "../base/random.ts";
import type { NodeName, StoreRef } from "../model/position.ts";
import type { ShardDocument } from "../model/shard-document.ts";
import { CoordinatedSet } from "./coordinated-set.ts";
import type { SetPosition } from "./in-sync-keeper.ts";
import type { MemberEnvironment } from "./member-environment.ts";
import type { ReplicaSession } from "./replica-sessions.ts";
import { ShardRegister } from "./shard-register.ts";

const POSITION: SetPosition = { commit: 50, epochStart: 40, promised: 50, lagMs: 0 };
const A = storeOf("a");
const B = storeOf("b");

describe("the in-sync set with a coordinator", () => {
  test("grows by a replica that has kept up for a second", () => {
    const world = new World([A]);
    world.keepUp(950);
    assert.deepEqual(world.agreed, ["a"]);
    world.keepUp(100);
    assert.deepEqual(world.agreed, ["a", "b"]);
    assert.deepEqual(world.required, ["a", "b"]);
    assert.equal(world.set.leadership.setVersion, 2);
  });

  test("lets go of a member that the operator has removed from the shard, at once, and takes it in no more", () => {
    const world = new World([A, B]);
    const removed = {
      ...world.document,
      version: 2,
      members: ["a", "c"],
      token: "operator",
      cause: "members" as const,
    };
    world.coordinator.write(removed);
    world.set.onRead({ document: removed, revision: "2" });
    assert.deepEqual(world.required, ["a", "b"], "the coordinator has it in the set until the leader takes it out");
    world.pass(50, ["b"]);
    assert.deepEqual(world.agreed, ["a"]);
    assert.deepEqual(world.required, ["a"]);
    world.keepUp(3000);
    assert.deepEqual(world.agreed, ["a"]);
  });

  test("requires a new member before it is proposed, and proposes it when it has everything (I1, I2)", () => {
    const world = new World([A]);
    world.keepUp(1000, { durable: 49 });
    assert.deepEqual(world.required, ["a", "b"], "nothing is committed without it any more");
    assert.deepEqual(world.agreed, ["a"], "it lacks entry 50");
    assert.equal(world.coordinator.swaps.length, 0);
    world.consider({ durable: 50 });
    assert.deepEqual(world.agreed, ["a", "b"]);
  });

  test("requires a proposed member until it is certain what became of the proposal (C3, M37)", () => {
    const proposeInVain = (): void => {
      const world = new World([A]);
      world.coordinator.fates.push("held", "unanswered");
      world.keepUp(1000);
      assert.deepEqual(world.required, ["a", "b"]);
      world.set.forget("b");
      assert.deepEqual(world.required, ["a", "b"], "the proposal may still arrive");
      world.coordinator.release();
      world.timers.advance(5000);
      assert.deepEqual(world.agreed, ["a", "b"]);
    };
    proveCaught("M37", proposeInVain);
  });

  test("lets a member go that was about to be proposed and stopped keeping up", () => {
    const world = new World([A]);
    world.keepUp(1000, { durable: 49 });
    assert.deepEqual(world.required, ["a", "b"]);
    world.consider({ durable: 49, isMatched: false });
    assert.deepEqual(world.required, ["a"]);
    assert.equal(world.relievedCount, 1);
  });

  test("proposes nobody that lacks this leader's first entry (I2, M36)", () => {
    proveCaught("M36", () => {
      const world = new World([A]);
      world.keepUp(3000, { durable: 35 }, { ...POSITION, commit: 30, promised: 30 });
      assert.deepEqual(world.agreed, ["a"]);
    });
  });

  test("takes in a member although the first entry is not committed: two copies may be needed for that", () => {
    const world = new World([A], { minInSync: 2 });
    world.keepUp(1100, {}, { ...POSITION, commit: 30, promised: 30 });
    assert.deepEqual(world.agreed, ["a", "b"]);
  });

  const unfit: readonly (readonly [name: string, changes: Partial<ReplicaSession>])[] = [
    ["whose log was not found to match", { isMatched: false }],
    ["that is still copying its rows", { isComplete: false }],
    ["of a node that is no member", { node: "x", store: storeOf("x") }],
  ];
  for (const [name, changes] of unfit) {
    test(`never takes in a replica ${name}`, () => {
      const world = new World([A]);
      world.keepUp(3000, changes);
      assert.deepEqual([world.agreed, world.required], [["a"], ["a"]]);
    });
  }

  test("loses a member without a session, and stays required until the coordinator has said so (I1, M04)", () => {
    const lose = (): void => {
      const world = new World([A, B]);
      world.coordinator.fates.push("unanswered", "unanswered", "unanswered", "unanswered");
      world.pass(600);
      assert.deepEqual(world.required, ["a", "b"]);
      assert.ok(world.coordinator.swaps.length > 0);
      world.timers.advance(5000);
      assert.deepEqual([world.agreed, world.required], [["a"], ["a"]]);
    };
    proveCaught("M04", lose);
  });

  test("holds a removal against a member once, however often the coordinator could not be asked", () => {
    const world = new World([A, B]);
    world.coordinator.fates.push(...Array.from({ length: 10 }, () => "unsent" as const));
    world.pass(1200);
    assert.deepEqual(world.agreed, ["a"]);
    assert.ok(world.coordinator.swaps.length > 10);
    world.keepUp(1900);
    assert.deepEqual(world.agreed, ["a"]);
    world.keepUp(300);
    assert.deepEqual(world.agreed, ["a", "b"], "after two seconds, not after many");
  });

  test("gives a fresh leader's members half a second to find it", () => {
    const world = new World([A, B]);
    world.pass(450);
    assert.equal(world.coordinator.swaps.length, 0);
  });

  test("loses a member that flushes nothing for a second, or does not echo for a lease", () => {
    const slow = new World([A, B]);
    slow.lagMs = 1100;
    slow.pass(600, ["b"]);
    assert.deepEqual(slow.agreed, ["a"]);
    const silent = new World([A, B]);
    silent.echoAgeMs = 1600;
    silent.pass(1450, ["b"]);
    assert.deepEqual(silent.agreed, ["a", "b"], "it may not have heard of this leadership before");
    silent.pass(150, ["b"]);
    assert.deepEqual(silent.agreed, ["a"]);
  });

  test("keeps members that do not echo because its own disk hangs and it asks for nothing, and half a second longer (L8)", () => {
    const world = new World([A, B]);
    world.pass(600, ["b"]);
    world.echoAgeMs = 9000;
    world.isFlushStuck = true;
    world.pass(5000, ["b"]);
    world.isFlushStuck = false;
    world.pass(450, ["b"]);
    assert.deepEqual(world.agreed, ["a", "b"]);
    world.pass(100, ["b"]);
    assert.deepEqual(world.agreed, ["a"]);
  });

  test("holds nothing against its members that it may not have read yet: it stood still itself (L4)", () => {
    const world = new World([A, B]);
    world.pass(600, ["b"]);
    world.timers.advance(3000);
    world.lagMs = 3000;
    world.pass(450);
    assert.deepEqual(world.agreed, ["a", "b"]);
    world.pass(100);
    assert.deepEqual(world.agreed, ["a"]);
  });

  test("keeps members that answer", () => {
    const world = new World([A, B]);
    world.pass(5000, ["b"]);
    assert.deepEqual(world.agreed, ["a", "b"]);
    assert.equal(world.coordinator.swaps.length, 0);
  });

  test("lets a member that was removed keep up for longer before it comes back", () => {
    const world = new World([A, B]);
    world.pass(700);
    assert.deepEqual(world.agreed, ["a"]);
    world.keepUp(1500);
    assert.deepEqual(world.agreed, ["a"]);
    world.keepUp(600);
    assert.deepEqual(world.agreed, ["a", "b"]);
  });

  test("goes by the document when its change came too late: somebody else leads, or the operator changed the members", () => {
    const deposed = new World([A]);
    deposed.coordinator.write({ ...deposed.document, version: 9, epoch: 6, leader: B, inSync: [B] });
    deposed.keepUp(1100);
    assert.ok(deposed.deposedCount > 0);
    const changed = new World([A]);
    changed.coordinator.write({ ...changed.document, version: 9, minInSync: 2, token: "operator", cause: "members" });
    changed.keepUp(1000);
    assert.equal(changed.deposedCount, 0);
    assert.equal(changed.set.minInSync, 2);
    assert.deepEqual(changed.required, ["a"]);
  });
});

class World {
  readonly timers = new ManualTimers();
  readonly document: ShardDocument;
  readonly coordinator: ScriptedCoordinator;
  readonly set: CoordinatedSet;
  echoAgeMs = 100;
  isFlushStuck = false;
  lagMs = 0;
  isLeaving = false;
  relievedCount = 0;
  deposedCount = 0;

  constructor(inSync: readonly StoreRef[], changes: Partial<ShardDocument> = {}) {
    const leader = inSync[0] ?? A;
    const facts = { version: 1, epoch: 5, term: termOf(5), leader, inSync, members: ["a", "b", "c"] };
    this.document = { ...facts, minInSync: 1, lineage: 0, token: "earlier", cause: "promote", ...changes };
    this.coordinator = new ScriptedCoordinator(this.document);
    const { timers, coordinator } = this;
    const shared = { timers, random: new SeededRandom(1), logger: silentLogger };
    const register = new ShardRegister({ ...shared, coordinator, key: "/kv/test/shards/s", node: "a", boot: "boot" });
    const stateFile = new MemoryStateFile(stateOf("a"));
    this.set = new CoordinatedSet({
      env: { clock: timers, stateFile, logger: silentLogger } as unknown as MemberEnvironment,
      register,
      node: "a",
      known: { document: this.document, revision: "1" },
      leaseMs: 1500,
      echoAgeMs: () => this.echoAgeMs,
      isFlushStuck: () => this.isFlushStuck,
      onChanged: () => {},
      onSetChanged: () => this.relievedCount++,
      onDeposed: () => this.deposedCount++,
    });
  }

  /** As the coordinator has it. */
  get agreed(): NodeName[] {
    return (this.coordinator.document?.inSync ?? []).map(({ node }) => node);
  }

  get required(): NodeName[] {
    return this.set.required.map(({ node }) => node);
  }

  consider(changes: Partial<ReplicaSession> = {}, position: SetPosition = POSITION): void {
    this.set.considerAdding(sessionOf("b", changes), position);
  }

  /** A session that is looked at all the time for so long. */
  keepUp(durationMs: number, changes: Partial<ReplicaSession> = {}, position: SetPosition = POSITION): void {
    for (let passedMs = 0; passedMs <= durationMs; passedMs += 50) {
      this.consider(changes, position);
      if (passedMs < durationMs) this.timers.advance(50);
    }
  }

  /** So long the members are looked at, of which only `heard` have a session. */
  pass(durationMs: number, heard: readonly NodeName[] = []): void {
    for (let passedMs = 0; passedMs < durationMs; passedMs += 50) {
      this.timers.advance(50);
      for (const node of heard) this.set.noteHeard(node);
      this.set.considerRemoving({ lagMs: () => this.lagMs, isLeaving: () => this.isLeaving });
    }
  }
}
