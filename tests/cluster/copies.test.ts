import assert from "node:assert/strict";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TestCluster, type TestClusterOptions } from "./support/cluster.ts";
import { isIncomplete, whenCopying } from "./support/copying.ts";
import { eventually, memberView, requireEqualCopies, shardView } from "./support/copies.ts";
import type { TestNode } from "./support/test-node.ts";
import { Traffic, type TrafficOptions } from "./support/traffic.ts";

const WRITES_PER_SECOND_MIN = 50;
/** The log keeps as little as it can. */
const SMALL_LOG = "log_retain_mb = 1\nlog_retain_max_mb = 1";
/** Fill the log's first segments, of 4 and 8 MiB, within seconds. */
const LARGE_VALUES: Partial<TrafficOptions> = { valueBytesMax: 60_000, ledgerClients: 14, registerClients: 6 };
const ATTEMPTS_MAX = 8;
const COPY_STARTS = "This copy starts anew from the leader's rows";
const COPY_ENDS = "This copy is complete";

interface Setting {
  readonly cluster: TestCluster;
  readonly leader: TestNode;
  readonly replica: TestNode;
  readonly traffic: Traffic;
}

/** One shard under load. */
async function startLoaded(
  t: TestContext,
  options: TestClusterOptions,
  load: Partial<TrafficOptions> = {},
): Promise<Setting> {
  const cluster = await TestCluster.start(t, options);
  const [leader, replica] = cluster.nodes;
  assert(leader !== undefined && replica !== undefined);
  const addresses = cluster.nodes.map((node) => node.name);
  const traffic = Traffic.start(t, { addresses, seed: 31, registerClients: 8, ledgerClients: 8, ...load });
  await traffic.reach(WRITES_PER_SECOND_MIN);
  return { cluster, leader, replica, traffic };
}

/** Stops the load and demands that nothing is missing and every copy is the same. */
async function finish(t: TestContext, { cluster, replica, traffic }: Setting, note: string): Promise<void> {
  await traffic.reach(WRITES_PER_SECOND_MIN);
  await traffic.stop();
  const verdict = await traffic.finishWell(replica.name);
  const [copy, ...others] = await requireEqualCopies(cluster);
  assert(copy !== undefined && copy.keys > 0 && others.length === cluster.nodes.length - 1);
  t.diagnostic(
    `${note}; ${verdict.acknowledged} acknowledged, ${cluster.nodes.length} equal copies of ${copy.keys} keys`,
  );
}

function firstSequenceOf(node: TestNode): number {
  const names = readdirSync(join(node.dataDirectory, "log")).filter((name) => /^\d{16}\.log$/.test(name));
  return Math.min(...names.map((name) => Number.parseInt(name, 10)));
}

async function waitTrimmed(leader: TestNode): Promise<void> {
  await eventually("the leader's log has lost its beginning", async () => firstSequenceOf(leader) > 1 || undefined);
}

async function inSyncAgain(leader: TestNode, node: TestNode): Promise<void> {
  await eventually(`${node.name} is in the in-sync set`, async () => {
    const { in_sync, members } = await shardView(leader);
    const ready = members.find((member) => member.node === node.name)?.ready;
    return in_sync.includes(node.name) && ready === true ? true : undefined;
  });
}

for (const replicaCount of [2, 3]) {
  const name = `with ${replicaCount} replicas, one of them wiped under load, all copies are equal at the end`;
  test(name, { timeout: 120_000 }, async (t) => {
    const setting = await startLoaded(t, { replicaCount });
    const { replica, traffic } = setting;
    const store = (await memberView(replica)).store;
    await replica.kill();
    rmSync(replica.dataDirectory, { recursive: true });
    await traffic.reach(WRITES_PER_SECOND_MIN);
    await replica.startReady();
    assert.notEqual((await memberView(replica)).store, store, "the new directory is another store");
    await finish(t, setting, "wiped while down");
  });
}

test("a wiped in-sync replica copies the leader's rows, is in-sync again by itself, and nothing is missing", async (t) => {
  const options = { replication: "in-sync", replicaCount: 2, clusterToml: SMALL_LOG } as const;
  const setting = await startLoaded(t, options, LARGE_VALUES);
  const { leader, replica, traffic } = setting;
  await waitTrimmed(leader);
  await replica.kill();
  rmSync(replica.dataDirectory, { recursive: true });
  await replica.startReady();
  assert(replica.output.includes(COPY_STARTS), replica.output);
  await inSyncAgain(leader, replica);
  assert(replica.output.includes(COPY_ENDS), replica.output);
  await traffic.reach(WRITES_PER_SECOND_MIN);
  await finish(t, setting, `the log began at ${firstSequenceOf(leader)}`);
});

test("a replica that the log no longer reaches copies the rows while writes go on, through kill -9 as well", async (t) => {
  const setting = await startLoaded(t, { clusterToml: SMALL_LOG }, LARGE_VALUES);
  const { leader, replica, traffic } = setting;
  await replica.kill();
  await waitTrimmed(leader);
  const writesBefore = traffic.acknowledgedWrites;
  replica.start();
  const killsWhileCopying = await killWhileCopying(replica);
  await eventually("the copy is complete", async () => replica.output.includes(COPY_ENDS) || undefined);
  await replica.waitReady();
  assert(replica.output.includes(COPY_STARTS), replica.output);
  const written = traffic.acknowledgedWrites - writesBefore;
  assert(written > WRITES_PER_SECOND_MIN, `only ${written} writes were acknowledged meanwhile`);
  await finish(t, setting, `${written} writes while it copied, killed ${killsWhileCopying} times meanwhile`);
});

/** Kills and restarts the replica twice while its directory says that it is incomplete. */
async function killWhileCopying(replica: TestNode): Promise<number> {
  let kills = 0;
  for (let attempt = 0; kills < 2 && attempt < ATTEMPTS_MAX; attempt++) {
    await whenCopying(replica);
    await sleep(kills * 60);
    await replica.kill();
    if (isIncomplete(replica)) kills++;
    // It was quicker than we: what it has copied goes, and it begins again.
    else rmSync(replica.dataDirectory, { recursive: true });
    replica.start();
  }
  assert(kills > 0, "it was killed in the middle of its copy");
  return kills;
}
