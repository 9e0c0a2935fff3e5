/**
 * `npm run chaos:figures [-- --only NAME]`: the rows of the table in docs/RELIABILITY.md, each measured by a scenario of its own, one after
 * the other; about 75 minutes in all. Safety is checked in each of them as always.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { RunningProgram, programCommand } from "../cluster/support/program.ts";
import { distributionText } from "./report-lines.ts";
import type { ScenarioReport } from "./run-scenario.ts";

interface Series {
  readonly scenario: string;
  readonly coordinator: string;
  readonly seconds: number;
  readonly thinkMs: number;
}

/** In the order of the table. */
const SERIES: readonly Series[] = [
  { scenario: "figures-kills", coordinator: "etcd3", seconds: 500, thinkMs: 30 },
  { scenario: "figures-silence", coordinator: "etcd3", seconds: 120, thinkMs: 30 },
  { scenario: "planned", coordinator: "etcd3", seconds: 150, thinkMs: 30 },
  { scenario: "figures-no-coordinator", coordinator: "etcd3", seconds: 100, thinkMs: 60 },
  { scenario: "coordinator", coordinator: "embedded", seconds: 30, thinkMs: 30 },
  { scenario: "figures-long-pause", coordinator: "etcd3", seconds: 100, thinkMs: 30 },
  { scenario: "disk", coordinator: "embedded", seconds: 30, thinkMs: 30 },
  { scenario: "figures-kill-every-20-s", coordinator: "embedded", seconds: 160, thinkMs: 30 },
  { scenario: "figures-heal", coordinator: "embedded", seconds: 1, thinkMs: 100 },
  { scenario: "figures-steady", coordinator: "etcd3", seconds: 1800, thinkMs: 100 },
];

const { values } = parseArgs({ options: { only: { type: "string" }, quiet: { type: "boolean", default: false } } });
const folder = mkdtempSync(join(tmpdir(), "kv-figures-"));
const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
console.log(`${new Date().toISOString().slice(0, 16)}, commit ${commit}, load ${loadavg()[0]?.toFixed(1)}`);
for (const series of SERIES) {
  if (values.only !== undefined && series.scenario !== values.only) continue;
  await runSeries(series);
}

async function runSeries({ scenario, coordinator, seconds, thinkMs }: Series): Promise<void> {
  const path = join(folder, `${scenario}.json`);
  const words = ["--scenario", scenario, "--coordinator", coordinator, "--seconds", String(seconds)];
  const more = ["--think-ms", String(thinkMs), "--report", path];
  const program = new RunningProgram(programCommand("tests/chaos/run-chaos.ts", [...words, ...more]), {});
  const exitCode = await program.exited;
  console.log(`\n${scenario} (${coordinator}), ${seconds} s, load ${loadavg()[0]?.toFixed(1)}`);
  if (exitCode !== 0) {
    console.log(program.output);
    process.exitCode = 1;
    return;
  }
  const { measures, counts, operationsPerSecond, verdict } = JSON.parse(readFileSync(path, "utf8")) as ScenarioReport;
  const { writes } = counts;
  const part = (100 * writes.unknown) / (writes.ok + writes.notApplied + writes.unknown);
  console.log(`  ${operationsPerSecond.toFixed(0)} operations/s; ${part.toFixed(2)} % of the writes unknown`);
  console.log(`  ${verdict.acknowledged} ledger writes, 0 missing; ${verdict.operations} operations linearizable`);
  for (const [name, figures] of Object.entries(measures)) console.log(`  ${name}: ${distributionText(figures)}`);
}
