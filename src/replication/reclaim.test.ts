import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { accountOf, MemoryStateFile, stateOf, storeOf, termOf, threeInSync } from "../../tests/support/member-facts.ts";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import { ScriptedCoordinator } from "../../tests/support/scripted-coordinator.ts";
import { silentLogger } from "../base/logger.ts";
import { SeededRandom } from "../base/random.ts";
import type { Accounts } from "./accounts.ts";
import type { MemberEnvironment, MemberState } from "./member-environment.ts";
import type { LogEnd, State } from "./messages.ts";
import { Reclaim } from "./reclaim.ts";
import { ShardRegister } from "./shard-register.ts";

const DOCUMENT = threeInSync("promote");
const LOG_END = { lastEpoch: 5, lastTerm: termOf(5), lastSequence: 100 };

describe("a leader that was started again", () => {
  test("claims the next epoch, with the same set, when nobody has more of the log", () => {
    const world = new World();
    world.answers = [accountOf("b", LOG_END), accountOf("c", { ...LOG_END, lastSequence: 90 })];
    world.reclaim.start();
    assert.deepEqual(world.told, ["claimed 6"]);
    const { leader, inSync, cause, lineage } = world.coordinator.document ?? DOCUMENT;
    assert.deepEqual([leader, inSync, cause, lineage], [storeOf("a"), DOCUMENT.inSync, "restart", 2]);
    assert.notEqual(world.coordinator.document?.term, DOCUMENT.term);
  });

  test("waits 200 ms for those that do not answer", () => {
    const world = new World();
    world.reclaim.start();
    world.timers.advance(199);
    assert.equal(world.coordinator.swaps.length, 0);
    world.timers.advance(30);
    assert.deepEqual(world.told, ["claimed 6"]);
  });

  test("gives the leadership to the in-sync member that has most of the log, which takes it like any promotion", () => {
    const world = new World();
    world.answers = [
      accountOf("b", { ...LOG_END, lastSequence: 101 }),
      accountOf("c", { ...LOG_END, lastSequence: 107 }),
    ];
    world.reclaim.start();
    assert.deepEqual(world.told, ["passed to c in 6"]);
    const { leader, inSync, cause } = world.coordinator.document ?? DOCUMENT;
    assert.deepEqual([leader, inSync, cause], [storeOf("c"), DOCUMENT.inSync, "promote"]);
  });

  test("does so, too, when it has lost the beginning of its own epoch", () => {
    const world = new World({ logEnd: { lastEpoch: 4, lastTerm: termOf(4), lastSequence: 120 } });
    world.answers = [
      accountOf("b", { ...LOG_END, lastSequence: 50 }),
      accountOf("c", { ...LOG_END, lastSequence: 50 }),
    ];
    world.reclaim.start();
    assert.deepEqual(world.told, ["passed to b in 6"]);
  });

  const strangers: readonly (readonly [name: string, account: State])[] = [
    [
      "whose disk was emptied since (D7)",
      accountOf("c", { lastSequence: 900, store: { ...storeOf("c"), store: "new" } }),
    ],
    ["that is not whole", accountOf("c", { lastSequence: 900, complete: false })],
  ];
  for (const [name, account] of strangers) {
    test(`goes by no member ${name}`, () => {
      const world = new World();
      world.answers = [accountOf("b", LOG_END), account];
      world.reclaim.start();
      world.timers.advance(300);
      assert.deepEqual(world.told, ["claimed 6"]);
    });
  }

  test("claims nothing, with a torn end, before another in-sync member has answered", () => {
    const world = new World({ changes: { tornEnd: true } });
    world.reclaim.start();
    world.timers.advance(300);
    assert.deepEqual(world.told, ["dropped"]);
    assert.equal(world.coordinator.swaps.length, 0);
  });

  test("claims, with a torn end, as soon as one in-sync member has no more of the log, whoever else is silent", () => {
    const world = new World({ changes: { tornEnd: true } });
    world.answers = [accountOf("c", LOG_END)];
    world.reclaim.start();
    world.timers.advance(300);
    assert.deepEqual(world.told, ["claimed 6"]);
  });

  test("claims, with a torn end, when nobody is left that could have more", () => {
    const world = new World({ changes: { tornEnd: true } });
    world.answers = [accountOf("b", { store: { ...storeOf("b"), store: "new" } }), accountOf("c", { complete: false })];
    world.reclaim.start();
    assert.deepEqual(world.told, []);
    world.timers.advance(300);
    assert.deepEqual(world.told, ["claimed 6"]);
  });

  test("is dropped when another change was first", () => {
    const world = new World();
    world.answers = [accountOf("b", LOG_END), accountOf("c", LOG_END)];
    world.coordinator.write({ ...DOCUMENT, epoch: 6, leader: storeOf("c"), inSync: [storeOf("c")], version: 4 });
    world.reclaim.start();
    assert.deepEqual(world.told, ["dropped"]);
  });

  test("tells nobody anything after its end", () => {
    const world = new World();
    world.reclaim.start();
    world.reclaim.end();
    world.timers.advance(5000);
    assert.deepEqual(world.told, []);
    assert.equal(world.coordinator.swaps.length, 0);
  });
});

/** Leader "a", whose process is new. */
class World {
  readonly timers = new ManualTimers();
  readonly coordinator = new ScriptedCoordinator(DOCUMENT);
  readonly reclaim: Reclaim;
  readonly told: string[] = [];
  answers: State[] = [];

  constructor({ logEnd = LOG_END, changes = {} }: { logEnd?: LogEnd; changes?: Partial<MemberState> } = {}) {
    const { timers, coordinator } = this;
    const shared = { timers, random: new SeededRandom(3), logger: silentLogger };
    const answered = (): State[] => this.answers;
    const silent = (): string[] => ["b", "c"].filter((node) => !this.answers.some(({ store }) => store.node === node));
    const accounts = { ask: () => {}, askAgain: () => {}, answered, silent } as unknown as Accounts;
    this.reclaim = new Reclaim({
      env: {
        ...shared,
        clock: timers,
        stateFile: new MemoryStateFile(stateOf("a", changes)),
      } as unknown as MemberEnvironment,
      register: new ShardRegister({ ...shared, coordinator, key: "/kv/test/shards/s", node: "a", boot: "boot" }),
      accounts,
      logEnd,
      known: { document: DOCUMENT, revision: "1" },
      onClaimed: ({ document }) => this.told.push(`claimed ${document.epoch}`),
      onPassedOn: ({ document }) => this.told.push(`passed to ${document.leader.node} in ${document.epoch}`),
      onDropped: () => this.told.push("dropped"),
    });
  }
}
