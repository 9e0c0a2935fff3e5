import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { test } from "node:test";
import { COURSES } from "./courses.ts";
import { REGRESSIONS } from "./regressions.ts";
import { runSeed, type SeedJob } from "./run-seed.ts";
import { runSeeds } from "./run-seeds.ts";
import { scenarioByName } from "./scenarios.ts";

/** How often each situation worth testing must have come about in a course. */
const HITS_MIN = 3;
const REPEATED_SEEDS = 10;

const jobOf = (scenario: string, seed: number): SeedJob => ({ scenario, seed, without: [], workload: 1, mutants: [] });

for (const { scenario, what, seeds } of COURSES) {
  test(`${what}: promises are kept in ${seeds} seeds of every kind of fault`, async () => {
    const summary = await runSeeds({
      scenario,
      without: [],
      workload: 1,
      mutants: [],
      first: 1,
      count: seeds,
      workers: availableParallelism(),
      failuresMax: 3,
      seedTimeoutMs: 120_000,
    });
    const failures = summary.failures.map(
      ({ seed, violation }) =>
        `npm run simulate -- --scenario ${scenario} --seed ${seed}   # ${violation?.property}: ${violation?.detail}`,
    );
    assert.deepEqual(failures, []);
    assert.ok(summary.operationCount > seeds * 500, `${summary.operationCount} operations`);
    assert.ok(summary.virtualMs > seeds * 20_000, `${summary.virtualMs} virtual ms`);
    const { expectedMarkers } = scenarioByName(scenario);
    const missed = expectedMarkers.filter((name) => (summary.markers.get(name) ?? 0) < HITS_MIN);
    assert.deepEqual(missed, [], "situations that never occurred");
  });
}

test(`the same seed takes the same course, another one does not, in ${2 * REPEATED_SEEDS} seeds`, () => {
  const hashes = ["cluster", "failover"].flatMap((scenario) =>
    Array.from({ length: REPEATED_SEEDS }, (_, index) => {
      const { traceHash } = runSeed(jobOf(scenario, index + 1));
      assert.equal(runSeed(jobOf(scenario, index + 1)).traceHash, traceHash, `seed ${index + 1} of ${scenario}`);
      return traceHash;
    }),
  );
  assert.equal(new Set(hashes).size, hashes.length);
});

for (const { scenario, seed, showed } of REGRESSIONS) {
  test(`seed ${seed} of ${scenario} passes; it once showed that ${showed}`, () => {
    const { violation } = runSeed(jobOf(scenario, seed));
    assert.equal(violation, null, `${violation?.property}: ${violation?.detail}`);
  });
}
