import assert from "node:assert/strict";
import { test } from "node:test";
import { KvError } from "../model/errors.ts";
import { keyOfText } from "../model/key.ts";
import type { PromotionReport } from "../model/status.ts";
import { MemoryCluster, setOf } from "../../tests/support/memory-cluster.ts";
import type { ClusterStatus, Explanation } from "./gateway.ts";

function cluster(): MemoryCluster {
  const made = new MemoryCluster({ shardCount: 2, memberCount: 2 });
  made.start();
  return made;
}

function viewOf(made: MemoryCluster, node = "s0m0"): ClusterStatus {
  return made.await<ClusterStatus>((done) => made.node(node).core.cluster(done));
}

test("the cluster's status tells of every member, and of a spread that is not even", () => {
  const made = cluster();
  for (let count = 0; count < 3; count++) made.ask("s0m0", setOf(made.keyOf(0, count), "v"));
  made.ask("s0m0", setOf(made.keyOf(1), "v"));
  const view = viewOf(made);
  assert.equal(view.cluster, "memory");
  assert.equal(view.answeredBy, "s0m0");
  assert.equal(view.replication, "async");
  assert.deepEqual(
    view.shards.map(({ leader, epoch, warnings }) => ({ leader, epoch, warnings })),
    [
      { leader: "s0m0", epoch: 1, warnings: [] },
      { leader: "s1m0", epoch: 1, warnings: [] },
    ],
  );
  assert.ok(
    view.shards.every((shard) => shard.members.length === 2 && shard.members.every((member) => member.reachable)),
  );
  assert.equal(view.imbalance, 1.5);
});

test("an empty cluster is balanced", () => {
  assert.equal(viewOf(cluster()).imbalance, 1);
});

test("a member that does not answer is shown as such after a second, and a dead leader is warned of", () => {
  const made = cluster();
  made.isolate("s1m0", "silent");
  const startMs = made.timers.nowMs();
  const view = viewOf(made);
  assert.ok(made.timers.nowMs() - startMs < 1100);
  const shard = view.shards[1];
  assert.deepEqual(shard?.members[0], { node: "s1m0", reachable: false });
  assert.deepEqual(shard?.warnings, [
    "The leader s1m0 does not answer; start it again, or promote another member (kv promote)",
  ]);
});

test("a leader that is not the file's is named as a difference", () => {
  const made = cluster();
  made.shard(1).lead("s1m1");
  const [warning] = viewOf(made).shards[1]?.warnings ?? [];
  assert.equal(warning, "The configuration file names s1m0 as leader; the members have stored s1m1 (epoch 2)");
});

test("two leaders at once and members without a role are warned of", () => {
  const made = cluster();
  made.node("s1m1").member.belief = { epoch: 9, term: "0000000000000009", leader: "s1m1" };
  made.node("s0m1").member.isReady = false;
  const view = viewOf(made);
  assert.ok(view.shards[1]?.warnings.includes("Several members lead at once: s1m0, s1m1"));
  assert.deepEqual(view.shards[0]?.warnings, ["s0m1 has no role: Starts"]);
});

test("explain names the slot, the shard, and what each copy holds", () => {
  const made = cluster();
  const key = keyOfText("foo");
  made.ask("s0m0", setOf(key, "v"));
  const { index } = made.topology.shardOfKey(key);
  made.network.detach(`s${index}m1`);
  const node = index === 0 ? "s1m0" : "s0m0";
  const explanation = made.await<Explanation>((done) => made.node(node).core.explain(key, done));
  assert.equal(explanation.hash, "15621798640163566899");
  assert.equal(explanation.slot, Number(15621798640163566899n % 55440n));
  assert.equal(explanation.leader, `s${index}m0`);
  assert.deepEqual(explanation.copies, [
    { node: `s${index}m0`, reachable: true, role: "leader", version: 1, lagEntries: 0, lagMs: 0 },
    { node: `s${index}m1`, reachable: false, role: "none", version: null, lagEntries: 0, lagMs: 0 },
  ]);
});

test("a promotion is carried out by the member it names, whichever node is asked", () => {
  const made = cluster();
  const request = { shard: "shard1", node: "s1m1", dryRun: false, acceptDataLoss: false, isHandover: false };
  const promote = (node: string, change: object): PromotionReport | KvError =>
    made.await<PromotionReport | KvError>(
      (done) => made.node(node).core.promote({ ...request, ...change }, done),
      40_000,
    );
  const report = promote("s0m0", {});
  assert.ok(!(report instanceof KvError) && report.done);
  assert.deepEqual(made.node("s1m1").member.promotions, [request]);
  assert.equal(made.shard(1).leader, "s1m1");
  assert.ok(!(promote("s1m1", { dryRun: true }) instanceof KvError));
  const codeOfPromotion = (change: object): string => {
    const answer = promote("s0m0", change);
    return answer instanceof KvError ? answer.code : "ok";
  };
  assert.equal(codeOfPromotion({ shard: "Atlantis" }), "INVALID_ARGUMENT");
  assert.equal(codeOfPromotion({ node: "s0m1" }), "INVALID_ARGUMENT");
  made.network.setFault("s0m0", "s1m1", "answer lost");
  assert.equal(codeOfPromotion({ dryRun: true }), "UNREACHABLE");
  assert.equal(codeOfPromotion({}), "UNKNOWN_OUTCOME");
  made.network.detach("s1m1");
  assert.equal(codeOfPromotion({}), "UNREACHABLE");
});
