import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TestCluster } from "./support/cluster.ts";
import { eventually, memberView } from "./support/copies.ts";
import { programCommand, RunningProgram, runKv, runProgram } from "./support/program.ts";

const PROGRAM = "src/bench/benchclient.ts";

/** The part of benchclient's JSON that the tests look at. */
interface Report {
  readonly opsPerSecond: number;
  readonly count: number;
  readonly failed: number;
  readonly firstFailure: string | null;
  readonly seconds: number;
  readonly neverSent: number;
  readonly latencyMs: Readonly<Record<string, number>>;
  readonly operations: Readonly<Record<string, { readonly count: number }>>;
  readonly failover?: {
    readonly acknowledgedWrites: number;
    readonly lostWrites: number;
    readonly staleReads: number;
    readonly unreadKeys: number;
    readonly outages: readonly { readonly shard: string; readonly seconds: number }[];
  };
}

test("benchclient loads keys and runs every workload over HTTP and RESP, through any node or to the leaders", async (t) => {
  const cluster = await TestCluster.start(t, { shardCount: 2, replicaCount: 0 });
  const [, node] = cluster.nodes;
  if (node === undefined) throw new Error("there is no second node");
  const bench = async (...words: string[]): Promise<Report> => {
    const shared = ["--addr", node.name, "--keys", "300", "--ops", "600", "--connections", "4", "--json"];
    const { exitCode, stdout, stderr } = await runProgram(PROGRAM, [...shared, ...words]);
    assert.equal(exitCode, 0, stdout + stderr);
    return JSON.parse(stdout) as Report;
  };
  const loaded = await bench("--load", "--workload", "mixed", "--value-bytes", "100", "--key-prefix", "größe/");
  assert.equal(loaded.count, 600);
  assert.equal((loaded.operations["read"]?.count ?? 0) + (loaded.operations["write"]?.count ?? 0), 600);
  assert.match((await node.get("größe/0000000299")) ?? "", /^0000000299:\d+;/);
  const { p50 = 0, p99 = 0, p9999 = 0, max = 0 } = loaded.latencyMs;
  assert.ok(p50 > 0 && p50 <= p99 && p99 <= p9999 && p9999 <= max);
  assert.ok(Math.abs(loaded.opsPerSecond * loaded.seconds - 600) < 1);

  await bench("--load", "--workload", "write", "--durability", "async");
  for (const workload of ["ycsb-a", "ycsb-b", "ycsb-c", "ycsb-d", "ycsb-e", "ycsb-f"]) {
    assert.equal((await bench("--workload", workload)).count, 600, workload);
  }
  const kinds = (await bench("--workload", "ycsb-f", "--protocol", "resp", "--pipeline", "8", "--direct")).operations;
  assert.deepEqual(Object.keys(kinds), ["read", "readModifyWrite"]);
  const open = await bench("--rate", "1000", "--protocol", "resp");
  assert.equal(open.neverSent, 0);
});

test("benchclient says which operations failed and why, in a table for people, and ends with exit code 1", async (t) => {
  const cluster = await TestCluster.start(t, { shardCount: 1, replicaCount: 0 });
  const words = ["--addr", cluster.nodes[0]?.name ?? "", "--ops", "50", "--keys", "10"];
  const { exitCode, stdout } = await runProgram(PROGRAM, [...words, "--key-prefix", "nothing:"]);
  assert.equal(exitCode, 1);
  assert.match(stdout, /^✘ 50 operations failed:$/m);
  assert.match(
    stdout,
    /^ {2}50 × MISSING, the first: the key nothing:\d{10} is not there; load the keys first, with --load$/m,
  );
  const good = await runProgram(PROGRAM, [...words, "--load"]);
  assert.equal(good.exitCode, 0, good.stderr);
  assert.match(good.stdout, /^operation +count +ops\/s +mean +p50 +p90 +p95 +p99 +p99\.9 +p99\.99 +max$/m);
  assert.match(good.stdout, /^read +50 +[\d,]+( +[\d.]+(µs|ms|s)){8}$/m);
});

test("benchclient tells whom to kill before it loads anything, and what came of a load without a failover", async (t) => {
  const cluster = await TestCluster.start(t, { shardCount: 1, replicaCount: 0 });
  const name = cluster.nodes[0]?.name ?? "";
  const words = ["--through-failover", "--duration", "1", "--connections", "2", "--keys", "10", "--addr", name];
  const { exitCode, stdout, stderr } = await runProgram(PROGRAM, words);
  assert.equal(exitCode, 0, stdout + stderr);
  const lines = stdout.split("\n");
  const places = [
    /^These lead; kill one/,
    new RegExp(`^ +Hyderabad +${name}`),
    /^Loaded 10 keys/,
    /^Now kill a leader$/,
  ].map((wanted) => lines.findIndex((line) => wanted.test(line)));
  assert.deepEqual(
    places,
    [...places].sort((a, b) => a - b),
    stdout,
  );
  assert(!places.includes(-1), stdout);
  assert.match(stdout, /^✔ 0 keys lost their last acknowledged write$/m);
});

test("benchclient refuses what makes no sense with exit code 2, and says so when nobody answers with exit code 1", async () => {
  for (const [words, message] of [
    [["--duration", "soon"], /^benchclient: --duration soon must be a number/],
    [
      ["--ops", "5", "--concurrency", "2"],
      /^benchclient: --concurrency is for phases of writes and reads, --ops for a load/,
    ],
    [["--iterations", "0"], /^benchclient: --iterations 0 must be a whole number from 1 on/],
    [["--frobnicate"], /unknown option '--frobnicate'/],
    [["--ops", "5", "extra"], /extra/],
  ] as const) {
    const { exitCode, stderr } = await runProgram(PROGRAM, [...words]);
    assert.equal(exitCode, 2, stderr);
    assert.match(stderr, message);
  }
  const { exitCode, stderr } = await runProgram(PROGRAM, ["--addr", "127.0.0.1:1", "--ops", "5"]);
  assert.equal(exitCode, 1);
  assert.match(
    stderr,
    /^benchclient: only 0 of 16 connections could be opened: .*ECONNREFUSED.*; is a node running at 127\.0\.0\.1:1\?$/m,
  );
});

test("benchclient goes through a failover: it shows the outage, and that no acknowledged write was lost", async (t) => {
  const cluster = await TestCluster.start(t, { shardCount: 1, replicaCount: 1, replication: "in-sync" });
  const [leader, replica] = cluster.nodes;
  if (leader === undefined || replica === undefined) throw new Error("there are no two nodes");
  const load = ["--through-failover", "--duration", "8", "--connections", "4", "--keys", "50", "--json"];
  const bench = new RunningProgram(programCommand(PROGRAM, ["--addr", leader.name, ...load]), {});
  t.after(() => bench.signal("SIGKILL"));
  // More than what is loaded first: the load has begun.
  await eventually("there is load", async () => {
    return ((await memberView(leader)).last_sequence ?? 0) > 200 || undefined;
  });
  await leader.kill();
  await sleep(500);
  const words = ["promote", "--shard", replica.shard, "--node", replica.name, "--config-file", cluster.configFile];
  const promoted = await runKv([...words, "--yes"]);
  assert.equal(promoted.exitCode, 0, promoted.stderr);
  assert.equal(await bench.exited, 0, bench.output);
  const { failover, failed } = JSON.parse(bench.output) as Report;
  assert.ok(failed > 0, "what the dead leader owed was lost");
  assert.ok((failover?.acknowledgedWrites ?? 0) > 100, bench.output);
  const [outage] = failover?.outages ?? [];
  assert.equal(outage?.shard, leader.shard);
  assert.ok((outage?.seconds ?? 0) > 0.5 && (outage?.seconds ?? 0) < 8, JSON.stringify(failover?.outages));
  assert.deepEqual([failover?.lostWrites, failover?.staleReads, failover?.unreadKeys], [0, 0, 0]);
});
