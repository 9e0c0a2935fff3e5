import assert from "node:assert/strict";
import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { TestCluster } from "./support/cluster.ts";
import { programCommand, RunningProgram, runKv, runProgram } from "./support/program.ts";
import type { TestNode } from "./support/test-node.ts";

test("a leader started by hand with the small system's options serves alone, and ends at SIGTERM with exit code 0", async (t) => {
  const cluster = await TestCluster.create({ shardCount: 1, replicaCount: 1 });
  t.after(async () => cluster.dispose());
  const [leader] = cluster.nodes;
  const words = [
    `-shard=${leader?.shard}`,
    `-db-location=${leader?.dataDirectory}`,
    "-config-file",
    cluster.configFile,
  ];
  const program = new RunningProgram(programCommand("src/cli/kv.ts", words), {});
  t.after(() => program.signal("SIGKILL"));
  await program.waitFor('"Leads epoch');
  await leader?.put("alone", "works");
  assert.equal(await leader?.get("alone"), "works");
  program.signal("SIGTERM");
  assert.equal(await program.exited, 0, program.output);
});

test("kv check finds a stopped node's data sound, and refuses those of a running one, naming its process", async (t) => {
  const cluster = await TestCluster.start(t, { shardCount: 1, replicaCount: 1 });
  const [leader] = cluster.nodes;
  if (leader === undefined) throw new Error("there is no leader");
  await leader.put("k", "v", "?durability=in-sync");
  if (process.platform === "linux") {
    const refused = await runKv(["check", leader.dataDirectory]);
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stderr, new RegExp(`is in use by process ${leader.pid} .*; stop that node first`));
  }
  assert.deepEqual(await cluster.stopAll(), [0, 0]);
  const one = await runKv(["check", leader.dataDirectory]);
  assert.deepEqual([one.exitCode, one.stderr], [0, ""]);
  assert.match(one.stdout, /log: entries 1 to 2 \(2, .*\) in \d segments?/);
  assert.match(one.stdout, /sound/);
  const all = await runKv(["check", join(cluster.directory, "data"), "--json"]);
  const checks = all.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { node: string; sound: boolean });
  assert.deepEqual(
    checks.map(({ node, sound }) => `${node} ${sound}`).sort(),
    cluster.nodes.map(({ name }) => `${name} true`).sort(),
  );
});

test("kv check ends with exit code 1 and names what is damaged: a flushed entry's file, a record's key", async (t) => {
  const leader = await stoppedLeader(t);
  const folder = join(leader.dataDirectory, "log");
  const segments = readdirSync(folder).map((name) => join(folder, name));
  const segment = segments.find((path) => readFileSync(path).includes("value 3")) ?? "";
  flipBit(segment, "value 3");
  flipBit(join(leader.dataDirectory, "tree", "rows.mdb"), "value 4");
  const { exitCode, stdout, stderr } = await runKv(["check", leader.dataDirectory]);
  assert.equal(exitCode, 1);
  assert.ok(stdout.includes(`DAMAGED: ${segment} at byte`), stdout);
  assert.match(stdout, /DAMAGED: The record of key key:4 in space 0 is damaged/);
  assert.match(stderr, /1 data directory damaged/);
});

test("kv check says which directory is no node's", async () => {
  const { exitCode, stderr } = await runKv(["check", join(import.meta.dirname, "support")]);
  assert.equal(exitCode, 1);
  assert.match(stderr, /holds no node\.json, and none of its directories does: no node's data/);
});

test("kv promote --from names the entries that only the dead leader has; later they lie in its discarded file", async (t) => {
  const cluster = await TestCluster.start(t, { shardCount: 1, replicaCount: 1, replication: "async" });
  const [leader, replica] = cluster.nodes;
  if (leader === undefined || replica === undefined) throw new Error("there are no two nodes");
  await leader.put("both", "have it", "?durability=in-sync");
  await replica.kill();
  await leader.put("only the leader", "has this");
  await leader.kill();
  replica.start();
  const words = ["promote", "--shard", replica.shard, "--node", replica.name, "--config-file", cluster.configFile];
  await answersCluster(replica);
  const dry = await runKv([...words, "--dry-run", "--accept-data-loss", "--from", leader.dataDirectory]);
  assert.equal(dry.exitCode, 0, dry.stderr);
  assert.match(dry.stdout, /and lacks 1 of those entries/);
  assert.match(dry.stdout, /set "only the leader" = "has this"/);
  const promoted = await runKv([...words, "--accept-data-loss", "--yes"]);
  assert.equal(promoted.exitCode, 0, promoted.stderr);
  await replica.waitReady();
  await replica.put("new", "history");
  await leader.startReady();
  assert.equal(await leader.get("only the leader"), null);
  const status = await runKv(["status", "--config-file", cluster.configFile]);
  assert.match(
    status.stdout,
    /keeps writes that had not reached the others .*with async replication.*discarded-.*\.log/,
  );
  assert.deepEqual(await cluster.stopAll(), [0, 0]);
  const check = await runKv(["check", leader.dataDirectory, "--entries"]);
  assert.equal(check.exitCode, 0, check.stdout);
  assert.match(check.stdout, /discarded: .*discarded-.*\.log with \d entr/);
  assert.match(check.stdout, /set "only the leader" = "has this"/);
});

test("benchclient prints the small system's lines and percentiles, and its keys are there", async (t) => {
  const cluster = await TestCluster.start(t, { shardCount: 2, replicaCount: 0 });
  const address = cluster.nodes[1]?.name ?? "";
  const words = [`-addr=${address}`, "-iterations=50", "--read-iterations", "70", "--concurrency", "3"];
  const { exitCode, stdout, stderr } = await runProgram("src/bench/benchclient.ts", words);
  assert.equal(exitCode, 0, stderr);
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines[0], ` Benchmarking http://${address} | Writes: 50 × 3 threads | Reads: 70`);
  for (const name of ["write", "read"]) {
    const duration = String.raw`[\d.]+(?:µs|ms|s)`;
    const line = new RegExp(
      `^→ \\[${name}\\] Avg: ${duration} \\| QPS: [\\d.]+ \\| Max: ${duration} \\| Min: ${duration}$`,
    );
    assert.equal(lines.filter((text) => line.test(text)).length, 3, stdout);
  }
  assert.match(stdout, /^✔ Write Phase Complete: [\d.]+ QPS total \| 150 keys written$/m);
  assert.match(stdout, /^✔ Read Phase Complete: [\d.]+ QPS total \| 210 keys read$/m);
  assert.equal(lines.filter((text) => /^ {2}latency p50 .*\| p99\.9 /.test(text)).length, 2);
  assert.equal((await cluster.nodes[0]?.get("bench:2:49"))?.length, 64);
});

test("benchclient counts refused answers as failures, not as operations, and ends with exit code 1", async (t) => {
  const cluster = await TestCluster.start(t, { shardCount: 1, replicaCount: 1, replication: "in-sync" });
  const [leader, replica] = cluster.nodes;
  await replica?.kill();
  const words = ["--addr", leader?.name ?? "", "--iterations", "3", "--read-iterations", "5", "--json"];
  const { exitCode, stdout } = await runProgram("src/bench/benchclient.ts", words);
  assert.equal(exitCode, 1);
  const { write, read } = JSON.parse(stdout) as Record<
    "write" | "read",
    { answered: number; failed: number; firstFailure: string }
  >;
  assert.deepEqual([write.answered, write.failed, read.answered], [0, 3, 0]);
  assert.match(write.firstFailure, /^status 50[34]: /);
});

test("benchclient says what to do when nobody answers", async () => {
  const { exitCode, stderr } = await runProgram("src/bench/benchclient.ts", ["--addr", "127.0.0.1:1"]);
  assert.equal(exitCode, 1);
  assert.match(stderr, /no node answers HTTP at 127\.0\.0\.1:1; start the cluster with \.\/launch\.sh/);
});

/** A stopped leader that has ten keys in its log and in its tree, each in a batch of its own. */
async function stoppedLeader(t: TestContext): Promise<TestNode> {
  const cluster = await TestCluster.start(t, { shardCount: 1, replicaCount: 0 });
  const [leader] = cluster.nodes;
  if (leader === undefined) throw new Error("there is no leader");
  for (let i = 0; i < 10; i++) await leader.put(`key:${i}`, `value ${i}`);
  const tree = join(leader.dataDirectory, "tree", "rows.mdb");
  const endMs = performance.now() + 20_000;
  // The applier takes them in after a few seconds at the latest.
  while (!existsSync(tree) || !readFileSync(tree).includes("value 9")) {
    if (performance.now() > endMs) throw new Error("the tree never got the keys");
    await new Promise((resolve) => {
      setTimeout(resolve, 100);
    });
  }
  await cluster.stopAll();
  return leader;
}

/** Changes one bit of the last place where `text` stands in the file. */
function flipBit(path: string, text: string): void {
  const bytes = readFileSync(path);
  const at = bytes.lastIndexOf(text);
  assert.notEqual(at, -1, `${text} is in ${path}`);
  const file = openSync(path, "r+");
  writeSync(file, Buffer.from([(bytes[at] ?? 0) ^ 1]), 0, 1, at);
  closeSync(file);
}

/** Until the node answers who it is, ready or not. */
async function answersCluster(node: TestNode): Promise<void> {
  const endMs = performance.now() + 20_000;
  for (;;) {
    const state = await node.fetch("/v1/cluster").then(
      async (answer) => answer.text(),
      () => "",
    );
    if (/"reachable":true/.test(state) && /"last_sequence":[1-9]/.test(state)) return;
    if (performance.now() > endMs) throw new Error(`${node.name} does not answer: ${state}\n${node.output}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
}
