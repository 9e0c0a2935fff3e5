import { join } from "node:path";
import { runChild } from "./child-run.ts";
import type { Totals } from "./totals.ts";

/** `program` is run by this Node, whatever Node the system has: the tools are started by JavaScript files. */
interface CheckStep {
  readonly name: string;
  readonly program: string;
  readonly parameters: readonly string[];
}

const STEP_TIMEOUT_MS = 120_000;

const CHECK_STEPS: readonly CheckStep[] = [
  { name: "format", program: "node_modules/.bin/oxfmt", parameters: ["--check"] },
  { name: "lint", program: "node_modules/.bin/oxlint", parameters: [] },
  { name: "types", program: "node_modules/.bin/tsc", parameters: ["-p", "tsconfig.json"] },
  { name: "tidy", program: "scripts/tidy.ts", parameters: [] },
  { name: "dead code", program: "node_modules/.bin/knip", parameters: [] },
];

/** Runs the checks that execute no product code, one after the other; each counts as one test. */
export async function runCheckSteps(root: string): Promise<Totals> {
  let failed = 0;
  for (const step of CHECK_STEPS) {
    const outcome = await runChild(
      [process.execPath, "--disable-warning=ExperimentalWarning", join(root, step.program), ...step.parameters],
      { cwd: root, timeoutMs: STEP_TIMEOUT_MS },
    );
    const isGood = outcome.exitCode === 0;
    if (!isGood) failed += 1;
    const seconds = (outcome.durationMs / 1000).toFixed(1).padStart(6);
    console.log(`  ${isGood ? "ok    " : "FAILED"} ${seconds} s  ${step.name}`);
    if (!isGood) console.log(outcome.output.trimEnd());
  }
  return { passed: CHECK_STEPS.length - failed, failed, skipped: 0 };
}
