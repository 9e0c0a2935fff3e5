import assert from "node:assert/strict";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { TestCluster } from "./support/cluster.ts";
import { eventually, memberView, requireEqualCopies } from "./support/copies.ts";
import { runKv } from "./support/program.ts";
import { TestNode } from "./support/test-node.ts";

const KEYS = 30;
const isLinux = process.platform === "linux";

async function fill(node: TestNode): Promise<void> {
  for (let count = 0; count < KEYS; count++) await node.put(`k${count}`, `v${count}`);
}

async function requireFilled(node: TestNode): Promise<void> {
  for (let count = 0; count < KEYS; count++) assert.equal(await node.get(`k${count}`), `v${count}`);
}

/** Starts a node that must refuse to run; gives what it said. */
async function requireRefusal(node: TestNode): Promise<string> {
  const before = node.output.length;
  node.start();
  assert.equal(await node.exited(), 1, node.output);
  const said = node.output.slice(before);
  assert(said.startsWith("kv: "), said);
  return said;
}

/** Another process for the place of `node` in a cluster's file: on another directory, or with another file. */
function variantOf(node: TestNode, changes: { dataDirectory?: string; configFile: string }): TestNode {
  const { name, shard, isReplica, dataDirectory } = node;
  return new TestNode({ node: name, shard, isReplica, dataDirectory, env: {}, ...changes });
}

function pair(cluster: TestCluster): [TestNode, TestNode] {
  const [leader, replica] = cluster.nodes;
  assert(leader !== undefined && replica !== undefined);
  return [leader, replica];
}

async function promote(cluster: TestCluster, node: TestNode): Promise<void> {
  const words = ["promote", "--shard", node.shard, "--node", node.name, "--config-file", cluster.configFile];
  const { exitCode, stdout, stderr } = await runKv(words);
  assert.equal(exitCode, 0, stdout + stderr);
}

async function stateOf(node: TestNode, text: string): Promise<void> {
  await eventually(`${node.name} says "${text}"`, async () => {
    return (await memberView(node)).state?.includes(text) === true ? true : undefined;
  });
}

test("a leader whose directory was wiped does not lead; the replica is promoted and has everything", async (t) => {
  const cluster = await TestCluster.start(t);
  const [leader, replica] = pair(cluster);
  await fill(leader);
  await requireEqualCopies(cluster);
  await leader.kill();
  rmSync(leader.dataDirectory, { recursive: true });
  leader.start();
  await stateOf(leader, "kv promote");
  assert.equal((await leader.fetch("/readyz")).status, 503);
  assert.equal((await memberView(leader)).role, "none");
  const refused = await leader.fetch("/v1/kv/new", { method: "PUT", body: "lost?" });
  assert.equal(refused.status, 503);
  assert.match(await refused.text(), /"outcome":"not_applied"/);
  await promote(cluster, replica);
  await leader.waitReady();
  await requireFilled(leader);
  await requireEqualCopies(cluster);
});

test("a wiped leader that started alone does not take the data of the replica that comes back", async (t) => {
  const cluster = await TestCluster.start(t);
  const [leader, replica] = pair(cluster);
  await fill(leader);
  await requireEqualCopies(cluster);
  await cluster.killAll();
  rmSync(leader.dataDirectory, { recursive: true });
  // Nobody who answers has data, so the file's word counts (rule T3).
  await leader.startReady();
  replica.start();
  await stateOf(leader, "nobody leads until one is promoted");
  await promote(cluster, replica);
  // It began a history of its own, which it does not give up by itself: its directory is the operator's to remove.
  await stateOf(leader, "NO_COMMON_HISTORY");
  await requireFilled(leader);
  await leader.kill();
  rmSync(leader.dataDirectory, { recursive: true });
  await leader.startReady();
  await requireFilled(replica);
  await requireFilled(leader);
  await requireEqualCopies(cluster);
});

test("directories that were swapped between nodes or shards are refused, and nothing is lost", async (t) => {
  const cluster = await TestCluster.start(t, { shardCount: 2 });
  const [leader, replica, other] = cluster.nodes;
  assert(leader !== undefined && replica !== undefined && other !== undefined);
  await fill(leader);
  await requireEqualCopies(cluster);
  await cluster.stopAll();
  const swap = (a: TestNode, b: TestNode): void => {
    renameSync(a.dataDirectory, join(cluster.directory, "swap"));
    renameSync(b.dataDirectory, a.dataDirectory);
    renameSync(join(cluster.directory, "swap"), b.dataDirectory);
  };
  swap(leader, replica);
  for (const [node, owner] of [
    [leader, replica],
    [replica, leader],
  ] as const) {
    const said = await requireRefusal(node);
    assert(said.includes(`belongs to node ${owner.name}, not to node ${node.name}`), said);
  }
  swap(leader, replica);
  swap(leader, other);
  const said = await requireRefusal(leader);
  assert(said.includes(`belongs to shard ${other.shard}, not to shard ${leader.shard}`), said);
  swap(leader, other);
  await cluster.startAll();
  await requireFilled(other);
  await requireEqualCopies(cluster);
});

test("a second process on a directory is refused and named the first, even while that one stands still", async (t) => {
  const cluster = await TestCluster.start(t);
  const [leader] = pair(cluster);
  await fill(leader);
  const { configFile } = cluster;
  const second = variantOf(leader, { configFile });
  const said = await requireRefusal(second);
  assert(said.includes(`in use by process ${leader.pid}`), said);
  leader.signal("SIGSTOP");
  const third = variantOf(leader, { configFile });
  assert((await requireRefusal(third)).includes(`in use by process ${leader.pid}`));
  leader.signal("SIGCONT");
  await requireFilled(leader);
  await leader.put("after", "still here");
  await requireEqualCopies(cluster);
});

test("a second node with the name of a running one is refused, and that one is named", async (t) => {
  const cluster = await TestCluster.start(t);
  const [leader] = pair(cluster);
  await fill(leader);
  const { configFile } = cluster;
  const twin = variantOf(leader, { configFile, dataDirectory: join(cluster.directory, "twin") });
  const said = await requireRefusal(twin);
  assert(said.includes(String(leader.pid)), said);
  await requireFilled(leader);
  await requireEqualCopies(cluster);
});

test("a node of another cluster is refused a directory, and is given nothing by this one", async (t) => {
  const cluster = await TestCluster.start(t);
  const [leader, replica] = pair(cluster);
  await fill(leader);
  await requireEqualCopies(cluster);
  await replica.stop();
  const configFile = join(cluster.directory, "other.toml");
  writeFileSync(configFile, readFileSync(cluster.configFile, "utf8").replace('name = "test"', 'name = "other"'));
  const onThisDirectory = variantOf(replica, { configFile });
  const said = await requireRefusal(onThisDirectory);
  assert(said.includes("belongs to cluster test, not to cluster other"), said);

  const dataDirectory = join(cluster.directory, "stranger");
  mkdirSync(dataDirectory);
  const stranger = variantOf(replica, { configFile, dataDirectory });
  t.after(async () => stranger.kill());
  stranger.start();
  await eventually(
    "the two have met",
    async () => /WRONG_CLUSTER|another cluster|belongs to cluster/.test(stranger.output + leader.output) || undefined,
  );
  assert.equal((await stranger.fetch("/readyz")).status, 503);
  assert.equal((await memberView(stranger)).last_sequence, 0, "it was given nothing");
  await leader.put("during", "fine");
  await stranger.kill();
  await replica.startReady();
  await requireFilled(replica);
  await requireEqualCopies(cluster);
});

test("a lock file removed under its owner lets nobody in, and the owner ends", { skip: !isLinux }, async (t) => {
  const cluster = await TestCluster.start(t, { replicaCount: 0 });
  const [leader] = cluster.nodes;
  assert(leader !== undefined);
  leader.signal("SIGSTOP");
  rmSync(join(leader.dataDirectory, "lock"));
  const second = variantOf(leader, { configFile: cluster.configFile });
  assert.match(await requireRefusal(second), /in use by process \d+, although its lock file was removed/);
  const endsMs = performance.now() + 10_000;
  leader.signal("SIGCONT");
  assert.equal(await leader.exited(), 1);
  assert(performance.now() < endsMs, "it ended soon");
  assert.match(leader.output, /lock was (removed|replaced).* start it again, and never remove that file/);
  await leader.startReady();
});

test("a node whose tree is removed under it ends and says what to do", async (t) => {
  const cluster = await TestCluster.start(t, { replicaCount: 0 });
  const [leader] = cluster.nodes;
  assert(leader !== undefined);
  await leader.put("k", "v");
  rmSync(join(leader.dataDirectory, "tree"), { recursive: true });
  await (await leader.fetch("/metrics")).text();
  assert.equal(await leader.exited(), 1);
  assert.match(leader.output, /rows\.mdb was removed while this node ran: .*move the directory away/);
  assert.doesNotMatch(leader.output, /ENOENT/);
});
