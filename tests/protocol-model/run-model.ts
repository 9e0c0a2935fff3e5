/**
 * `npm run model`: explores the protocol within the full bounds, then plants each mistake and looks for its counter-example.
 * `--only M38,pairClock` for some of them; `--trace` prints the counter-examples; `--states N` ends each exploration earlier.
 */
import { parseArgs } from "node:util";
import { describeTrace } from "./describe.ts";
import { type Exploration, explore } from "./explore.ts";
import { CAUGHT_MUTANTS, HARMLESS_MUTANTS, type Mutant } from "./mutants.ts";
import { type ProfileName, PROFILE_NAMES, PROFILES } from "./profiles.ts";

const MUTANT_STATES_MAX = 3_000_000;

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    states: { type: "string", default: "4000000" },
    trace: { type: "boolean", default: false },
  },
});
const only = values.only.split(",").filter((word) => word !== "");
const isWanted = (name: string): boolean => only.length === 0 || only.includes(name);

let faults = 0;
let states = 0;
const startedMs = performance.now();
for (const name of PROFILE_NAMES) if (isWanted(name)) runProfile(name);
console.log(`the protocol: ${states.toLocaleString("en")} states in ${secondsSince(startedMs)} s\n`);
for (const mutant of CAUGHT_MUTANTS) if (isWanted(mutant.id)) runMutant(mutant, true);
for (const mutant of HARMLESS_MUTANTS) if (isWanted(mutant.id)) runMutant(mutant, false);
console.log(`${faults} faults, ${secondsSince(startedMs)} s`);
if (faults > 0) process.exitCode = 1;

function runProfile(name: ProfileName): void {
  const began = performance.now();
  const outcome = explore(PROFILES[name], { statesMax: Number(values.states) });
  states += outcome.states;
  const extent = outcome.isExhausted ? "exhausted" : "stopped at the limit";
  console.log(`${name.padEnd(13)} ${sizeOf(outcome)}, ${secondsSince(began)} s, ${outcome.violation ?? extent}`);
  if (outcome.violation === undefined) return;
  faults += 1;
  console.log(describeTrace(PROFILES[name], outcome.trace, undefined));
}

function runMutant({ id, profile, mistake }: Mutant, isExpected: boolean): void {
  const outcome = explore(PROFILES[profile], { statesMax: MUTANT_STATES_MAX, mutant: id });
  const isFound = outcome.violation !== undefined;
  const isGood = isExpected ? isFound : outcome.isExhausted;
  if (!isGood) faults += 1;
  console.log(`${id} ${mistake}`);
  const steps = isFound
    ? `, ${String(outcome.trace.length).padStart(2)} steps: ${outcome.violation}`
    : ", nothing breaks";
  const verdict = isGood ? "" : "NOT AS EXPECTED: ";
  console.log(`    ${verdict}${profile.padEnd(13)} ${sizeOf(outcome)}${steps}`);
  if (isFound && values.trace) console.log(describeTrace(PROFILES[profile], outcome.trace, id));
}

function sizeOf({ states: count, depth }: Exploration): string {
  return `${count.toLocaleString("en").padStart(10)} states, depth ${String(depth).padStart(2)}`;
}

function secondsSince(beganMs: number): string {
  return ((performance.now() - beganMs) / 1000).toFixed(1);
}
