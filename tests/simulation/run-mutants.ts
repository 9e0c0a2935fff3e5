/**
 * `npm run mutants`: plants each mistake of replication.md §3 and shows what notices it: the first seed of its scenario that fails,
 * or the test named for it. `--only M01,M02` for some of them; `--seeds N` ends the search for one of them (2,000).
 */
import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { SIMULATED_MUTANTS, TESTED_MUTANTS, type SimulatedMutant, type TestedMutant } from "./mutants.ts";
import { runSeeds } from "./run-seeds.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    seeds: { type: "string", default: "2000" },
    workers: { type: "string", default: String(availableParallelism()) },
  },
});
const only = values.only.split(",").filter((id) => id !== "");
const isWanted = ({ id }: { readonly id: string }): boolean => only.length === 0 || only.includes(id);

const searched: number[] = [];
let missedCount = 0;
for (const mutant of SIMULATED_MUTANTS.filter(isWanted)) missedCount += (await search(mutant)) ? 0 : 1;
for (const mutant of TESTED_MUTANTS.filter(isWanted)) missedCount += runTest(mutant) ? 0 : 1;
const median = searched.toSorted((a, b) => a - b)[Math.floor(searched.length / 2)];
console.log(
  `${searched.length} found by the simulation, after ${median ?? 0} seeds in the median; ${missedCount} not found`,
);
if (missedCount > 0) process.exitCode = 1;

/** Runs seeds from 1 on until one fails. */
async function search({ id, mistake, scenario }: SimulatedMutant): Promise<boolean> {
  const summary = await runSeeds({
    scenario,
    without: [],
    workload: 1,
    mutants: [id],
    first: 1,
    count: Number(values.seeds),
    workers: Number(values.workers),
    failuresMax: 1,
    seedTimeoutMs: 120_000,
  });
  const [found] = summary.failures;
  if (found === undefined) {
    print(id, `NOT FOUND in ${summary.runCount} seeds of ${scenario}`, mistake);
    return false;
  }
  searched.push(found.seed);
  print(id, `${scenario} seed ${found.seed}: ${found.violation?.property ?? ""}`, mistake);
  return true;
}

/** Runs the one test that plants the mistake itself. */
function runTest({ id, mistake, file, test }: TestedMutant): boolean {
  const pattern = test.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const args = [
    "--disable-warning=ExperimentalWarning",
    "--test",
    `--test-name-pattern=${pattern}`,
    "--test-reporter=tap",
    file,
  ];
  let output = "";
  try {
    output = execFileSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    output = error instanceof Error ? error.message : "";
  }
  const hasRun = output.includes(`ok 1 - ${test}`) && !output.includes(`not ok`);
  print(id, hasRun ? `${file}: ${test}` : `NOT FOUND: the test "${test}" of ${file} did not pass`, mistake);
  return hasRun;
}

function print(id: string, catcher: string, mistake: string): void {
  console.log(`${id.padEnd(5)} ${mistake}\n      → ${catcher}`);
}
