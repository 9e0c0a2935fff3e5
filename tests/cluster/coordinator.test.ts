import assert from "node:assert/strict";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeShardDocument } from "../../src/model/shard-document.ts";
import { TestCluster, type TestClusterOptions } from "./support/cluster.ts";
import { eventually, memberView, requireEqualCopies, shardView } from "./support/copies.ts";
import { type ProgramResult, runKv } from "./support/program.ts";
import type { TestCoordinator } from "./support/test-coordinator.ts";
import type { TestNode } from "./support/test-node.ts";
import { Traffic } from "./support/traffic.ts";

const EMBEDDED = { coordinator: "embedded", replication: "in-sync" } as const;

interface Coordinated {
  readonly cluster: TestCluster;
  readonly coordinator: TestCoordinator;
}

async function startCoordinated(t: TestContext, options: TestClusterOptions = {}): Promise<Coordinated> {
  const cluster = await TestCluster.start(t, { ...EMBEDDED, ...options });
  assert(cluster.coordinator !== null);
  return { cluster, coordinator: cluster.coordinator };
}

async function kv({ configFile }: TestCluster, ...words: string[]): Promise<ProgramResult> {
  return runKv([...words, "--config-file", configFile]);
}

function pairOf(cluster: TestCluster): readonly [TestNode, TestNode] {
  const [leader, replica] = cluster.nodes;
  assert(leader !== undefined && replica !== undefined);
  return [leader, replica];
}

async function waitForSet(node: TestNode, members: readonly TestNode[]): Promise<void> {
  const wanted = members.map(({ name }) => name).sort();
  await eventually(`${wanted.join(", ")} are in sync`, async () => {
    const { in_sync } = await shardView(node);
    return JSON.stringify([...in_sync].sort()) === JSON.stringify(wanted) ? true : undefined;
  });
}

test("a leader that is killed is replaced by its replica, and follows when it comes back", async (t) => {
  const { cluster, coordinator } = await startCoordinated(t);
  const [leader, replica] = pairOf(cluster);
  await waitForSet(replica, cluster.nodes);
  await leader.put("kept", "by both");
  const before = (await coordinator.documentOf("Hyderabad")).epoch;
  await leader.kill();
  const killedMs = performance.now();
  await replica.putSoon("after", "the failover");
  const outageMs = performance.now() - killedMs;
  assert.equal(await replica.get("kept"), "by both");
  const document = await coordinator.documentOf("Hyderabad");
  assert.equal(document.leader.node, replica.name);
  assert(document.epoch > before);
  const { warnings } = await shardView(replica);
  assert(!warnings.some((warning) => warning.includes("kv promote")), warnings.join("; "));
  await leader.startReady();
  assert.equal((await memberView(leader)).role, "replica");
  await waitForSet(replica, cluster.nodes);
  await requireEqualCopies(cluster);
  t.diagnostic(`no write was acknowledged for ${outageMs.toFixed(0)} ms`);
});

/** Kills the coordinator under load for a few seconds; what clients and leaders noticed of it, null for nothing. */
async function whatIsNoticed(
  t: TestContext,
  { cluster, coordinator, seed }: Coordinated & { readonly seed: number },
): Promise<string | null> {
  const traffic = Traffic.start(t, { addresses: cluster.nodes.map(({ name }) => name), seed });
  await traffic.reach(100);
  const epochs = async (): Promise<string> =>
    (await Promise.all(cluster.nodes.map(async (node) => (await shardView(node)).epoch))).join(", ");
  const before = await epochs();
  await coordinator.kill();
  await sleep(4000);
  const { stdout } = await kv(cluster, "status");
  assert.match(stdout, /embedded coordinator \(in trouble\)/);
  assert.match(stdout, /! coordinator: \S/);
  await traffic.stop();
  const { refused, unknown } = await traffic.finishWell(cluster.nodes[0]?.name ?? "");
  const now = await epochs();
  if (refused + unknown === 0 && now === before) return null;
  return `${refused} operations were refused, ${unknown} lost their answer; epochs ${before}, then ${now}`;
}

test("nobody notices when the coordinator is killed, and a start without it serves as soon as it is back", async (t) => {
  const { cluster, coordinator } = await startCoordinated(t, { shardCount: 2 });
  for (const node of cluster.nodes) {
    const members = cluster.nodes.filter(({ shard }) => shard === node.shard);
    await waitForSet(node, members);
  }
  let noticed = await whatIsNoticed(t, { cluster, coordinator, seed: 11 });
  // A machine that stands still for a second is noticed as well; a coordinator that is missed would be, every time.
  for (let seed = 12; noticed !== null && seed < 14; seed++) {
    await coordinator.start();
    for (const node of cluster.nodes) await waitForSet(node, cluster.members(cluster.nodes.indexOf(node) >> 1));
    t.diagnostic(`once more: ${noticed}`);
    noticed = await whatIsNoticed(t, { cluster, coordinator, seed });
  }
  assert.equal(noticed, null);
  const [first] = cluster.nodes;
  assert(first !== undefined);
  await cluster.killAll();
  for (const node of cluster.nodes) node.start();
  await eventually("a node says what it waits for", async () =>
    (await memberView(first)).state?.includes("coordinator") ? true : undefined,
  );
  await coordinator.start();
  await cluster.waitReady();
  await requireEqualCopies(cluster);
});

test("kv init adopts data of static mode without loss: only with --adopt, only with every member, and once", async (t) => {
  const cluster = await TestCluster.create({ ...EMBEDDED });
  t.after(async () => cluster.dispose());
  const [leader, replica] = pairOf(cluster);
  const coordinated = readFileSync(cluster.configFile, "utf8");
  writeFileSync(cluster.configFile, TestCluster.withoutCoordinator(coordinated));
  for (const node of cluster.nodes) node.start();
  await cluster.waitReady();
  for (let index = 0; index < 50; index++) await replica.put(`static:${index}`, String(index));
  // The replica is left behind: what it lacks is what adopting must not lose.
  await replica.kill();
  await leader.put("static:last", "only the leader has it", "?durability=async");
  const wrongMode = await runKv(["init", "--config-file", cluster.configFile]);
  assert.equal(wrongMode.exitCode, 1);
  assert.match(wrongMode.stderr, /cluster\.coordinator is "static": this file alone says who is who/);
  writeFileSync(cluster.configFile, coordinated);
  await cluster.coordinator?.start();
  const tooEarly = await kv(cluster, "init", "--adopt");
  assert.equal(tooEarly.exitCode, 1);
  assert.match(
    tooEarly.stderr,
    /runs with the static coordinator, .* says embedded: start it again with this file first/,
  );
  await leader.kill();
  leader.start();
  const [one, other] = await Promise.all([kv(cluster, "init"), kv(cluster, "init", "--adopt")]);
  assert.match(one.stderr, /holds data of shard Hyderabad already\n {2}no document was made; .*kv init --adopt/);
  assert.equal(one.exitCode, 1);
  assert.match(
    other.stderr,
    new RegExp(`${replica.name} of shard Hyderabad does not answer, and may hold what the others lack`),
  );
  assert.equal(other.exitCode, 1);

  replica.start();
  const adopted = await kv(cluster, "init", "--adopt");
  assert.equal(adopted.stdout, `Shard Hyderabad: ${leader.name} leads from epoch 2 on, no other copy in sync yet\n`);
  const again = await kv(cluster, "init", "--adopt");
  assert.equal(again.stdout, "Cluster test has its documents already\n");
  await cluster.waitReady();
  for (let index = 0; index < 50; index++) assert.equal(await replica.get(`static:${index}`), String(index));
  assert.equal(await replica.get("static:last"), "only the leader has it");
  await waitForSet(leader, cluster.nodes);
  await requireEqualCopies(cluster);
});

test("a coordinator that lost its data stops its nodes, which say so, and come back with all data by kv coordinator rebuild", async (t) => {
  const { cluster, coordinator } = await startCoordinated(t);
  const [leader, replica] = pairOf(cluster);
  await waitForSet(leader, cluster.nodes);
  await leader.put("kept", "through all of it");
  const before = await coordinator.documentOf("Hyderabad");
  await coordinator.kill();
  coordinator.wipe();
  await coordinator.start();
  for (const node of cluster.nodes) {
    await eventually(`${node.name} stops`, async () => {
      const { role, state } = await memberView(node);
      return role === "none" && state?.includes("kv coordinator rebuild") ? true : undefined;
    });
  }
  const init = await kv(cluster, "init", "--adopt");
  assert.equal(init.exitCode, 1);
  assert.match(init.stderr, /has gone by documents of this cluster, and the coordinator has none of them any more/);
  await replica.kill();
  const alone = await kv(cluster, "coordinator", "rebuild");
  assert.equal(alone.exitCode, 1);
  assert.match(alone.stderr, /does not answer, and may hold what the others lack\n {2}nothing was written; --force/);
  replica.start();
  const rebuilt = await kv(cluster, "coordinator", "rebuild");
  assert.equal(rebuilt.exitCode, 0, rebuilt.stderr);
  await cluster.waitReady();
  assert.equal(await replica.get("kept"), "through all of it");
  assert((await coordinator.documentOf("Hyderabad")).epoch > before.epoch);
  const again = await kv(cluster, "coordinator", "rebuild");
  assert.equal(again.stdout, "No node has seen newer documents than the coordinator has\n");
});

test("a coordinator restored from an old backup is refused, and rebuilt", async (t) => {
  const { cluster, coordinator } = await startCoordinated(t);
  const [leader, replica] = pairOf(cluster);
  await waitForSet(leader, cluster.nodes);
  const backup = `${cluster.directory}/backup.json`;
  copyFileSync(coordinator.documentsFile, backup);
  await leader.kill();
  await replica.putSoon("newer", "than the backup");
  await leader.startReady();
  await coordinator.kill();
  copyFileSync(backup, coordinator.documentsFile);
  await coordinator.start();
  await eventually("the leader refuses it", async () => {
    const { role, state } = await memberView(replica);
    return role === "none" && /is older than epoch \d+, seen here/.test(state ?? "") ? true : undefined;
  });
  const rebuilt = await kv(cluster, "coordinator", "rebuild");
  assert.equal(rebuilt.exitCode, 0, rebuilt.stderr);
  assert.match(rebuilt.stdout, new RegExp(`Shard Hyderabad: ${replica.name} leads`));
  await cluster.waitReady();
  assert.equal(await leader.get("newer"), "than the backup");
});

test("documents that make no sense, or are another cluster's, change nothing and end nobody", async (t) => {
  const { cluster, coordinator } = await startCoordinated(t);
  const [leader] = pairOf(cluster);
  await waitForSet(leader, cluster.nodes);
  const good = await coordinator.documentOf("Hyderabad");
  const text = encodeShardDocument(good);
  const bad = [
    text.replace('"v":1', '"v":2'),
    text.replace(/"leader":\{[^}]*\},/, ""),
    text.replace('"epoch":', '"epoch":-'),
    "{}",
    "not JSON",
    JSON.stringify("x".repeat(1_048_000)),
  ];
  for (const value of bad) {
    // The watch makes every node read it at once.
    await coordinator.overwrite("Hyderabad", value);
    await sleep(400);
    await leader.put("still", "served");
  }
  const stdout = await eventually("the status tells of it", async () => {
    const shown = (await kv(cluster, "status")).stdout;
    return shown.includes("makes no sense") ? shown : undefined;
  });
  assert.match(stdout, /127\.\S+ +leader/);
  assert.match(stdout, /! Hyderabad: The shard's document .* nobody takes over from a leader; kv coordinator rebuild/);
  const mended = await kv(cluster, "coordinator", "rebuild");
  assert.equal(mended.exitCode, 0, mended.stderr);
  assert.match(mended.stdout, new RegExp(`${leader.name} leads on in epoch ${good.epoch}, in sync with 127`));
  await eventually("the status is without warnings", async () => {
    return (await shardView(leader)).warnings.length === 0 || undefined;
  });
  assert.deepEqual(await Promise.all(cluster.nodes.map(async (node) => (await memberView(node)).role)), [
    "leader",
    "replica",
  ]);
  assert.equal((await coordinator.documentOf("Hyderabad")).epoch, good.epoch);
  await cluster.waitReady();

  // Another cluster of the same name, at the same address.
  await coordinator.kill();
  const file = readFileSync(coordinator.documentsFile, "utf8");
  coordinator.wipe();
  await coordinator.start();
  const stranger = await TestCluster.create({ ...EMBEDDED });
  t.after(async () => stranger.dispose());
  const own = readFileSync(stranger.configFile, "utf8");
  writeFileSync(stranger.configFile, own.replace(/endpoints = .*/, `endpoints = ["http://${coordinator.address}"]`));
  for (const node of stranger.nodes) node.start();
  assert.equal((await kv(stranger, "init")).exitCode, 0);
  await stranger.waitReady();
  await eventually("the nodes do not go by a stranger's documents", async () => {
    const { role, state } = await memberView(leader);
    return role === "none" && state?.includes("another cluster's") ? true : undefined;
  });
  const refused = await kv(cluster, "coordinator", "rebuild");
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /The coordinator has the documents of another cluster of this name/);
  await coordinator.kill();
  writeFileSync(coordinator.documentsFile, file);
  await coordinator.start();
  await cluster.waitReady();
  assert.equal(await leader.get("still"), "served");
});

test("kv member takes a replica out of its shard and back in", async (t) => {
  const { cluster } = await startCoordinated(t, { replicaCount: 2 });
  const [leader, replica, third] = cluster.nodes;
  assert(leader !== undefined && replica !== undefined && third !== undefined);
  await waitForSet(leader, cluster.nodes);
  const change = async (kind: string, node: TestNode): Promise<ProgramResult> =>
    kv(cluster, "member", kind, "--shard", "Hyderabad", "--node", node.name);
  const refused = await change("remove", leader);
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /leads shard Hyderabad: hand its leadership over first/);
  assert.equal((await change("remove", third)).stdout, `${third.name} is no member of shard Hyderabad\n`);
  await waitForSet(leader, [leader, replica]);
  await eventually("it says so", async () =>
    (await memberView(third)).state?.includes("is no member of its shard") ? true : undefined,
  );
  await leader.put("meanwhile", "written");
  assert.equal(await third.get("meanwhile"), "written", "it forwards like any node");
  assert(
    (await shardView(leader)).warnings.some((text) => text.includes("no member by the coordinator (kv member add)")),
  );
  assert.equal((await change("remove", third)).stdout, `${third.name} is no member of shard Hyderabad already\n`);
  assert.equal((await change("add", third)).stdout, `${third.name} is a member of shard Hyderabad\n`);
  await waitForSet(leader, cluster.nodes);
  await requireEqualCopies(cluster);
});
