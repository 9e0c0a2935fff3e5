import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { accountOf, leadershipOf, stateOf, storeOf, termOf } from "../../tests/support/member-facts.ts";
import { NO_EPOCH } from "../model/position.ts";
import type { LogEnd } from "./messages.ts";
import {
  decideRole,
  highestEpoch,
  highestLeadership,
  outranks,
  type Decision,
  type DecisionInputs,
} from "./startup-decision.ts";

const EMPTY: LogEnd = { lastEpoch: 0, lastTerm: NO_EPOCH.term, lastSequence: 0 };

describe("the first start of a shard", () => {
  test("the leader of the file leads when nobody who answers has data", () => {
    const decision = decide({ accounts: [accountOf("b"), accountOf("c")] });
    assert.deepEqual(decision, { kind: "lead", epoch: 1, base: null, fetchFrom: [] });
  });

  test("a single leader by hand, whose replica is not running, leads at once", () => {
    assert.equal(decide({ accounts: [] }).kind, "lead");
  });

  test("a replica follows the leader of the file, also when it starts first", () => {
    for (const accounts of [[], [accountOf("b")]]) {
      const decision = decide({ isFirstLeader: false, firstLeader: "b", accounts });
      assert.deepEqual(decision, { kind: "follow", leader: "b", leadership: null });
    }
  });

  test("a leader of the file that is empty does not lead past a member that has data", () => {
    const decision = decide({ accounts: [accountOf("b", { lastEpoch: 3, lastTerm: termOf(3), lastSequence: 50 })] });
    waits(decision, /empty and b holds data/);
  });

  test("a directory with entries but without any leadership takes no role", () => {
    waits(decide({ logEnd: endAt(3, 50) }), /holds entries but no leadership/);
    waits(decide({ state: stateOf("a", { bootstrap: { phase: "copying" } }) }), /holds entries but no leadership/);
    waits(decide({ state: stateOf("a", { damage: "a bit flipped" }) }), /holds entries but no leadership/);
  });

  test("the first epoch is above whatever anybody has heard of", () => {
    const decision = decide({ accounts: [accountOf("b", { seenEpoch: 41 })] });
    assert.ok(decision.kind === "lead" && decision.epoch === 42);
  });
});

describe("a restart", () => {
  const led = leadershipOf(7, "a", { inSync: [{ ...storeOf("a") }, { ...storeOf("b") }] });

  test("of the member that led last leads again with a new epoch, whoever answers (G1)", () => {
    for (const accounts of [[], [accountOf("b", { leadership: led })]]) {
      const decision = decide({ state: stateOf("a", { leadership: led }), logEnd: endAt(7, 90), accounts });
      assert.deepEqual(decision, { kind: "lead", epoch: 8, base: led, fetchFrom: [] });
    }
  });

  test("of a replica follows the leader that it knows, whatever the file says", () => {
    const leadership = leadershipOf(7, "b");
    const decision = decide({ state: stateOf("a", { leadership }), isFirstLeader: true, firstLeader: "a" });
    assert.deepEqual(decision, { kind: "follow", leader: "b", leadership });
  });

  test("of a deposed leader follows the higher epoch that another member knows (T3)", () => {
    const newer = leadershipOf(1007, "b");
    const accounts = [accountOf("c", { leadership: newer }), accountOf("b", { leadership: led })];
    const decision = decide({ state: stateOf("a", { leadership: led }), logEnd: endAt(7, 500), accounts });
    assert.deepEqual(decision, { kind: "follow", leader: "b", leadership: newer });
  });

  test("of a member whose promotion only the others have stored leads by their word", () => {
    const promoted = leadershipOf(1007, "a");
    const accounts = [accountOf("b", { leadership: promoted })];
    const state = stateOf("a", { leadership: leadershipOf(7, "b") });
    const decision = decide({ state, logEnd: endAt(7, 90), accounts });
    assert.deepEqual(decision, { kind: "lead", epoch: 1008, base: promoted, fetchFrom: [] });
  });

  test("of a leader with a wiped directory takes no role until an operator promotes one (T3)", () => {
    const state = stateOf("a", { store: { node: "a", store: "another", generation: 0 } });
    waits(decide({ state, accounts: [accountOf("b", { leadership: led })] }), /another store, which is gone/);
  });

  test("of a leader whose flushed statements no longer hold takes no role (D7)", () => {
    const state = stateOf("a", { store: storeOf("a", 1), leadership: led });
    waits(decide({ state, logEnd: endAt(7, 90) }), /another store/);
  });

  test("of a damaged leader waits, of a damaged replica follows and is repaired (S5)", () => {
    const damage = "Flushed data of the log are damaged";
    waits(decide({ state: stateOf("a", { leadership: led, damage }) }), /does not lead: promote another member/);
    const replica = decide({ state: stateOf("a", { leadership: leadershipOf(7, "b"), damage }) });
    assert.equal(replica.kind, "follow");
  });

  test("of a member that is still copying its data never leads", () => {
    const state = stateOf("a", { leadership: led, bootstrap: { phase: "replaying", mustReach: 10, lineage: 0 } });
    waits(decide({ state }), /promote a member that has the data/);
  });

  test("of a member that met another leader of its own epoch waits for the operator, whatever it hears (T2)", () => {
    const state = stateOf("a", { leadership: led, conflict: "two leaders of epoch 7" });
    const newer = accountOf("b", { leadership: leadershipOf(9, "b") });
    assert.deepEqual(decide({ state, accounts: [newer] }), { kind: "wait", reason: "two leaders of epoch 7" });
  });

  test("takes an epoch above everything that anybody has named (T2)", () => {
    const state = stateOf("a", { leadership: led, seenEpoch: { epoch: 11, term: termOf(11) } });
    const epochs = [
      decide({ state }),
      decide({ state, logEnd: endAt(13, 5) }),
      decide({ state, accounts: [accountOf("b", { lastEpoch: 15, lastTerm: termOf(15) })] }),
      decide({ state, accounts: [accountOf("b", { seenEpoch: 21 })] }),
    ].map((decision) => (decision.kind === "lead" ? decision.epoch : null));
    assert.deepEqual(epochs, [12, 14, 16, 22]);
  });
});

describe("what a restarting leader fetches before it leads (T3)", () => {
  const led = leadershipOf(7, "a");
  const fetchFrom = (accounts: DecisionInputs["accounts"]): readonly string[] => {
    const decision = decide({ state: stateOf("a", { leadership: led }), logEnd: endAt(7, 90), accounts });
    return decision.kind === "lead" ? decision.fetchFrom : assert.fail(decision.kind);
  };
  const longer = (node: string, sequence: number, epoch = 7, variant = 0): DecisionInputs["accounts"][number] =>
    accountOf(node, { lastEpoch: epoch, lastTerm: termOf(epoch, variant), lastSequence: sequence });

  test("is what another member's longer log of the same leadership has, the longest first", () => {
    assert.deepEqual(fetchFrom([longer("b", 95), longer("c", 99), longer("d", 90)]), ["c", "b"]);
  });

  test("is nothing from a log that is not longer, or of another term, or of an older epoch", () => {
    assert.deepEqual(fetchFrom([longer("b", 90), longer("c", 99, 7, 1), longer("d", 99, 6)]), []);
  });

  test("is also what a log of a later leadership has, whose start this node's disk may have lost", () => {
    const state = stateOf("a", { leadership: leadershipOf(9, "a") });
    const accounts = [longer("b", 95), longer("c", 93, 9)];
    const decision = decide({ state, logEnd: endAt(7, 90), accounts });
    assert.deepEqual(decision.kind === "lead" && decision.fetchFrom, ["c", "b"]);
  });
});

describe("the rank of leaderships", () => {
  test("is their epoch; within one epoch the newer set; equal numbers with different terms have no order", () => {
    const one = leadershipOf(5, "a");
    assert.ok(outranks(leadershipOf(6, "b"), one));
    assert.ok(!outranks(one, leadershipOf(6, "b")));
    assert.ok(!outranks(one, one));
    assert.ok(outranks({ ...one, setVersion: 2 }, one));
    const rival = leadershipOf(5, "b", { term: termOf(5, 1), setVersion: 9 });
    assert.ok(!outranks(rival, one) && !outranks(one, rival));
  });

  test("puts the highest first, and the own one before a rival", () => {
    assert.equal(highestLeadership([null, null]), null);
    const own = leadershipOf(5, "a");
    const rival = leadershipOf(5, "b", { term: termOf(5, 1) });
    assert.equal(highestLeadership([own, rival]), own);
    assert.equal(highestLeadership([own, null, rival, leadershipOf(6, "c")])?.leader.node, "c");
  });
});

test("the decision is the same for the same knowledge, and a new epoch is above every one named", () => {
  const epoch = fc.integer({ min: 0, max: 5 });
  const leadership = fc.option(
    fc
      .record({ epoch: fc.integer({ min: 1, max: 5 }), node: fc.constantFrom("a", "b", "c") })
      .map((one) => leadershipOf(one.epoch, one.node)),
  );
  const account = fc
    .record({
      node: fc.constantFrom("b", "c"),
      leadership,
      seenEpoch: epoch,
      lastEpoch: epoch,
      lastSequence: fc.nat({ max: 9 }),
    })
    .map(({ node, ...changes }) => accountOf(node, { ...changes, lastTerm: termOf(changes.lastEpoch) }));
  const knowledge = fc.record({
    own: leadership,
    lastEpoch: epoch,
    lastSequence: fc.nat({ max: 9 }),
    accounts: fc.array(account, { maxLength: 2 }),
    isFirstLeader: fc.boolean(),
  });
  fc.assert(
    fc.property(knowledge, ({ own, lastEpoch, lastSequence, accounts, isFirstLeader }) => {
      const logEnd = { lastEpoch, lastTerm: termOf(lastEpoch), lastSequence };
      const inputs = {
        self: "a",
        state: stateOf("a", { leadership: own }),
        logEnd,
        accounts,
        isFirstLeader,
        firstLeader: "a",
      };
      const decision = decideRole(inputs);
      assert.deepEqual(decideRole(structuredClone(inputs)), decision);
      const known = [own, ...accounts.map((one) => one.leadership)].map((one) => one?.epoch ?? 0);
      const named = [...known, lastEpoch, ...accounts.flatMap((one) => [one.seenEpoch, one.lastEpoch])];
      assert.equal(highestEpoch(inputs), Math.max(...named));
      if (decision.kind === "lead") {
        assert.equal(decision.epoch, Math.max(...named) + 1);
        assert.equal(decision.base?.epoch ?? 0, Math.max(...known));
        assert.equal(decision.base?.leader.node ?? "a", "a");
      }
      if (decision.kind === "follow") assert.equal(decision.leadership?.epoch ?? 0, Math.max(...known));
    }),
    { numRuns: 500 },
  );
});

function endAt(epoch: number, sequence: number): LogEnd {
  return { lastEpoch: epoch, lastTerm: termOf(epoch), lastSequence: sequence };
}

function decide(changes: Partial<DecisionInputs>): Decision {
  const plain = { self: "a", state: stateOf("a"), logEnd: EMPTY, accounts: [], isFirstLeader: true, firstLeader: "a" };
  return decideRole({ ...plain, ...changes });
}

function waits(decision: Decision, reason: RegExp): void {
  assert.ok(decision.kind === "wait", decision.kind);
  assert.match(decision.reason, reason);
  assert.match(decision.reason, /kv promote/);
}
