/**
 * `npm run simulate`: runs seeds of a simulated cluster. `--seeds N [--first S]` runs N seeds on all cores; `--seed S` replays one
 * and prints its trace. A failing seed is printed with the property it violated and the line that replays it.
 */
import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import type { SeedJob } from "./run-seed.ts";
import { runSeed } from "./run-seed.ts";
import type { SeedsSummary } from "./run-seeds.ts";
import { runSeeds } from "./run-seeds.ts";
import type { RunReport } from "./scenario.ts";
import { SCENARIO_NAMES, scenarioByName } from "./scenarios.ts";
import { shrinkFailure } from "./shrink-failure.ts";

const HITS_MIN = 3;
/** With fewer seeds than this, a situation may be missed by chance. */
const SEEDS_FOR_MARKERS = 300;

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "100" },
    first: { type: "string", default: "1" },
    seed: { type: "string" },
    scenario: { type: "string", default: SCENARIO_NAMES[0] ?? "" },
    without: { type: "string", default: "" },
    workload: { type: "string", default: "1" },
    mutant: { type: "string", default: "" },
    workers: { type: "string", default: String(availableParallelism()) },
    quiet: { type: "boolean", default: false },
    shrink: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const base: Omit<SeedJob, "seed"> = {
  scenario: values.scenario,
  without: words(values.without),
  workload: number("workload", values.workload),
  mutants: words(values.mutant),
};

if (values.help) printHelp();
else if (values.seed !== undefined) replayOne({ ...base, seed: number("seed", values.seed) });
else await runMany();

function printHelp(): void {
  console.log(`npm run simulate -- [options]
  --seeds N [--first S]   run N seeds from S on (100 from 1)
  --seed S                run one seed and print its trace; --quiet leaves the trace out
  --shrink                with --seed: drop faults and work while it still fails, then show that run
  --scenario NAME         ${SCENARIO_NAMES.join(", ")}
  --without A,B           without these faults
  --workload X            with this share of the client operations
  --mutant M01,M02        with these planted bugs (a failing seed is then what is wanted)
  --workers N             processes (one per core)`);
}

function replayOne(job: SeedJob): void {
  const chosen = values.shrink ? shrinkFailure(job).job : job;
  const report = runSeed(chosen, values.quiet ? null : (line) => console.log(line));
  const again = runSeed(chosen);
  console.log(
    `seed ${report.seed}: ${report.operationCount} operations, ${report.eventCount} events in ` +
      `${(report.virtualMs / 1000).toFixed(1)} virtual s, faults: ${report.faults.join(", ") || "none"}`,
  );
  console.log(
    `trace ${report.traceHash}${again.traceHash === report.traceHash ? "" : `, but ${again.traceHash} when repeated`}`,
  );
  if (report.violation !== null) printFailure(report, chosen);
  if (report.violation !== null || again.traceHash !== report.traceHash) process.exitCode = 1;
}

async function runMany(): Promise<void> {
  let shownMs = performance.now();
  const count = number("seeds", values.seeds);
  const summary = await runSeeds({
    ...base,
    first: number("first", values.first),
    count,
    workers: number("workers", values.workers),
    failuresMax: 5,
    seedTimeoutMs: 120_000,
    onReport: (_, doneCount) => {
      if (performance.now() - shownMs < 2000) return;
      shownMs = performance.now();
      process.stderr.write(`${doneCount} of ${count} seeds\n`);
    },
  });
  printSummary(summary);
  for (const failure of summary.failures) printFailure(failure, { ...base, seed: failure.seed });
  const missed = missedMarkers(summary);
  if (missed.length > 0) console.log(`Too rarely met (under ${HITS_MIN} times): ${missed.join(", ")}`);
  console.log(`${summary.runCount - summary.failures.length} seeds passed, ${summary.failures.length} failed`);
  if (summary.failures.length > 0 || missed.length > 0) process.exitCode = 1;
}

function missedMarkers(summary: SeedsSummary): string[] {
  if (summary.runCount < SEEDS_FOR_MARKERS || base.mutants.length > 0) return [];
  const { expectedMarkers } = scenarioByName(base.scenario);
  return expectedMarkers.filter((name) => (summary.markers.get(name) ?? 0) < HITS_MIN);
}

function printSummary(summary: SeedsSummary): void {
  const seconds = summary.wallMs / 1000;
  console.log(
    `${summary.runCount} seeds in ${seconds.toFixed(1)} s: ${summary.operationCount} operations, ` +
      `${summary.eventCount} events (${Math.round(summary.eventCount / seconds)}/s), ` +
      `${Math.round(summary.virtualMs / 1000)} virtual s`,
  );
  const faults = [...summary.faults].map(([name, count]) => `${name} ${count}`);
  console.log(`Seeds with each fault: ${faults.join(", ") || "none"}`);
  for (const [name, hits] of [...summary.markers].sort(([a], [b]) => (a < b ? -1 : 1))) {
    console.log(`${String(hits).padStart(9)} × ${name}`);
  }
}

function printFailure(report: RunReport, job: SeedJob): void {
  if (report.violation === null) return;
  const { property, detail, atMs } = report.violation;
  console.log(`FAILED seed ${report.seed} at commit ${commit()}`);
  console.log(`  violated: ${property} (after ${(atMs / 1000).toFixed(3)} virtual s)`);
  console.log(`  replay:   ${replayLine(job)}`);
  console.log(
    detail
      .split("\n")
      .map((line) => `  ${line}`)
      .join("\n"),
  );
}

function replayLine({ scenario, seed, without, workload, mutants }: SeedJob): string {
  const parts = [`npm run simulate -- --seed ${seed}`];
  if (scenario !== SCENARIO_NAMES[0]) parts.push(`--scenario ${scenario}`);
  if (without.length > 0) parts.push(`--without "${without.join(",")}"`);
  if (workload !== 1) parts.push(`--workload ${workload}`);
  if (mutants.length > 0) parts.push(`--mutant ${mutants.join(",")}`);
  return parts.join(" ");
}

function commit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  } catch {
    return "unknown";
  }
}

function words(list: string): string[] {
  return list
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
}

function number(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new Error(`--${name} must be a number, not "${text}"`);
  return value;
}
