import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { basename } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { keyOfText } from "../../src/model/key.ts";
import { TestCluster } from "./support/cluster.ts";
import { runSeed } from "../support/run-seed.ts";
import { isIncomplete, whenCopying } from "./support/copying.ts";
import { eventually, memberView, requireEqualCopies, shardView, knowsItIsInSync } from "./support/copies.ts";
import { runKv, type ProgramResult } from "./support/program.ts";
import type { TestNode } from "./support/test-node.ts";
import { Traffic } from "./support/traffic.ts";

const WRITES_PER_SECOND_MIN = 100;
const ATTEMPTS_MAX = 6;

let loadCount = 0;

async function promote(cluster: TestCluster, node: TestNode, ...words: string[]): Promise<ProgramResult> {
  const common = ["--shard", node.shard, "--node", node.name, "--config-file", cluster.configFile];
  return runKv(["promote", ...common, ...words]);
}

async function promoteWell(cluster: TestCluster, node: TestNode, ...words: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await promote(cluster, node, ...words);
  assert.equal(exitCode, 0, stdout + stderr);
  assert.match(stdout, /leads/);
  return stdout;
}

/** A key of the shard that `node` belongs to. */
function keyOf(cluster: TestCluster, node: TestNode, prefix: string): string {
  for (let count = 0; count < 1000; count++) {
    const key = `${prefix}:${count}`;
    if (cluster.config.topology.shardOfKey(keyOfText(key)).name === node.shard) return key;
  }
  throw new Error("no key of the shard was found");
}

async function follows(node: TestNode, leader: TestNode): Promise<void> {
  await eventually(`${node.name} follows ${leader.name}`, async () => {
    const { role, ready } = await memberView(node);
    const view = await shardView(node);
    return role === "replica" && ready === true && view.leader === leader.name ? true : undefined;
  });
}

function pair(cluster: TestCluster): { leader: TestNode; replica: TestNode; stranger: TestNode } {
  const [leader, replica, ...others] = cluster.nodes;
  const stranger = others.at(-1);
  assert(leader !== undefined && replica !== undefined && stranger !== undefined);
  return { leader, replica, stranger };
}

async function status(cluster: TestCluster): Promise<string> {
  const { exitCode, stdout, stderr } = await runKv(["status", "--config-file", cluster.configFile]);
  assert.equal(exitCode, 0, stderr);
  return stdout;
}

function loadOn(t: TestContext, cluster: TestCluster): Traffic {
  const addresses = cluster.nodes.map((node) => node.name);
  // Each load has keys of its own, by its seed.
  return Traffic.start(t, { addresses, seed: runSeed() + ++loadCount, registerClients: 8, ledgerClients: 8 });
}

for (const replication of ["async", "in-sync"] as const) {
  const name = `a killed leader is replaced by hand under load; clients of any node find the new one, the old one follows (${replication})`;
  test(name, { timeout: 90_000 }, async (t) => {
    const cluster = await TestCluster.start(t, { shardCount: 2, replication });
    const { leader, replica, stranger } = pair(cluster);
    const traffic = loadOn(t, cluster);
    const rate = await traffic.reach(WRITES_PER_SECOND_MIN);
    // In async mode the very last writes may be lost by a failover, and this test is about all others.
    if (replication === "async") await pauseUntilReplicated(cluster, traffic, replica);
    await leader.kill();
    const dryRun = await promote(cluster, replica, "--dry-run");
    assert.equal(dryRun.exitCode, 0, dryRun.stderr);
    assert.match(dryRun.stdout, new RegExp(`Leader ${leader.name} does not answer`));
    assert.match(dryRun.stdout, /Nothing stands against promoting/);
    assert.equal((await memberView(replica)).role, "replica", "a dry run changes nothing");
    const report = await promoteWell(cluster, replica);
    assert.match(report, new RegExp(`${leader.name} is no longer in the in-sync set`));
    const startedMs = performance.now();
    const key = keyOf(cluster, leader, "after");
    await eventually("a node of another shard writes to the new leader", async () => {
      await stranger.put(key, "after");
      return true;
    });
    const foundMs = performance.now() - startedMs;
    const after = replication === "async" ? loadOn(t, cluster) : traffic;
    await after.reach(WRITES_PER_SECOND_MIN);
    await leader.startReady();
    await follows(leader, replica);
    await eventually("the old leader is in sync again", async () => {
      return (await shardView(replica)).in_sync.includes(leader.name) || undefined;
    });
    await after.reach(WRITES_PER_SECOND_MIN);
    await after.stop();
    const verdict = await after.finishWell(leader.name);
    if (after !== traffic) await traffic.finishWell(leader.name);
    assert.equal(await leader.get(key), "after");
    await requireEqualCopies(cluster);
    assert.match(await status(cluster), new RegExp(`the file names ${leader.name}|${replica.name}`));
    t.diagnostic(
      `${rate} writes/s before; the new leader was found ${foundMs.toFixed(0)} ms after its promotion; ` +
        `${verdict.acknowledged} acknowledged, ${verdict.refused} refused, ${verdict.unknown} unknown, 0 missing`,
    );
  });
}

async function pauseUntilReplicated(cluster: TestCluster, traffic: Traffic, replica: TestNode): Promise<void> {
  await traffic.stop();
  await requireEqualCopies(cluster);
  assert.equal((await memberView(replica)).lag_entries, 0);
}

test("a deposed leader keeps what only it had in a file that status names and check lists (async)", async (t) => {
  const cluster = await TestCluster.start(t, { shardCount: 2 });
  const { leader, replica } = pair(cluster);
  const keys = Array.from({ length: 40 }, (_, count) => keyOf(cluster, leader, `tail:${count}`));
  await leader.put("shared", "shared");
  await requireEqualCopies(cluster);
  replica.signal("SIGSTOP");
  for (const key of keys) await leader.put(key, `value of ${key}`);
  await leader.kill();
  replica.signal("SIGCONT");
  const lacking = await promote(cluster, replica, "--dry-run", "--from", leader.dataDirectory);
  assert.equal(lacking.exitCode, 0, lacking.stderr);
  assert.match(lacking.stdout, /and lacks \d+ of those entries/);
  assert(lacking.stdout.includes(keys.at(-1) ?? ""), "the dry run names what the old leader's directory has");
  await promoteWell(cluster, replica);
  await replica.put("new", "history");

  await leader.startReady();
  await follows(leader, replica);
  await requireEqualCopies(cluster);
  const kept: string[] = [];
  const lost: string[] = [];
  for (const key of keys) ((await leader.get(key)) === null ? lost : kept).push(key);
  assert(lost.length >= 30, `the tail was not replicated: ${lost.length} of ${keys.length}`);
  assert.equal(await leader.get("new"), "history");
  const file = (await memberView(leader)).discarded_entries_file;
  assert(typeof file === "string");
  assert((await status(cluster)).includes(basename(file)), "kv status names the file");
  await cluster.stopAll();
  const check = await runKv(["check", leader.dataDirectory, "--entries"]);
  assert.equal(check.exitCode, 0, check.stdout);
  for (const key of lost) assert(check.stdout.includes(key), `${key} is neither there nor among the discarded entries`);
  for (const key of kept) assert(!check.stdout.includes(key), `${key} was not discarded`);
  t.diagnostic(`${lost.length} of ${keys.length} writes were given up, all of them are in ${basename(file)}`);
});

test("writes go on without a dead in-sync member after the present leader is promoted, and it is added again", async (t) => {
  const cluster = await TestCluster.start(t, { shardCount: 2, replication: "in-sync" });
  const { leader, replica, stranger } = pair(cluster);
  const key = keyOf(cluster, leader, "k");
  await stranger.put(key, "1");
  await replica.kill();
  const refusal = await eventually("writes are refused, definitely", async () => {
    const answer = await stranger.fetch(`/v1/kv/${key}`, { method: "PUT", body: "refused" });
    const text = await answer.text();
    return answer.status === 503 && text.includes("NOT_ENOUGH_REPLICAS") ? text : undefined;
  });
  assert.match(refusal, /"outcome":"not_applied"/);
  assert(refusal.includes(`kv promote --shard ${leader.shard} --node ${leader.name}`), refusal);
  assert.match(await promoteWell(cluster, leader), new RegExp(`${replica.name} is no longer in the in-sync set`));
  await stranger.put(key, "2");
  await replica.startReady();
  // The leader counts on it first and tells it with the next heartbeat: only then it knows that it may lead.
  await eventually("the replica knows that it is in sync again", async () => knowsItIsInSync(replica) || undefined);
  await leader.kill();
  await promoteWell(cluster, replica);
  assert.equal(await stranger.get(key), "2", "what was acknowledged after its return is on the replica");
});

test("a replica outside the in-sync set is refused, and the members that were not heard are named", async (t) => {
  const cluster = await TestCluster.start(t, { replicaCount: 2, replication: "in-sync" });
  const [leader, first, second] = cluster.nodes;
  assert(leader !== undefined && first !== undefined && second !== undefined);
  await leader.put("k", "1");
  second.signal("SIGSTOP");
  await promoteWell(cluster, leader);
  for (let count = 0; count < 20; count++) await leader.put(`k${count}`, "without the second");
  await leader.kill();
  second.signal("SIGCONT");
  for (const words of [["--dry-run"], []]) {
    const refused = await promote(cluster, second, ...words);
    assert.equal(refused.exitCode, 1, refused.stdout);
    assert.match(refused.stderr, /is not in the in-sync set/);
    assert.match(refused.stderr, new RegExp(`not heard: ${leader.name}`));
    const lacking = new RegExp(`${first.name} has \\d+ entries that ${second.name} lacks`);
    if (words.length > 0) assert.match(refused.stdout, lacking);
  }
  assert.equal((await memberView(second)).role, "replica", "a refused promotion changes nothing");
  await promoteWell(cluster, first);
  await leader.startReady();
  await follows(second, first);
  await follows(leader, first);
  for (let count = 0; count < 20; count++) assert.equal(await second.get(`k${count}`), "without the second");
  await requireEqualCopies(cluster);
});

test(
  "two promotions at once leave one leader, and nothing acknowledged is missing",
  { timeout: 120_000 },
  async (t) => {
    const cluster = await TestCluster.start(t, { replicaCount: 2, replication: "in-sync" });
    const traffic = loadOn(t, cluster);
    const outcomes: string[] = [];
    for (let round = 0; round < 4; round++) {
      await traffic.reach(WRITES_PER_SECOND_MIN);
      const view = await shardView(cluster.nodes[round % 3] ?? assert.fail());
      const leader = cluster.node(view.leader ?? "");
      const others = cluster.nodes.filter((node) => node !== leader);
      const isDead = round % 2 === 0;
      if (isDead) await leader.kill();
      await sleep(round * 20);
      const results = await Promise.all(others.map(async (node) => promote(cluster, node)));
      outcomes.push(results.map(({ exitCode }) => exitCode).join("/"));
      if (isDead) leader.start();
      await oneLeader(t, cluster, results);
    }
    await traffic.reach(WRITES_PER_SECOND_MIN);
    await traffic.stop();
    const verdict = await traffic.finishWell(cluster.nodes[2]?.name ?? "");
    await requireEqualCopies(cluster);
    t.diagnostic(`exit codes ${outcomes.join(", ")}; ${verdict.acknowledged} acknowledged, 0 missing`);
  },
);

/** Waits until all agree on one leader and the others follow; promotes one when both promoted ones refuse to lead (T2). */
async function oneLeader(t: TestContext, cluster: TestCluster, results: readonly ProgramResult[]): Promise<void> {
  const agree = async (): Promise<true | undefined> => {
    const views = await Promise.all(cluster.nodes.map(async (node) => memberView(node)));
    const leaders = views.filter(({ role }) => role === "leader").length;
    if (leaders === 1 && views.every(({ role, ready }) => role !== "none" && ready === true)) return true;
    const waiting = views.find(({ state = "" }) => state.includes("until one is promoted"));
    if (waiting === undefined) return undefined;
    t.diagnostic(`both stopped: ${waiting.state}`);
    await promoteWell(cluster, cluster.node(waiting.node));
    return undefined;
  };
  const said = results.map(({ stdout, stderr }) => stdout + stderr).join("\n---\n");
  await eventually(`one leader, after:\n${said}`, agree, 30_000);
}

/** The leader dies while the replica copies its rows; again and again, should the copy be quicker than we are. */
async function leaveInTheMiddleOfItsCopy(leader: TestNode, replica: TestNode): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    replica.start();
    await whenCopying(replica);
    await leader.kill();
    if (isIncomplete(replica)) {
      await eventually("the replica answers", async () => (await memberView(replica)).role);
      return;
    }
    await replica.kill();
    rmSync(replica.dataDirectory, { recursive: true });
    await leader.startReady();
  }
  throw new Error(`the copy was complete in each of ${ATTEMPTS_MAX} attempts before the leader was killed`);
}

test("an incomplete replica is refused, even by force", { timeout: 120_000 }, async (t) => {
  const clusterToml = "log_retain_mb = 1\nlog_retain_max_mb = 1";
  const cluster = await TestCluster.start(t, { clusterToml });
  const [leader, replica] = cluster.nodes;
  assert(leader !== undefined && replica !== undefined);
  await replica.kill();
  for (let count = 0; count < 60; count++) await leader.put(`large${count}`, "x".repeat(300_000));
  await eventually("the log is trimmed", async () => {
    return ((await memberView(leader)).log_bytes ?? Infinity) < 14_000_000 || undefined;
  });
  await leaveInTheMiddleOfItsCopy(leader, replica);
  for (const words of [[], ["--accept-data-loss", "--yes"]]) {
    const refused = await promote(cluster, replica, ...words);
    assert.equal(refused.exitCode, 1, refused.stdout);
    assert.match(refused.stderr, /an incomplete copy never leads/);
  }
  await leader.startReady();
  await replica.waitReady();
  await requireEqualCopies(cluster);
});
