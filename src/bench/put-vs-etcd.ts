/**
 * `npm run bench:etcd`: durable HTTP puts, one shard without a replica, against etcd's HTTP gateway (bar P6).
 *
 * Both servers run at the same time with their data on the same disk, each pinned to core 0, and are loaded in turn by the
 * same client on core 1: A B A B …, so that what the machine does meanwhile meets both. Medians decide.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { arch, availableParallelism, cpus, release } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { isInstalled, PinnedServer, runPinned } from "./pinned-process.ts";
import type { PutLoad, PutLoadReport } from "./put-load-plan.ts";

const BAR = 2.5;
const SERVER_CORE = 0;
const CLIENT_CORE = 1;
const HOST = "127.0.0.1";

interface Round {
  readonly kv: PutLoadReport;
  readonly etcd: PutLoadReport;
}

async function main(): Promise<void> {
  const program = new Command("bench:etcd")
    .option("--rounds <count>", "how often each server is measured", "5")
    .option("--seconds <count>", "how long each time", "6")
    .option("--connections <count>", "connections", "64")
    .option("--keys <count>", "how many different keys are written", "10000")
    .option("--value-bytes <count>", "size of a value", "64")
    .option("--directory <path>", "where the data go meanwhile; must be on a real disk", "data")
    .option("--output <file>", "write the figures here as JSON");
  program.parse();
  const options = program.opts<Record<string, string>>();
  const missing = ["etcd", "taskset"].filter((name) => !isInstalled(name));
  if (missing.length > 0 || availableParallelism() < 2) {
    const reason =
      missing.length > 0
        ? `${missing.join(" and ")} not installed (Debian: apt-get install etcd-server util-linux)`
        : "fewer than 2 cores";
    console.error(`bench:etcd: ${reason}`);
    process.exitCode = 1;
    return;
  }
  const rounds = await measure(options);
  report(rounds, options);
}

async function measure(options: Readonly<Record<string, string>>): Promise<Round[]> {
  const parent = options["directory"] ?? "data";
  mkdirSync(parent, { recursive: true });
  const directory = mkdtempSync(join(parent, "bench-etcd-"));
  const ports = { kv: freePort(), etcd: freePort() + 3 };
  const kv = startKv(directory, ports.kv);
  const etcd = startEtcd(directory, ports.etcd);
  try {
    await kv.waitReady(HOST, ports.kv, "/readyz");
    await etcd.waitReady(HOST, ports.etcd, "/health");
    const rounds: Round[] = [];
    for (let round = 1; round <= Number(options["rounds"]); round++) {
      const one = { kv: await load("kv", ports.kv, options), etcd: await load("etcd", ports.etcd, options) };
      rounds.push(one);
      const ratio = (one.kv.putsPerSecond / one.etcd.putsPerSecond).toFixed(2);
      console.log(`round ${round}: kv ${rate(one.kv)} puts/s, etcd ${rate(one.etcd)} puts/s, ratio ${ratio}`);
    }
    return rounds;
  } finally {
    await Promise.all([kv.stop(), etcd.stop()]);
    rmSync(directory, { recursive: true, force: true });
  }
}

function startKv(directory: string, port: number): PinnedServer {
  const configFile = join(directory, "sharding.toml");
  writeFileSync(
    configFile,
    `[cluster]\nname = "bench"\n\n[[shards]]\nname = "one"\nidx = 0\naddress = "${HOST}:${port}"\n`,
  );
  const program = fileURLToPath(new URL("../cli/kv.ts", import.meta.url));
  const serve = ["serve", "--shard", "one", "--db-location", join(directory, "kv"), "--config-file", configFile];
  return new PinnedServer({
    core: SERVER_CORE,
    command: process.execPath,
    parameters: [...process.execArgv, program, ...serve],
  });
}

function startEtcd(directory: string, port: number): PinnedServer {
  const client = `http://${HOST}:${port}`;
  const peer = `http://${HOST}:${port + 1}`;
  const parameters = [
    ["--name", "bench"],
    ["--data-dir", join(directory, "etcd")],
    ["--listen-client-urls", client],
    ["--advertise-client-urls", client],
    ["--listen-peer-urls", peer],
    ["--initial-advertise-peer-urls", peer],
    ["--initial-cluster", `bench=${peer}`],
    ["--log-level", "error"],
  ].flat();
  return new PinnedServer({ core: SERVER_CORE, command: "etcd", parameters });
}

async function load(
  server: "kv" | "etcd",
  port: number,
  options: Readonly<Record<string, string>>,
): Promise<PutLoadReport> {
  const plan: PutLoad = {
    server,
    host: HOST,
    port,
    connectionCount: Number(options["connections"]),
    keyCount: Number(options["keys"]),
    valueBytes: Number(options["valueBytes"]),
    warmSeconds: 1,
    seconds: Number(options["seconds"]),
  };
  const program = fileURLToPath(new URL("./put-load.ts", import.meta.url));
  const parameters = [...process.execArgv, program, JSON.stringify(plan)];
  const printed = await runPinned({ core: CLIENT_CORE, command: process.execPath, parameters });
  const result: unknown = JSON.parse(printed);
  if (!isReport(result)) throw new Error(`the load generator printed ${printed}`);
  if (result.failed > 0) throw new Error(`${server}: ${result.failed} puts failed, the first: ${result.firstFailure}`);
  return result;
}

function report(rounds: readonly Round[], options: Readonly<Record<string, string>>): void {
  const kv = median(rounds.map((round) => round.kv.putsPerSecond));
  const etcd = median(rounds.map((round) => round.etcd.putsPerSecond));
  const ratio = kv / etcd;
  console.log("");
  console.log("durable HTTP put, one shard, one server core      puts/s   p50 ms   p99 ms");
  for (const name of ["kv", "etcd"] as const) {
    const p50 = median(rounds.map((round) => round[name].latencyMs.p50)).toFixed(2);
    const p99 = median(rounds.map((round) => round[name].latencyMs.p99)).toFixed(2);
    const puts = median(rounds.map((round) => round[name].putsPerSecond)).toFixed(0);
    console.log(`${name.padEnd(48)}${puts.padStart(8)}${p50.padStart(9)}${p99.padStart(9)}`);
  }
  console.log(`ratio ${ratio.toFixed(2)} (bar: at least ${BAR}) ${ratio >= BAR ? "reached" : "MISSED"}`);
  const machine = {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    kernel: release(),
    arch: arch(),
    node: process.version,
  };
  const path = options["output"];
  if (path !== undefined) {
    writeFileSync(path, `${JSON.stringify({ machine, options, kv, etcd, ratio, bar: BAR, rounds }, null, 2)}\n`);
  }
  if (ratio < BAR) process.exitCode = 1;
}

function rate({ putsPerSecond }: PutLoadReport): string {
  return putsPerSecond.toFixed(0);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low, high] = sorted.length % 2 === 1 ? [middle, middle] : [middle - 1, middle];
  return ((sorted[low] ?? 0) + (sorted[high] ?? 0)) / 2;
}

/** Below the range from which the system takes ports of outgoing connections, and rarely used. */
function freePort(): number {
  return 10_000 + Math.floor(Math.random() * 9_000);
}

function isReport(value: unknown): value is PutLoadReport {
  return typeof value === "object" && value !== null && "putsPerSecond" in value && "latencyMs" in value;
}

await main();
