import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test, type TestContext } from "node:test";
import { TestCluster, type TestClusterOptions } from "./support/cluster.ts";
import { programCommand, RunningProgram, runKv, runProgram } from "./support/program.ts";

/** A configuration of shards with a replica each, whose nodes `kv up` is to start. */
async function layOut(t: TestContext, shardCount = 2, options: TestClusterOptions = {}): Promise<TestCluster> {
  const cluster = await TestCluster.create({ shardCount, replicaCount: 1, ...options });
  t.after(async () => cluster.dispose());
  return cluster;
}

function startUp(t: TestContext, cluster: TestCluster, words: readonly string[] = []): RunningProgram {
  const data = join(cluster.directory, "data");
  const command = programCommand("src/cli/kv.ts", [
    "up",
    "--config-file",
    cluster.configFile,
    "--data",
    data,
    ...words,
  ]);
  const program = new RunningProgram(command, { cwd: cluster.directory });
  t.after(async () => {
    program.signal("SIGKILL");
    await program.exited;
    await eventually(() => childrenOf(cluster).length === 0, "no node is left");
  });
  return program;
}

/** Process ids of the cluster's nodes, found by their configuration file. */
function childrenOf(cluster: TestCluster): number[] {
  return processesWith("serve", cluster.configFile);
}

/** Process ids of the cluster's coordinator, found by its directory. */
function coordinatorsOf(cluster: TestCluster): number[] {
  return processesWith("coordinator", join(cluster.directory, "data", "coordinator"));
}

function processesWith(...wanted: string[]): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const words = commandOf(pid);
      return wanted.every((word) => words.includes(word));
    })
    .map(Number);
}

function commandOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}

async function eventually(holds: () => boolean, what: string, timeoutMs = 20_000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(30);
  }
}

const isLinux = process.platform === "linux";

test("kv up starts every node, says when all are ready and how to try it, and stops them all at SIGTERM with exit code 0", async (t) => {
  const cluster = await layOut(t);
  const up = startUp(t, cluster);
  await up.waitFor("Ctrl-C stops everything");
  assert.match(up.output, /Ready: 4 nodes of 2 shards after \d+\.\d s/);
  for (const { name } of cluster.nodes) assert.ok(up.output.includes(`http://${name}`));
  const [, url = ""] = /curl -X PUT --data 'hello' (\S+)/.exec(up.output) ?? [];
  assert.equal((await fetch(url, { method: "PUT", body: "hello" })).status, 201);
  const [, other = ""] = /^ {2}curl (http\S+)$/m.exec(up.output) ?? [];
  assert.equal(await (await fetch(other)).text(), "hello");
  up.signal("SIGTERM");
  assert.equal(await up.exited, 0, up.output);
  if (isLinux) assert.deepEqual(childrenOf(cluster), []);
});

test("a second kv up names the process that has the address, or the data directory", { skip: !isLinux }, async (t) => {
  const cluster = await layOut(t, 1);
  const up = startUp(t, cluster);
  await up.waitFor("Ctrl-C stops everything");
  const elsewhere = join(cluster.directory, "elsewhere");
  const sameAddresses = await runKv(["up", "--config-file", cluster.configFile, "--data", elsewhere]);
  assert.equal(sameAddresses.exitCode, 1);
  const whose = `is in use by process \\d+ of a cluster that runs already; end it with: kill ${up.pid}`;
  assert.match(sameAddresses.stderr, new RegExp(whose));
  assert.ok(!existsSync(elsewhere), "nothing was made");
  const other = await layOut(t, 1);
  const data = join(cluster.directory, "data");
  const sameData = await runKv(["up", "--config-file", other.configFile, "--data", data]);
  assert.equal(sameData.exitCode, 1);
  assert.match(sameData.stderr, /data is in use by process \d+ \(.*serve.*\); end it with: kill \d+/);
});

test(
  "a node that is killed is started again, a line says so, and what was written is there",
  { skip: !isLinux },
  async (t) => {
    const cluster = await layOut(t);
    const up = startUp(t, cluster);
    await up.waitFor("Ctrl-C stops everything");
    for (let i = 0; i < 20; i++) await cluster.nodes[0]?.put(`kept:${i}`, String(i));
    const before = childrenOf(cluster);
    for (const pid of before) process.kill(pid, "SIGKILL");
    await up.waitFor("was killed by SIGKILL; it is started again in 1 s");
    await eventually(() => childrenOf(cluster).filter((pid) => !before.includes(pid)).length === 4, "four new nodes");
    for (const node of cluster.nodes) {
      await eventuallyReady(node.url);
      for (let i = 0; i < 20; i++) assert.equal(await node.get(`kept:${i}`), String(i));
    }
  },
);

test(
  "the nodes end by themselves when kv up is killed, and the next start has their data",
  { skip: !isLinux },
  async (t) => {
    const cluster = await layOut(t);
    const up = startUp(t, cluster);
    await up.waitFor("Ctrl-C stops everything");
    await cluster.nodes[0]?.put("kept", "yes");
    up.signal("SIGKILL");
    // At once, while the orphans still have the ports: the next start waits for them.
    const again = startUp(t, cluster);
    await again.waitFor("Ctrl-C stops everything");
    assert.equal(childrenOf(cluster).length, 4);
    assert.equal(await cluster.nodes[3]?.get("kept"), "yes");
  },
);

test(
  "kv up takes over what it ran in static mode, runs the coordinator, and starts both it and a killed leader again",
  { skip: !isLinux },
  async (t) => {
    const cluster = await layOut(t, 1, { coordinator: "embedded", replication: "in-sync" });
    const [leader, replica] = cluster.nodes;
    assert(leader !== undefined && replica !== undefined);
    const coordinated = readFileSync(cluster.configFile, "utf8");
    writeFileSync(cluster.configFile, TestCluster.withoutCoordinator(coordinated));
    const before = startUp(t, cluster);
    await before.waitFor("Ctrl-C stops everything");
    assert.match(before.output, /^Static topology: when a leader is gone for good, promote a replica$/m);
    await leader.put("kept", "from static mode");
    before.signal("SIGTERM");
    assert.equal(await before.exited, 0, before.output);

    writeFileSync(cluster.configFile, coordinated);
    const up = startUp(t, cluster);
    await up.waitFor("Ctrl-C stops everything");
    const adopted = `^Shard Hyderabad: ${leader.name} leads from epoch 2 on, in sync with ${replica.name}$`;
    assert.match(up.output, new RegExp(adopted, "m"));
    assert.match(up.output, /^Coordinator: embedded on 127\S+; when a leader dies, a replica takes over by itself$/m);
    assert.equal(await replica.get("kept"), "from static mode");
    const [arbiter = -1] = coordinatorsOf(cluster);
    process.kill(arbiter, "SIGKILL");
    await up.waitFor("was killed by SIGKILL; it is started again in 1 s");
    await eventually(() => coordinatorsOf(cluster).some((pid) => pid !== arbiter), "another coordinator");
    const pid = childrenOf(cluster).find((child) => commandOf(String(child)).includes(leader.name)) ?? -1;
    process.kill(pid, "SIGKILL");
    await up.waitFor("was killed by SIGKILL; it is started again in 5 s");
    await replica.putSoon("after", "the failover");
    await eventuallyReady(leader.url);
    assert.equal(await leader.get("after"), "the failover");

    up.signal("SIGTERM");
    assert.equal(await up.exited, 0, up.output);
    assert.deepEqual([...childrenOf(cluster), ...coordinatorsOf(cluster)], []);
    rmSync(join(cluster.directory, "data", "coordinator"), { recursive: true });
    const bereft = startUp(t, cluster);
    await bereft.waitFor("If its data are lost: kv coordinator rebuild");
    const rebuilt = await runKv(["coordinator", "rebuild", "--config-file", cluster.configFile]);
    assert.equal(rebuilt.exitCode, 0, rebuilt.stderr);
    await bereft.waitFor("Ctrl-C stops everything");
    assert.equal(await leader.get("kept"), "from static mode");
    bereft.signal("SIGTERM");
    assert.equal(await bereft.exited, 0, bereft.output);

    const fresh = startUp(t, cluster, ["--fresh"]);
    await fresh.waitFor("Ctrl-C stops everything");
    assert.equal(await leader.get("kept"), null, "the documents went with the data");
  },
);

test(
  "an address that a foreign process has is refused with that process's id and command",
  { skip: !isLinux },
  async (t) => {
    const cluster = await layOut(t, 1);
    const [host = "", port = ""] = (cluster.nodes[1]?.name ?? "").split(":");
    const source = `require("node:net").createServer().listen(${port}, "${host}", () => console.log("listens"))`;
    const foreign = new RunningProgram([process.execPath, "-e", source], {});
    t.after(() => foreign.signal("SIGKILL"));
    await foreign.waitFor("listens");
    const { exitCode, stderr } = await runKv(["up", "--config-file", cluster.configFile], { cwd: cluster.directory });
    assert.equal(exitCode, 1);
    assert.match(
      stderr,
      new RegExp(`${host}:${port} is in use by process ${foreign.pid} \\(.*-e .*; end it with: kill ${foreign.pid}`),
    );
  },
);

test("--fresh wipes the nodes' data, keeps what no node made, and never touches a foreign directory", async (t) => {
  const cluster = await layOut(t, 1);
  const foreign = join(cluster.directory, "photos");
  mkdirSync(foreign);
  writeFileSync(join(foreign, "holiday.jpg"), "precious");
  const refused = await runKv(["up", "--config-file", cluster.configFile, "--data", foreign, "--fresh"]);
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /photos holds files that are not this database's; name another directory with --data/);
  assert.equal(readFileSync(join(foreign, "holiday.jpg"), "utf8"), "precious");

  const up = startUp(t, cluster);
  await up.waitFor("Ctrl-C stops everything");
  await cluster.nodes[0]?.put("gone", "soon");
  up.signal("SIGTERM");
  assert.equal(await up.exited, 0);
  writeFileSync(join(cluster.directory, "data", "notes.txt"), "mine");
  const fresh = startUp(t, cluster, ["--fresh"]);
  await fresh.waitFor("Ctrl-C stops everything");
  assert.match(fresh.output, /Wiped .*data, but for what no node made: notes\.txt/);
  assert.equal(await cluster.nodes[0]?.get("gone"), null);
  assert.equal(readFileSync(join(cluster.directory, "data", "notes.txt"), "utf8"), "mine");
});

test("a node that cannot start ends the whole start, with its reason and exit code 1", async (t) => {
  const cluster = await layOut(t, 1);
  const up = startUp(t, cluster);
  await up.waitFor("Ctrl-C stops everything");
  up.signal("SIGTERM");
  assert.equal(await up.exited, 0);
  const data = join(cluster.directory, "data");
  const victim = readdirSync(data).find((name) => name.startsWith("Hyderabad")) ?? "";
  writeFileSync(join(data, victim, "node.json"), "{}");
  const again = startUp(t, cluster);
  assert.equal(await again.exited, 1);
  assert.match(again.output, /node\.json is damaged/);
  assert.match(again.output, /before it was ready/);
});

test("every node gives the memory of large values back to the system", { skip: !isLinux }, async (t) => {
  const cluster = await layOut(t, 1);
  const up = startUp(t, cluster);
  await up.waitFor("Ctrl-C stops everything");
  for (const pid of childrenOf(cluster)) {
    assert.match(readFileSync(`/proc/${pid}/environ`, "utf8"), /MALLOC_MMAP_THRESHOLD_=\d/);
  }
});

test("with --no-restart a node that dies stays down, and the others go on", { skip: !isLinux }, async (t) => {
  const cluster = await layOut(t, 1);
  const up = startUp(t, cluster, ["--no-restart"]);
  await up.waitFor("Ctrl-C stops everything");
  const [victim] = childrenOf(cluster);
  process.kill(victim ?? -1, "SIGKILL");
  await up.waitFor("was killed by SIGKILL and stays down (--no-restart)");
  await sleep(1500);
  assert.equal(childrenOf(cluster).length, 1);
});

test("the cities load through the cluster, spread evenly, and come back byte for byte from nodes that do not own them", async (t) => {
  const cluster = await TestCluster.start(t, { shardCount: 4, replicaCount: 1, replication: "in-sync" });
  const words = ["--config-file", cluster.configFile, "-count=3000", "--durability", "in-sync", "--verify"];
  const { exitCode, stdout, stderr } = await runProgram("src/cli/seed-cities.ts", words);
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /^3,000 rows stored, 0 not stored, 0 unknown$/m);
  assert.match(stdout, /^3,000 rows read back byte for byte from nodes that do not own them/m);
  for (const { name } of cluster.config.topology.shards) {
    const [, share = ""] = new RegExp(`^ +${name} +\\d+ +(\\d+\\.\\d) %`, "m").exec(stdout) ?? [];
    assert.ok(Number(share) > 20 && Number(share) < 30, `${name} has ${share} %`);
  }
  const value = await cluster.nodes[7]?.get("city:AD:El Tarter:1");
  assert.deepEqual(JSON.parse(value ?? "null"), {
    id: 1,
    name: "El Tarter",
    country: "AD",
    featureCode: "PPL",
    adminCode: "02",
    population: 1052,
    lat: 42.57952,
    lon: 1.65362,
  });
});

async function eventuallyReady(url: string): Promise<void> {
  const endMs = performance.now() + 20_000;
  for (;;) {
    const isReady = await fetch(`${url}/readyz`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (isReady) return;
    if (performance.now() > endMs) throw new Error(`${url} did not get ready`);
    await sleep(50);
  }
}
