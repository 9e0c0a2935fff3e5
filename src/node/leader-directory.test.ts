import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeName } from "../model/position.ts";
import type { KnownLeader } from "./local-member.ts";
import { LeaderDirectory } from "./leader-directory.ts";
import { NodeCounters } from "./node-counters.ts";
import { MemoryCluster } from "../../tests/support/memory-cluster.ts";

const TERM = "00000000000000aa";

/** The directory of `s0m0` in a cluster whose members never answer by themselves. */
function directoryOf(memberCount = 3): { made: MemoryCluster; directory: LeaderDirectory; counters: NodeCounters } {
  const made = new MemoryCluster({ shardCount: 2, memberCount });
  for (const { node } of made.topology.nodes) if (node !== "s0m0") made.network.detach(node);
  const counters = new NodeCounters();
  const { member } = made.node("s0m0");
  const { timers, topology } = made;
  const network = made.network.endpoint("s0m0");
  const directory = new LeaderDirectory({ node: "s0m0", topology, member, network, clock: timers, timers, counters });
  return { made, directory, counters };
}

function known(epoch: number, leader: NodeName): KnownLeader {
  return { epoch, term: TERM, leader };
}

function stateOf(role: "leader" | "replica", epoch: number, leader: NodeName): unknown {
  const store = { node: leader, store: "s", generation: 1 };
  return {
    id: 1,
    store,
    seenEpoch: epoch,
    seenTerm: TERM,
    leadership: { epoch, term: TERM, leader: store, lineage: 0, inSync: [], setVersion: 0 },
    role,
    complete: true,
    recovered: true,
    inConflict: false,
    lastEpoch: epoch,
    lastTerm: TERM,
    lastSequence: 0,
  };
}

test("the file's first member is the first guess", () => {
  const { directory } = directoryOf();
  assert.deepEqual(directory.known("shard1"), { epoch: 0, term: "", leader: "s1m0" });
  assert.deepEqual(directory.known("no such shard"), { epoch: 0, term: "", leader: null });
});

test("the highest epoch heard wins, and a lower one never comes back", () => {
  const { directory } = directoryOf();
  directory.learn("shard1", known(5, "s1m1"));
  directory.learn("shard1", known(4, "s1m2"));
  assert.equal(directory.known("shard1").leader, "s1m1");
  directory.learn("shard1", known(6, "s1m2"));
  assert.deepEqual(directory.known("shard1"), known(6, "s1m2"));
});

test("of two leaders of one epoch the confirmed one is kept, a doubted one is not", () => {
  const { directory } = directoryOf();
  directory.heardState("shard1", "s1m1", stateOf("leader", 5, "s1m1"));
  directory.learn("shard1", known(5, "s1m2"));
  assert.equal(directory.known("shard1").leader, "s1m1");
  directory.doubt("shard1", "s1m1");
  directory.learn("shard1", known(5, "s1m2"));
  assert.equal(directory.known("shard1").leader, "s1m2");
});

test("a name that is no member of the shard is not believed", () => {
  const { directory } = directoryOf();
  directory.learn("shard1", known(9, "s0m1"));
  directory.learn("shard1", known(9, "evil:1"));
  directory.heardState("shard1", "s0m1", stateOf("leader", 9, "s1m2"));
  assert.equal(directory.known("shard1").leader, "s1m0");
});

test("a refusal's details name the leader, and start a search", () => {
  const { made, directory, counters } = directoryOf();
  directory.heardRefusal("shard1", "s1m0", { leader: "s1m2", epoch: 7, term: TERM });
  assert.deepEqual(directory.known("shard1"), known(7, "s1m2"));
  directory.heardRefusal("shard1", "s1m2", { leader: 12, epoch: "x" });
  assert.equal(directory.isConfirmed("shard1"), false);
  made.timers.advance(1);
  assert.ok(counters.leaderPolls >= 1);
});

test("an answer from a leader confirms it", () => {
  const { directory } = directoryOf();
  directory.learn("shard1", known(7, "s1m2"));
  directory.heardAnswer({ shard: "shard1", node: "s1m1", role: "replica", lagMs: 5 }, 8);
  assert.equal(directory.known("shard1").leader, "s1m2");
  directory.heardAnswer({ shard: "shard1", node: "s1m2", role: "leader", lagMs: 0 }, 3);
  assert.equal(directory.isConfirmed("shard1"), true);
  assert.equal(directory.known("shard1").epoch, 7);
});

test("all members are asked at the start, soon again, then every two seconds while no leader answers (T4)", () => {
  const { made, directory, counters } = directoryOf();
  directory.start();
  assert.equal(counters.leaderPolls, 1, "this node leads its own shard and needs not ask");
  made.timers.advance(250);
  assert.equal(counters.leaderPolls, 2);
  made.timers.advance(10_000);
  assert.equal(counters.leaderPolls, 7);
  directory.heardState("shard1", "s1m1", stateOf("leader", 5, "s1m1"));
  made.timers.advance(9000);
  assert.equal(counters.leaderPolls, 7, "a leader that has answered is left in peace");
  directory.stop();
  made.timers.advance(60_000);
  assert.equal(counters.leaderPolls, 7);
});

test("many complaints about one leader start one poll, not many", () => {
  const { made, directory, counters } = directoryOf();
  directory.heardState("shard1", "s1m1", stateOf("leader", 5, "s1m1"));
  for (let i = 0; i < 1000; i++) directory.doubt("shard1", "s1m1");
  made.timers.advance(100);
  assert.equal(counters.leaderPolls, 1);
  directory.doubt("shard1", "s1m2");
  made.timers.advance(50);
  assert.equal(counters.leaderPolls, 1, "a doubt about somebody else changes nothing");
});

test("nodes find a leader that is not the file's by asking, within the first quarter of a second", () => {
  const made = new MemoryCluster({ shardCount: 2, memberCount: 3 });
  made.shard(1).lead("s1m2");
  for (const { node } of made.topology.nodes) made.node(node).core.start();
  made.timers.advance(250);
  for (const { node } of made.topology.nodes) {
    const { core } = made.node(node);
    assert.deepEqual(core.leaderOf(made.keyOf(1)), { shard: "shard1", leader: "s1m2" }, node);
    assert.equal(core.directory.isConfirmed("shard1"), true, node);
  }
});

test("this node's own member counts for its own shard", () => {
  const { made, directory } = directoryOf();
  made.shard(0).lead("s0m1");
  assert.equal(directory.known("shard0").leader, "s0m1");
});
