import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { test } from "node:test";
import { REGRESSIONS } from "./regressions.ts";
import { runSeed, type SeedJob } from "./run-seed.ts";
import { runSeeds } from "./run-seeds.ts";
import { scenarioByName } from "./scenarios.ts";

const SEEDS = 320;
const HITS_MIN = 1;

const jobOf = (scenario: string, seed: number): SeedJob => ({ scenario, seed, without: [], workload: 1, mutants: [] });

test(`a cluster in static mode keeps its promises in ${SEEDS} seeds of every kind of fault`, async () => {
  const summary = await runSeeds({
    scenario: "cluster",
    without: [],
    workload: 1,
    mutants: [],
    first: 1,
    count: SEEDS,
    workers: availableParallelism(),
    failuresMax: 3,
    seedTimeoutMs: 120_000,
  });
  const failures = summary.failures.map(
    ({ seed, violation }) => `npm run simulate -- --seed ${seed}   # ${violation?.property}: ${violation?.detail}`,
  );
  assert.deepEqual(failures, []);
  assert.ok(summary.operationCount > SEEDS * 500, `${summary.operationCount} operations`);
  assert.ok(summary.virtualMs > SEEDS * 20_000, `${summary.virtualMs} virtual ms`);
  const { expectedMarkers } = scenarioByName("cluster");
  const missed = expectedMarkers.filter((name) => (summary.markers.get(name) ?? 0) < HITS_MIN);
  assert.deepEqual(missed, [], "situations that never occurred");
});

test("the same seed takes the same course, another one does not", () => {
  const hashes = [1, 2, 3, 4, 5].map((seed) => {
    const { traceHash } = runSeed(jobOf("cluster", seed));
    assert.equal(runSeed(jobOf("cluster", seed)).traceHash, traceHash, `seed ${seed}`);
    return traceHash;
  });
  assert.equal(new Set(hashes).size, hashes.length);
});

for (const { scenario, seed, showed } of REGRESSIONS) {
  test(`seed ${seed} of ${scenario} passes; it once showed that ${showed}`, () => {
    const { violation } = runSeed(jobOf(scenario, seed));
    assert.equal(violation, null, `${violation?.property}: ${violation?.detail}`);
  });
}
