import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { proveCaught } from "../../tests/support/prove-caught.ts";
import { termOf } from "../../tests/support/member-facts.ts";
import { decideCut, haltReason, type CutDecision, type CutInputs } from "./cut-decision.ts";

/** Epoch 1 up to 10, epoch 4 up to 15; the leader's epoch 4 ends where the answer says. */
const LOG = {
  startSequence: 1,
  lastSequence: 15,
  epochs: [
    { epoch: 1, term: termOf(1), firstSequence: 1, versionBase: 0, lineage: 0 },
    { epoch: 4, term: termOf(4), firstSequence: 11, versionBase: 0, lineage: 0 },
  ],
};

/** The leader has no entry of an epoch that this log knows. */
const NOTHING = { dEpoch: 0, dTerm: "0000000000000000", dEndSeq: 0 };

describe("the decision about a divergence", () => {
  test("cuts what is not committed", () => {
    assert.deepEqual(decide({ committedThrough: 12 }, 12), { kind: "cut", to: 12 });
    assert.deepEqual(decide({ committedThrough: 0 }, 12), { kind: "cut", to: 12 });
  });

  test("never cuts what is committed, or in the tree, by mistake: it stops and keeps the files (P2, M33)", () => {
    const check = (): void => {
      assert.deepEqual(decide({ committedThrough: 13 }, 12), { kind: "halt", to: 12 });
      assert.deepEqual(decide({ committedThrough: 13, lineage: 2, leaderLineage: 2 }, 12), { kind: "halt", to: 12 });
      assert.deepEqual(decide({ committedThrough: 13, lineage: 2, leaderLineage: 1 }, 12), { kind: "halt", to: 12 });
    };
    proveCaught("M33", check);
  });

  test("copies everything anew when a promotion since gave up what was committed here", () => {
    assert.deepEqual(decide({ committedThrough: 13, leaderLineage: 1 }, 12), { kind: "resync", to: 12 });
  });

  test("of logs that share nothing stops whoever holds anything committed, and empties whoever does not", () => {
    assert.deepEqual(decide({ committedThrough: 1 }, 0, NOTHING), { kind: "halt", to: 0 });
    assert.deepEqual(decide({ committedThrough: 0 }, 0, NOTHING), { kind: "cut", to: 0 });
  });

  test("copies everything anew after a takeover that gave up all there was, if all of that can be kept", () => {
    const wanted = { committedThrough: 1, leaderLineage: 1, isArbitrated: true };
    assert.deepEqual(decide(wanted, 0, NOTHING), { kind: "resync", to: 0 });
    const log = { ...LOG, startSequence: 2 };
    assert.deepEqual(decide({ ...wanted, log }, 0, NOTHING), { kind: "halt", to: 0 });
    assert.deepEqual(decide({ ...wanted, isArbitrated: false }, 0, NOTHING), { kind: "halt", to: 0 });
  });

  test("tells the operator where the logs part and what was kept", () => {
    assert.match(haltReason("n1:80", 12, 13), /leader n1:80 parts at 12 .* up to 13; .*NO_COMMON_HISTORY/);
    assert.match(haltReason("n1:80", 0, 13), /shares nothing/);
  });
});

function decide(
  changes: Partial<CutInputs>,
  dEndSeq: number,
  answer: { dEpoch: number; dTerm: string; dEndSeq: number } = { dEpoch: 4, dTerm: termOf(4), dEndSeq },
): CutDecision {
  const diverged = { sid: "s", epoch: 9, ...answer };
  return decideCut({
    log: LOG,
    answer: diverged,
    committedThrough: 0,
    lineage: 0,
    leaderLineage: 0,
    isArbitrated: false,
    ...changes,
  });
}
