import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runChild } from "./child-run.ts";
import { addTotals, NO_TOTALS, type Totals } from "./totals.ts";

/** A set of test files that run together; `concurrency` is how many processes run at a time. */
export interface TestPhase {
  readonly name: string;
  readonly patterns: readonly string[];
  readonly concurrency: number;
  /** Starting a process takes longer than most files' tests: those that leave nothing behind share one. */
  readonly filesPerProcess: number;
  readonly processTimeoutMs: number;
}

export const UNIT_PHASE: TestPhase = {
  name: "unit",
  patterns: ["src/**/*.test.ts", "scripts/**/*.test.ts"],
  concurrency: 2,
  filesPerProcess: 10,
  processTimeoutMs: 120_000,
};

const ALONE = { filesPerProcess: 1 } as const;

/** The phases in the order in which they run: the quick ones first. */
export const TEST_PHASES: readonly TestPhase[] = [
  UNIT_PHASE,
  { name: "contract", patterns: ["tests/contract/**/*.test.ts"], concurrency: 2, ...ALONE, processTimeoutMs: 120_000 },
  {
    name: "model",
    patterns: ["tests/protocol-model/**/*.test.ts"],
    concurrency: 2,
    ...ALONE,
    processTimeoutMs: 120_000,
  },
  {
    name: "simulation",
    patterns: ["tests/support/**/*.test.ts", "tests/simulation/**/*.test.ts"],
    concurrency: 2,
    ...ALONE,
    processTimeoutMs: 300_000,
  },
  { name: "cluster", patterns: ["tests/cluster/**/*.test.ts"], concurrency: 1, ...ALONE, processTimeoutMs: 300_000 },
  { name: "chaos", patterns: ["tests/chaos/**/*.test.ts"], concurrency: 1, ...ALONE, processTimeoutMs: 480_000 },
];

/** The files of a phase, sorted, relative to `root`. */
export function listTestFiles(root: string, phase: TestPhase): string[] {
  return globSync([...phase.patterns], { cwd: root }).sort();
}

/**
 * Runs the files, `filesPerProcess` in a process, and prints a line for each process, with the whole output of one that failed. A
 * file that runs no test, dies, or is not done in time counts as one failed test.
 */
export async function runTestFiles(
  root: string,
  phase: TestPhase,
  files: readonly string[] = listTestFiles(root, phase),
): Promise<Totals> {
  const scratch = mkdtempSync(join(tmpdir(), "kv-totals-"));
  const groups = Array.from({ length: Math.ceil(files.length / phase.filesPerProcess) }, (_, index) => ({
    files: files.slice(index * phase.filesPerProcess, (index + 1) * phase.filesPerProcess),
    totalsPath: join(scratch, `${index}.json`),
  }));
  let totals = NO_TOTALS;
  const work = async (): Promise<void> => {
    for (let next = groups.shift(); next !== undefined; next = groups.shift()) {
      const groupTotals = await runGroup(root, phase, next);
      totals = addTotals(totals, groupTotals);
    }
  };
  try {
    await Promise.all(Array.from({ length: phase.concurrency }, work));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return totals;
}

interface TestGroup {
  readonly files: readonly string[];
  readonly totalsPath: string;
}

async function runGroup(root: string, phase: TestPhase, { files, totalsPath }: TestGroup): Promise<Totals> {
  const outcome = await runChild(
    [
      process.execPath,
      "--disable-warning=ExperimentalWarning",
      "--test-reporter=spec",
      "--test-reporter-destination=stdout",
      `--test-reporter=${join(import.meta.dirname, "totals-reporter.ts")}`,
      `--test-reporter-destination=${totalsPath}`,
      join(import.meta.dirname, "run-group.ts"),
      ...files,
    ],
    { cwd: root, timeoutMs: phase.processTimeoutMs },
  );
  const counted = readTotals(totalsPath);
  const idle = idleOf(files, counted);
  const endedWell = counted !== undefined && counted.failed === 0 && outcome.exitCode === 0 && !outcome.timedOut;
  const extra = idle.length > 0 ? idle.length : endedWell || (counted?.failed ?? 0) > 0 ? 0 : 1;
  const totals = addTotals(counted ?? NO_TOTALS, { passed: 0, failed: extra, skipped: 0 });
  const seconds = (outcome.durationMs / 1000).toFixed(1).padStart(6);
  const verdict = totals.failed > 0 ? "FAILED" : "ok    ";
  console.log(`  ${verdict} ${seconds} s ${String(totals.passed).padStart(5)} passed  ${nameOf(files)}`);
  if (totals.skipped > 0) console.log(`         ${totals.skipped} skipped in ${nameOf(files)}`);
  if (totals.failed > 0) {
    console.log(outcome.output.trimEnd());
    if (outcome.timedOut) console.log(`killed after ${phase.processTimeoutMs / 1000} s`);
    for (const file of idle) console.log(`${file}: ran no test (exit code ${outcome.exitCode})`);
  }
  return totals;
}

/** Files without a test; one that has its process for itself may have them from a suite that it shares with others. */
function idleOf(files: readonly string[], counted: GroupTotals | undefined): readonly string[] {
  if (counted === undefined) return files;
  const { passed, failed, skipped } = counted;
  if (files.length === 1) return passed + failed + skipped === 0 ? files : [];
  return files.filter((file) => !counted.files.includes(file));
}

/** The first file, and how many share its process. */
function nameOf([first = "", ...others]: readonly string[]): string {
  return others.length === 0 ? first : `${first} … ${others.at(-1)} (${others.length + 1} files)`;
}

interface GroupTotals extends Totals {
  readonly files: readonly string[];
}

function readTotals(path: string): GroupTotals | undefined {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, "utf8"));
    return isGroupTotals(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function isGroupTotals(value: unknown): value is GroupTotals {
  if (typeof value !== "object" || value === null) return false;
  const hasCounts = "passed" in value && "failed" in value && "skipped" in value;
  return hasCounts && "files" in value && Array.isArray(value.files);
}
