/**
 * `npm run mutants`: plants each mistake of replication.md §3 and prints what notices it: a table of the mistake, the check, and after
 * how many seeds the simulation met it, from seed 1 on; or the test named for it, or the model's shortest counter-example. Writes
 * nothing else. `--only M01,M02` for some of them; `--seeds N` ends the search for one of them (2,000).
 */
import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { explore } from "../protocol-model/explore.ts";
import { CAUGHT_MUTANTS } from "../protocol-model/mutants.ts";
import { PROFILES } from "../protocol-model/profiles.ts";
import {
  MODELLED_MUTANTS,
  SIMULATED_MUTANTS,
  TESTED_MUTANTS,
  type SimulatedMutant,
  type TestedMutant,
} from "./mutants.ts";
import { runSeeds } from "./run-seeds.ts";

const STATES_MAX = 3_000_000;

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    seeds: { type: "string", default: "2000" },
    workers: { type: "string", default: String(availableParallelism()) },
  },
});
const only = values.only.split(",").filter((id) => id !== "");
const isWanted = ({ id }: { readonly id: string }): boolean => only.length === 0 || only.includes(id);

/** One row of the table; `catcher` null: nothing noticed the mistake. */
interface Row {
  readonly id: string;
  readonly mistake: string;
  readonly by: "simulator" | "test" | "model";
  readonly seeds: number | null;
  readonly catcher: string | null;
}

const rows: Row[] = [];
for (const mutant of SIMULATED_MUTANTS.filter(isWanted)) show(await search(mutant));
for (const mutant of TESTED_MUTANTS.filter(isWanted)) show(runTest(mutant));
for (const mutant of CAUGHT_MUTANTS.filter(({ id }) => MODELLED_MUTANTS.includes(id)).filter(isWanted)) {
  const { id, mistake, profile } = mutant;
  const { violation, trace } = explore(PROFILES[profile], { statesMax: STATES_MAX, mutant: id });
  const catcher = violation === undefined ? null : `${profile}, ${trace.length} steps: ${violation}`;
  show({ id, mistake, by: "model", seeds: null, catcher });
}
summarize();

function show(row: Row): void {
  if (rows.length === 0) console.log("id   | caught by | after seeds | by what | mistake");
  rows.push(row);
  const { id, by, seeds, catcher, mistake } = row;
  console.log([id.padEnd(4), by, seeds ?? "–", catcher ?? "NOT CAUGHT", mistake].join(" | "));
}

function summarize(): void {
  const seeds = rows.flatMap((row) => row.seeds ?? []).sort((a, b) => a - b);
  const missed = rows.filter(({ catcher }) => catcher === null);
  const share = rows.filter(({ by, catcher }) => by !== "test" && catcher !== null).length / Math.max(1, rows.length);
  console.log(
    `${rows.length} mistakes, ${rows.length - missed.length} caught, ${Math.round(100 * share)} % by model or simulator; ` +
      `the simulator takes ${seeds[Math.floor(seeds.length / 2)] ?? 0} seeds in the median, ${seeds.at(-1) ?? 0} at most`,
  );
  if (missed.length > 0) process.exitCode = 1;
}

/** Runs seeds from 1 on until one fails. */
async function search({ id, mistake, scenario }: SimulatedMutant): Promise<Row> {
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
  const catcher = found === undefined ? null : `${scenario}: ${found.violation?.property ?? ""}`;
  return { id, mistake, by: "simulator", seeds: found?.seed ?? null, catcher };
}

/** Runs the one test that plants the mistake itself. */
function runTest({ id, mistake, file, test }: TestedMutant): Row {
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
  return { id, mistake, by: "test", seeds: null, catcher: hasRun ? `${file}: ${test}` : null };
}
