import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { accountOf, MemoryStateFile, stateOf, storeOf, termOf } from "../../tests/support/member-facts.ts";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import { ScriptedCoordinator } from "../../tests/support/scripted-coordinator.ts";
import { silentLogger } from "../base/logger.ts";
import { SeededRandom } from "../base/random.ts";
import { KvError } from "../model/errors.ts";
import type { ShardDocument } from "../model/shard-document.ts";
import type { PromotionReport, PromotionRequest } from "../model/status.ts";
import type { Accounts } from "./accounts.ts";
import { CoordinatedPromotion } from "./coordinated-promotion.ts";
import type { MemberConfig, MemberEnvironment } from "./member-environment.ts";
import type { MemberLink } from "./member-link.ts";
import type { State } from "./messages.ts";
import { ShardRegister } from "./shard-register.ts";
import type { ShardStore } from "../shard/shard-store.ts";

const DOCUMENT: ShardDocument = {
  version: 3,
  epoch: 5,
  term: termOf(5),
  leader: storeOf("a"),
  inSync: [storeOf("a"), storeOf("b")],
  members: ["a", "b", "c"],
  minInSync: 1,
  lineage: 2,
  token: "a/boot/9",
  cause: "expand",
};
const ALONE: ShardDocument = { ...DOCUMENT, inSync: [storeOf("a")] };

describe("the operator's word that a member shall lead, with a coordinator", () => {
  test("asks a leader that answers to hand over, and reports when this member leads", () => {
    const world = new World(DOCUMENT);
    world.run({});
    assert.deepEqual(world.sent, ["a HAND_OVER"]);
    assert.equal(world.report, null);
    world.ledEpoch = 6;
    world.timers.advance(50);
    assert.equal(world.told.done, true);
    assert.equal(world.told.epoch, 6);
  });

  test("passes on why the leader did not hand over", () => {
    const world = new World(DOCUMENT);
    world.run({});
    world.promotion.onHandedOver("a", { id: world.askedWith, refusal: "it did not want to" });
    assert.match(world.told.refusal ?? "", /a did not hand over: it did not want to/);
  });

  test("waits for the member's own candidacy when the leader is gone, and hands over nothing", () => {
    const world = new World(DOCUMENT, { answers: [] });
    world.run({});
    assert.deepEqual(world.sent, []);
    world.ledEpoch = 6;
    world.timers.advance(50);
    assert.equal(world.told.done, true);
  });

  test("refuses a handover by a leader that is gone", () => {
    const world = new World(DOCUMENT, { answers: [] });
    world.run({ isHandover: true });
    assert.match(world.told.refusal ?? "", /nothing to hand over \(kv promote\)/);
  });

  test("refuses a member outside the set unless writes may be lost, and says so", () => {
    const world = new World(ALONE, { answers: [] });
    world.run({});
    assert.match(
      world.told.refusal ?? "",
      /not in the in-sync set; it may lack acknowledged writes \(--accept-data-loss\)/,
    );
    assert.deepEqual(world.taken, []);
  });

  test("takes the leadership alone when it was told that writes may be lost", () => {
    const world = new World(ALONE, { answers: [] });
    world.run({ acceptDataLoss: true });
    assert.deepEqual(world.taken, [5]);
    world.ledEpoch = 6;
    world.timers.advance(50);
    assert.equal(world.told.done, true);
  });

  test("refuses a member whose log's end was cut off, unless another one tells how far it went, or loss is accepted", () => {
    const refused = new World(DOCUMENT, { answers: [], tornEnd: true });
    refused.run({});
    assert.match(refused.told.refusal ?? "", /end of this log was torn, or damaged.* a has to say/);
    const accepted = new World(DOCUMENT, { answers: [], tornEnd: true });
    accepted.run({ acceptDataLoss: true });
    assert.deepEqual(accepted.taken, [5]);
    const told = new World(DOCUMENT, { tornEnd: true });
    told.run({});
    assert.deepEqual(told.sent, ["a HAND_OVER"]);
  });

  test("gives up nothing while the leader answers, whatever was accepted", () => {
    const world = new World(ALONE);
    world.run({ acceptDataLoss: true });
    assert.match(world.told.refusal ?? "", /a leads and answers: nothing has to be given up/);
    assert.deepEqual(world.taken, []);
  });

  test("says what is given up, also when it is only asked", () => {
    const world = new World(ALONE, { answers: [] });
    world.run({ acceptDataLoss: true, dryRun: true });
    assert.equal(world.told.refusal, null);
    assert.match(world.told.findings.at(-1) ?? "", /b is not in the in-sync set: acknowledged writes .* are given up/);
  });

  test("gives nothing up that another member has, and names it, whatever was accepted", () => {
    const fuller = accountOf("c", { lastEpoch: 5, lastSequence: 91 });
    const world = new World(ALONE, { answers: [fuller] });
    world.run({ acceptDataLoss: true });
    assert.match(
      world.told.refusal ?? "",
      /c answers, and its log ends with entry 91 of epoch 5, that of b with entry 90 .*promote c instead/,
    );
    assert.deepEqual(world.taken, []);
    const unfit = new World(ALONE, { answers: [{ ...fuller, complete: false }, accountOf("a", { lastSequence: 80 })] });
    unfit.run({ acceptDataLoss: true });
    assert.deepEqual(unfit.taken, [5]);
  });

  test("never lets an incomplete copy lead", () => {
    const world = new World(ALONE, { answers: [], isComplete: false });
    world.run({ acceptDataLoss: true });
    assert.match(world.told.refusal ?? "", /not complete/);
  });

  test("finds what stands against it without doing anything", () => {
    const world = new World(DOCUMENT);
    world.run({ dryRun: true });
    assert.deepEqual([world.told.refusal, world.told.done], [null, false]);
    assert.deepEqual(world.sent, []);
    assert.ok(world.told.findings.some((finding) => finding.includes("in sync are a, b")));
  });

  test("does nothing for who leads already, and says so", () => {
    for (const dryRun of [true, false]) {
      const world = new World(DOCUMENT);
      world.ledEpoch = 5;
      world.run({ dryRun });
      assert.deepEqual([world.told.refusal, world.told.done, world.told.ledAlready], [null, !dryRun, true]);
      const change = dryRun ? "would change nothing" : "changed nothing";
      assert.equal(world.told.findings.at(-1), `b leads already: the promotion ${change}`);
      assert.deepEqual(world.sent, []);
    }
  });

  test("says that the coordinator does not answer, or knows nothing of the shard", () => {
    const down = new World(DOCUMENT);
    down.coordinator.isReadable = false;
    down.run({});
    assert.match(down.told.refusal ?? "", /does not answer/);
    const empty = new World(DOCUMENT);
    empty.coordinator.value = null;
    empty.run({});
    assert.match(empty.told.refusal ?? "", /kv init/);
  });
});

/** Replica "b". */
class World {
  readonly timers = new ManualTimers();
  readonly coordinator: ScriptedCoordinator;
  readonly sent: string[] = [];
  readonly taken: number[] = [];
  askedWith = 0;
  ledEpoch: number | null = null;
  report: PromotionReport | KvError | null = null;
  promotion!: CoordinatedPromotion;
  readonly #answers: readonly State[];
  readonly #isComplete: boolean;
  readonly #tornEnd: boolean;

  constructor(
    document: ShardDocument,
    options: { answers?: readonly State[]; isComplete?: boolean; tornEnd?: boolean } = {},
  ) {
    this.coordinator = new ScriptedCoordinator(document);
    this.#answers = options.answers ?? [{ ...accountOf("a"), role: "leader" }];
    this.#isComplete = options.isComplete ?? true;
    this.#tornEnd = options.tornEnd ?? false;
  }

  get told(): PromotionReport {
    assert.ok(this.report !== null && !(this.report instanceof KvError));
    return this.report;
  }

  run(request: Partial<PromotionRequest>): void {
    const { timers, coordinator } = this;
    const shared = { timers, random: new SeededRandom(3), logger: silentLogger };
    const state = {
      ...stateOf("b", { tornEnd: this.#tornEnd }),
      ...(this.#isComplete ? {} : { bootstrap: { phase: "copying" as const } }),
    };
    const accounts = {
      ask: () => {},
      askAgain: () => {},
      answered: () => this.#answers,
      silent: () => ["a", "c"].filter((node) => !this.#answers.some(({ store }) => store.node === node)),
      haveAllAnswered: this.#answers.length > 0,
    };
    this.promotion = new CoordinatedPromotion({
      env: {
        ...shared,
        clock: timers,
        stateFile: new MemoryStateFile(state),
        coordination: null,
      } as unknown as MemberEnvironment,
      config: { node: "b", shard: { name: "s" } } as unknown as MemberConfig,
      link: {
        send: (to: string, type: string, header: { id: number }) => {
          this.sent.push(`${to} ${type}`);
          this.askedWith = header.id;
        },
      } as unknown as MemberLink,
      store: { lastSequence: 90, lastEpoch: { epoch: 5, term: termOf(5) } } as unknown as ShardStore,
      accounts: accounts as unknown as Accounts,
      register: new ShardRegister({ ...shared, coordinator, key: "/kv/test/shards/s", node: "b", boot: "boot" }),
      request: { shard: "s", node: "b", dryRun: false, acceptDataLoss: false, isHandover: false, ...request },
      leaderNews: null,
      ledEpoch: () => this.ledEpoch,
      takeAlone: (known, done) => {
        this.taken.push(known.document.epoch);
        done(null);
      },
      done: (report) => (this.report = report),
    });
    this.promotion.start();
    timers.advance(1100);
  }
}
