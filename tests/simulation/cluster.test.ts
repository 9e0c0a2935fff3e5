import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { describe, test } from "node:test";
import { runSeed } from "./run-seed.ts";
import { runSeeds } from "./run-seeds.ts";

/** How many seeds of each scenario belong to every run of the tests; `npm run simulate` takes any number. */
const SEEDS: readonly (readonly [scenario: string, count: number])[] = [
  ["cluster", 200],
  ["cluster-split", 20],
  ["cluster-corruption", 20],
  ["cluster-brim-full", 20],
  ["cluster-copies", 20],
  ["cluster-failovers", 20],
  ["cluster-power", 20],
];
/** Simulated milliseconds that an average run must last, and operations that it must have answered. */
const VIRTUAL_MS_MIN = 20_000;
const OPERATIONS_MIN = 200;

describe("a simulated cluster in static mode", () => {
  for (const [scenario, count] of SEEDS) {
    test(`keeps its promises through every fault: ${count} seeds of ${scenario}`, async () => {
      const summary = await runSeeds({
        scenario,
        without: [],
        workload: 1,
        mutants: [],
        first: 1,
        count,
        workers: availableParallelism(),
        failuresMax: 3,
        seedTimeoutMs: 120_000,
      });
      const failures = summary.failures.map(
        ({ seed, violation }) =>
          `npm run simulate -- --scenario ${scenario} --seed ${seed}: ${violation?.property ?? ""}`,
      );
      assert.deepEqual(failures, []);
      assert.equal(summary.runCount, count);
      assert.ok(summary.virtualMs / count >= VIRTUAL_MS_MIN, "runs last long enough to mean something");
      assert.ok(summary.operationCount / count >= OPERATIONS_MIN, "clients got enough answers to mean something");
    });
  }

  test("takes the same path again with the same seed", () => {
    for (const seed of [1, 2, 3]) {
      const job = { scenario: "cluster", without: [], workload: 1, mutants: [], seed };
      assert.equal(runSeed(job).traceHash, runSeed(job).traceHash, `seed ${seed}`);
    }
  });
});
