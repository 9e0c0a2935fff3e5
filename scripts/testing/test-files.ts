import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runChild } from "./child-run.ts";
import { addTotals, NO_TOTALS, type Totals } from "./totals.ts";

/** A set of test files that run together; `concurrency` is how many of them run at a time. */
export interface TestPhase {
  readonly name: string;
  readonly patterns: readonly string[];
  readonly concurrency: number;
  readonly fileTimeoutMs: number;
}

export const UNIT_PHASE: TestPhase = {
  name: "unit",
  patterns: ["src/**/*.test.ts", "scripts/**/*.test.ts"],
  concurrency: 2,
  fileTimeoutMs: 60_000,
};

/** The phases in the order in which they run: the quick ones first. */
export const TEST_PHASES: readonly TestPhase[] = [
  UNIT_PHASE,
  { name: "contract", patterns: ["tests/contract/**/*.test.ts"], concurrency: 2, fileTimeoutMs: 120_000 },
  { name: "model", patterns: ["tests/protocol-model/**/*.test.ts"], concurrency: 2, fileTimeoutMs: 120_000 },
  {
    name: "simulation",
    patterns: ["tests/support/**/*.test.ts", "tests/simulation/**/*.test.ts"],
    concurrency: 2,
    fileTimeoutMs: 300_000,
  },
  { name: "cluster", patterns: ["tests/cluster/**/*.test.ts"], concurrency: 1, fileTimeoutMs: 300_000 },
  { name: "chaos", patterns: ["tests/chaos/**/*.test.ts"], concurrency: 1, fileTimeoutMs: 480_000 },
];

/** The files of a phase, sorted, relative to `root`. */
export function listTestFiles(root: string, phase: TestPhase): string[] {
  return globSync([...phase.patterns], { cwd: root }).sort();
}

/**
 * Runs each file in a process of its own and prints a line for each, with the whole output of those that failed. A file
 * that runs no test, dies, or is not done in time counts as one failed test.
 */
export async function runTestFiles(
  root: string,
  phase: TestPhase,
  files: readonly string[] = listTestFiles(root, phase),
): Promise<Totals> {
  const scratch = mkdtempSync(join(tmpdir(), "kv-totals-"));
  const waiting = files.map((file, index) => ({ file, totalsPath: join(scratch, `${index}.json`) }));
  let totals = NO_TOTALS;
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const fileTotals = await runTestFile(root, phase, next);
      totals = addTotals(totals, fileTotals);
    }
  };
  try {
    await Promise.all(Array.from({ length: phase.concurrency }, work));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return totals;
}

async function runTestFile(
  root: string,
  phase: TestPhase,
  { file, totalsPath }: { readonly file: string; readonly totalsPath: string },
): Promise<Totals> {
  const outcome = await runChild(
    [
      process.execPath,
      "--disable-warning=ExperimentalWarning",
      "--test-reporter=spec",
      "--test-reporter-destination=stdout",
      `--test-reporter=${join(import.meta.dirname, "totals-reporter.ts")}`,
      `--test-reporter-destination=${totalsPath}`,
      file,
    ],
    { cwd: root, timeoutMs: phase.fileTimeoutMs },
  );
  const counted = readTotals(totalsPath);
  const ran = counted !== undefined && counted.passed + counted.failed + counted.skipped > 0;
  const endedWell = ran && outcome.exitCode === 0 && !outcome.timedOut;
  const totals = endedWell || (ran && counted.failed > 0) ? counted : addTotals(counted ?? NO_TOTALS, ONE_FAILURE);
  const seconds = (outcome.durationMs / 1000).toFixed(1).padStart(6);
  const verdict = totals.failed > 0 ? "FAILED" : "ok    ";
  console.log(`  ${verdict} ${seconds} s ${String(totals.passed).padStart(5)} passed  ${file}`);
  if (totals.skipped > 0) console.log(`         ${totals.skipped} skipped in ${file}`);
  if (totals.failed > 0) {
    console.log(outcome.output.trimEnd());
    if (outcome.timedOut) console.log(`${file}: killed after ${phase.fileTimeoutMs / 1000} s`);
    if (!ran) console.log(`${file}: ran no test (exit code ${outcome.exitCode})`);
  }
  return totals;
}

const ONE_FAILURE: Totals = { passed: 0, failed: 1, skipped: 0 };

function readTotals(path: string): Totals | undefined {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, "utf8"));
    return isTotals(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function isTotals(value: unknown): value is Totals {
  return typeof value === "object" && value !== null && "passed" in value && "failed" in value && "skipped" in value;
}
