import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemberPair } from "../../tests/support/member-pair.ts";
import { SPACE } from "../model/entry.ts";
import { KvError } from "../model/errors.ts";

/** A leader and a replica whose trees both hold `key`. */
function appliedPair(): MemberPair {
  const pair = new MemberPair();
  pair.leader.start();
  pair.startReplica();
  pair.advance(1500);
  pair.leader.set("key", "value");
  pair.advance(12_000);
  assert.equal(pair.replica.store.appliedSequence, pair.replica.store.lastSequence, "the tree has the row");
  return pair;
}

describe("A damaged row in the tree (rule S5)", () => {
  it("is found on a replica, which throws its copy away under a new store id and takes a new one", () => {
    const pair = appliedPair();
    const { store } = pair.replica.state.store;
    pair.replica.treeFile.damage(SPACE.user, "key");
    pair.killReplica();
    pair.startReplica();
    pair.advance(12_000);
    assert.notEqual(pair.replica.state.store.store, store);
    assert.equal(pair.replica.state.bootstrap, null, "the new copy is complete");
    assert.equal(pair.replica.state.damage, null);
    assert.equal(pair.replica.read("key"), "value");
  });

  it("on a leader keeps a replica from copying: it says so, and asks ever less often", () => {
    const pair = appliedPair();
    pair.replica.treeFile.damage(SPACE.user, "key");
    pair.killReplica();
    pair.leader.treeFile.damage(SPACE.user, "key");
    pair.leader.crash();
    pair.advance(2000);
    pair.startReplica();
    pair.advance(5000);
    assert.equal(pair.replica.state.bootstrap?.phase, "copying");
    const { reason } = pair.replica.member.readiness();
    assert.match(
      reason,
      /^copies its data from a:80, which refuses: The stored record of key key fails its checksum; promote/,
    );
    pair.advance(30_000);
    let asked = 0;
    for (let passedMs = 0; passedMs < 120_000; passedMs++) {
      pair.advance(1);
      asked += pair.replica.all("GET_RANGE").length;
    }
    assert.ok(asked >= 3 && asked <= 6, `asked ${asked} times in two minutes`);
    assert.equal(pair.leader.member.role, "leader");
  });

  it("is told by a leader, which goes on leading and never serves it", () => {
    const pair = appliedPair();
    pair.leader.treeFile.damage(SPACE.user, "key");
    pair.leader.crash();
    pair.advance(3000);
    assert.equal(pair.leader.member.role, "leader");
    assert.match(pair.leader.member.status().state, /leads; The stored record of key "key" is damaged/);
    assert.throws(
      () => pair.leader.read("key"),
      (error) => error instanceof KvError && error.code === "CORRUPT",
    );
  });
});
