import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { accountOf, MemoryStateFile, stateOf, storeOf, termOf, threeInSync } from "../../tests/support/member-facts.ts";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import { ScriptedCoordinator } from "../../tests/support/scripted-coordinator.ts";
import { silentLogger } from "../base/logger.ts";
import { SeededRandom } from "../base/random.ts";
import type { Accounts } from "./accounts.ts";
import { Candidacy } from "./candidacy.ts";
import type { MemberEnvironment, MemberState } from "./member-environment.ts";
import type { State } from "./messages.ts";
import { ShardRegister } from "./shard-register.ts";

const DOCUMENT = threeInSync("expand");
const LONGER = { lastEpoch: 5, lastSequence: 900 };

describe("a replica that seeks the leadership", () => {
  test("claims the next epoch, with those of the old set that answered, and keeps everything else", () => {
    const world = new World();
    world.answers = [accountOf("c")];
    world.run();
    assert.deepEqual(world.told, ["elected 6"]);
    const claimed = world.coordinator.document;
    assert.deepEqual(claimed?.inSync, [storeOf("b"), storeOf("c")]);
    assert.deepEqual(claimed?.leader, storeOf("b"));
    assert.notEqual(claimed?.term, DOCUMENT.term);
    assert.deepEqual([claimed?.lineage, claimed?.cause, claimed?.version], [2, "promote", 4]);
    assert.deepEqual(claimed?.members, DOCUMENT.members);
  });

  test("waits 200 ms for those that do not answer, and goes on alone", () => {
    const world = new World();
    world.candidacy.start();
    world.timers.advance(199);
    assert.equal(world.coordinator.swaps.length, 0);
    world.timers.advance(101);
    assert.deepEqual(world.told, ["elected 6"]);
    assert.deepEqual(world.coordinator.document?.inSync, [storeOf("b")]);
    assert.ok(world.askedCount > 3, "they are asked again");
  });

  test("does not wait when all have answered", () => {
    const world = new World();
    world.answers = [accountOf("a"), accountOf("c")];
    world.candidacy.start();
    world.timers.advance(100);
    assert.deepEqual(world.told, ["elected 6"]);
  });

  const others: readonly (readonly [name: string, account: State])[] = [
    ["whose disk was emptied since (D7)", accountOf("c", { store: { ...storeOf("c"), store: "new" } })],
    ["whose store was damaged since (S5)", accountOf("c", { store: storeOf("c", 1) })],
    ["that is not whole", accountOf("c", { complete: false })],
  ];
  for (const [name, account] of others) {
    test(`leaves out a member ${name}`, () => {
      const world = new World();
      world.answers = [account];
      world.run();
      assert.deepEqual(world.coordinator.document?.inSync, [storeOf("b")]);
    });
  }

  test("lets a member with a longer log try first", () => {
    const alone = new World();
    alone.answers = [accountOf("a"), accountOf("c")];
    const behind = new World();
    behind.answers = [accountOf("a"), accountOf("c", LONGER)];
    for (const world of [alone, behind]) world.candidacy.start();
    for (const world of [alone, behind]) world.timers.advance(50);
    assert.deepEqual(alone.told, ["elected 6"]);
    assert.deepEqual(behind.told, []);
    behind.timers.advance(60);
    assert.deepEqual(behind.told, ["elected 6"]);
  });

  const torn: readonly (readonly [name: string, answers: readonly State[], told: RegExp])[] = [
    ["nobody else has answered", [], /dropped: The end of this log was torn, or damaged.* a or c has to say/],
    ["another one has more of the log", [accountOf("c", LONGER)], /dropped: .*c has more of it/],
    ["another one has no more of it", [accountOf("c")], /elected 6/],
  ];
  for (const [name, answers, told] of torn) {
    test(`with a torn end, when ${name}`, () => {
      const world = new World({ tornEnd: true });
      world.answers = [...answers];
      world.run();
      assert.equal(world.told.length, 1);
      assert.match(world.told[0] ?? "", told);
    });
  }

  test("is dropped when another change was first", () => {
    const world = new World();
    world.coordinator.write({ ...DOCUMENT, epoch: 6, leader: storeOf("c"), inSync: [storeOf("c")], version: 4 });
    world.run();
    assert.deepEqual(world.told, ["dropped: Another change of the document was first"]);
  });

  test("is neither elected nor dropped before the outcome of its claim is certain (L6)", () => {
    const world = new World();
    world.coordinator.fates.push("lostReply", "unanswered", "unanswered");
    world.candidacy.start();
    world.timers.advance(350);
    assert.deepEqual(world.told, []);
    world.timers.advance(5000);
    assert.deepEqual(world.told, ["elected 6"]);
  });

  test("tells nobody anything after its end", () => {
    const world = new World();
    world.coordinator.fates.push("lostReply", "unanswered", "unanswered", "unanswered", "unanswered");
    world.candidacy.start();
    world.timers.advance(320);
    world.candidacy.end();
    world.timers.advance(5000);
    assert.deepEqual(world.told, []);
  });
});

/** Replica "b", whose leader "a" is silent. */
class World {
  readonly timers = new ManualTimers();
  readonly coordinator = new ScriptedCoordinator(DOCUMENT);
  readonly candidacy: Candidacy;
  readonly told: string[] = [];
  answers: State[] = [];
  askedCount = 0;

  constructor(changes: Partial<MemberState> = {}) {
    const { timers, coordinator } = this;
    const shared = { timers, random: new SeededRandom(3), logger: silentLogger };
    const accounts = {
      ask: () => this.askedCount++,
      askAgain: () => this.askedCount++,
      answered: () => this.answers,
      silent: () => ["a", "c"].filter((node) => !this.answers.some(({ store }) => store.node === node)),
    } as unknown as Accounts;
    this.candidacy = new Candidacy({
      env: {
        ...shared,
        clock: timers,
        stateFile: new MemoryStateFile(stateOf("b", changes)),
      } as unknown as MemberEnvironment,
      register: new ShardRegister({ ...shared, coordinator, key: "/kv/test/shards/s", node: "b", boot: "boot" }),
      accounts,
      logEnd: { lastEpoch: 5, lastTerm: termOf(5), lastSequence: 100 },
      known: { document: DOCUMENT, revision: "1" },
      mayLose: false,
      onElected: ({ document }) => this.told.push(`elected ${document.epoch}`),
      onDropped: (reason) => this.told.push(`dropped: ${reason}`),
    });
  }

  run(): void {
    this.candidacy.start();
    this.timers.advance(1000);
  }
}
