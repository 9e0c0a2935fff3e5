import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keyOfText } from "../model/key.ts";
import { MemberPair } from "../../tests/support/member-pair.ts";

const VALUE = "x".repeat(300);

/** Makes the leader write until its log no longer reaches back to where it was. */
function writeMuch(pair: MemberPair, round: number): void {
  const { leader } = pair;
  const start = leader.store.log.lastSequence;
  for (let i = 0; i < 60; i++) {
    leader.set(`key ${i}`, `${round} ${VALUE}`);
    pair.advance(20);
  }
  pair.advance(6000);
  assert.ok(leader.store.log.startSequence > start + 1, "the leader has trimmed its log");
}

/** A leader with rows whose log no longer reaches back to its beginning. */
function leaderWithoutHistory(): MemberPair {
  const pair = new MemberPair();
  pair.leader.start();
  pair.advance(1500);
  writeMuch(pair, 1);
  return pair;
}

/** The same, with a replica whose log does not begin at 1 either, and ends before the leader's begins. */
function replicaCutOff(): MemberPair {
  const pair = new MemberPair();
  pair.leader.start();
  pair.startReplica();
  pair.advance(1500);
  writeMuch(pair, 0);
  assert.ok(pair.replica.store.log.startSequence > 1, "the replica has trimmed its log as well");
  pair.killReplica();
  pair.advance(3000);
  writeMuch(pair, 1);
  return pair;
}

/** Copies while the process dies at every change to its disk in turn; the copy must become whole afterwards. */
function copyThroughDeaths(prepare: () => MemberPair): number {
  for (let changes = 0; ; changes++) {
    const pair = prepare();
    pair.replica.diesAfterChanges = changes;
    pair.startReplica();
    pair.advance(4000);
    const hasDied = pair.hasReplicaDied;
    if (hasDied) pair.startReplica();
    pair.advance(10_000);
    const when = `a death after ${changes} changes`;
    assert.deepEqual(pair.replica.fatal, [], when);
    assert.equal(pair.replica.state.bootstrap, null, when);
    assert.equal(pair.replica.read("key 59"), `1 ${VALUE}`, when);
    if (!hasDied) return changes;
  }
}

describe("A copy of the leader's rows", () => {
  it("knows the requests that were made before it began, and leads with them (U2, M57)", () => {
    const pair = new MemberPair();
    pair.leader.start();
    pair.advance(1500);
    const increment = { kind: "increment", key: keyOfText("n"), by: 1n } as const;
    const options = { consistency: "linearizable", durability: null, requestId: "a" } as const;
    const first = pair.leader.execute(increment, options);
    pair.advance(50);
    writeMuch(pair, 1);
    pair.startReplica();
    pair.advance(10_000);
    assert.ok(pair.replica.store.log.startSequence > 3, "the request's entry is not in the copy's log");
    const promotion = pair.replica.promote({ acceptDataLoss: true });
    pair.advance(5000);
    assert.ok(promotion.report !== null && "done" in promotion.report && promotion.report.done);
    const again = pair.replica.execute(increment, options);
    pair.advance(2000);
    assert.ok(first.reply?.ok === true && again.reply?.ok === true);
    assert.deepEqual([again.reply.result, again.reply.position], [first.reply.result, first.reply.position]);
  });

  it("is made whole after the process died at any change that it made to the disk", () => {
    assert.ok(copyThroughDeaths(leaderWithoutHistory) > 10);
  });

  it("takes the place of older data whole, wherever the process died", () => {
    assert.ok(copyThroughDeaths(replicaCutOff) > 10);
  });

  it("is not disturbed by a new leadership in the middle of any of its steps", () => {
    for (let delayMs = 100; delayMs < 260; delayMs += 2) {
      const pair = leaderWithoutHistory();
      pair.replica.transactionMs = 7;
      pair.startReplica();
      pair.advance(delayMs);
      pair.leader.promote();
      pair.advance(12_000);
      assert.deepEqual(pair.replica.fatal, [], `a new leadership after ${delayMs} ms`);
      assert.equal(pair.replica.state.bootstrap, null, `a new leadership after ${delayMs} ms`);
      assert.equal(pair.replica.read("key 59"), `1 ${VALUE}`);
    }
  });

  it("waits for room when the log cannot begin anew for want of it", () => {
    const pair = leaderWithoutHistory();
    const { disk } = pair.replica;
    disk.faults.capacityBytes = 1_000_000;
    pair.replica.transactionMs = 300;
    pair.startReplica();
    pair.advance(250);
    assert.deepEqual(pair.replica.state.bootstrap, { phase: "copying" }, "the tree is being emptied");
    disk.faults.fillerBytes = disk.freeBytes();
    pair.advance(8000);
    assert.deepEqual(pair.replica.state.bootstrap, { phase: "copying" });
    disk.faults.fillerBytes = 0;
    pair.advance(12_000);
    assert.deepEqual(pair.replica.fatal, []);
    assert.equal(pair.replica.state.bootstrap, null);
  });

  it("does not keep a node from stopping while the disk has no room for its rows", () => {
    const pair = leaderWithoutHistory();
    pair.replica.transactionMs = 50;
    pair.startReplica();
    pair.advance(180);
    assert.deepEqual(pair.replica.state.bootstrap, { phase: "copying" });
    pair.replica.treeFile.isFull = true;
    pair.advance(5000);
    let isStopped = false;
    pair.replica.member.stop(() => pair.replica.store.applier.close(() => (isStopped = true)));
    pair.advance(100);
    assert.ok(isStopped);
  });
});
