/**
 * Runs all checks and tests, phase after phase; the last line is "N passed, N failed". Phases may be named to run only
 * those (`./test.sh check unit`), and so may test files.
 */
import { join } from "node:path";
import { runCheckSteps } from "./testing/check-steps.ts";
import { listTestFiles, runTestFiles, TEST_PHASES, type TestPhase } from "./testing/test-files.ts";
import { addTotals, NO_TOTALS, type Totals } from "./testing/totals.ts";

const CHECK_PHASE_NAME = "check";

async function main(root: string, wanted: readonly string[]): Promise<void> {
  const known = new Set([CHECK_PHASE_NAME, ...TEST_PHASES.map((phase) => phase.name)]);
  const unknown = wanted.filter((word) => !known.has(word) && !word.endsWith(".test.ts"));
  if (unknown.length > 0) {
    console.error(`unknown phase ${unknown.join(", ")}; there are ${[...known].join(", ")} and paths of test files`);
    process.exitCode = 2;
    return;
  }
  const startedMs = performance.now();
  let totals = NO_TOTALS;
  if (wanted.length === 0 || wanted.includes(CHECK_PHASE_NAME)) {
    totals = addTotals(totals, await timed(CHECK_PHASE_NAME, () => runCheckSteps(root)));
  }
  for (const phase of TEST_PHASES) {
    const files = chosenFiles(root, phase, wanted);
    if (files.length === 0) continue;
    totals = addTotals(totals, await timed(phase.name, () => runTestFiles(root, phase, files)));
  }
  console.log(`everything took ${secondsSince(startedMs)} s, ${totals.skipped} skipped`);
  console.log(`${totals.passed} passed, ${totals.failed} failed`);
  if (totals.failed > 0 || totals.passed === 0) process.exitCode = 1;
}

function chosenFiles(root: string, phase: TestPhase, wanted: readonly string[]): string[] {
  const files = listTestFiles(root, phase);
  if (wanted.length === 0 || wanted.includes(phase.name)) return files;
  return files.filter((file) => wanted.some((word) => word.replace(/^\.\//, "") === file));
}

async function timed(name: string, run: () => Promise<Totals>): Promise<Totals> {
  console.log(`== ${name}`);
  const startedMs = performance.now();
  const totals = await run();
  console.log(`== ${name}: ${totals.passed} passed, ${totals.failed} failed, ${secondsSince(startedMs)} s`);
  return totals;
}

function secondsSince(startedMs: number): string {
  return ((performance.now() - startedMs) / 1000).toFixed(1);
}

await main(join(import.meta.dirname, ".."), process.argv.slice(2));
