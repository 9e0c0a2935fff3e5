import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { SIMULATED_MUTANTS, TESTED_MUTANTS } from "./mutants.ts";
import { runSeed } from "./run-seed.ts";

/** A change of the product or the simulator changes the course of every seed: then the mistake must show in one of so many. */
const SEEDS_MAX = 150;

for (const { id, mistake, scenario, seed } of SIMULATED_MUTANTS) {
  test(`${id} is noticed: ${mistake}`, (context) => {
    const job = { scenario, without: [], workload: 1, mutants: [id] };
    if (runSeed({ ...job, seed }).violation !== null) return;
    for (let other = 1; other <= SEEDS_MAX; other++) {
      if (runSeed({ ...job, seed: other }).violation === null) continue;
      context.diagnostic(`seed ${seed} of ${scenario} does not show it any more, seed ${other} does`);
      return;
    }
    assert.fail(`no seed up to ${SEEDS_MAX} of ${scenario} shows it`);
  });
}

test("every mistake that the simulation leaves to a test has that test", () => {
  for (const { id, file, test: name } of TESTED_MUTANTS) {
    const text = readFileSync(join(import.meta.dirname, "../..", file), "utf8");
    assert.ok(text.includes(JSON.stringify(name)), `${id}: ${file} has no test "${name}"`);
    assert.ok(text.includes(`"${id}"`), `${id}: ${file} does not plant it`);
  }
});
