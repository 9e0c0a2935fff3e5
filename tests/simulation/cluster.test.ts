import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { test } from "node:test";
import { REGRESSIONS } from "./regressions.ts";
import { runSeed, type SeedJob } from "./run-seed.ts";
import { runSeeds } from "./run-seeds.ts";
import { scenarioByName } from "./scenarios.ts";

interface Course {
  readonly scenario: string;
  readonly what: string;
  readonly seeds: number;
}

const COURSES: readonly Course[] = [
  { scenario: "cluster", what: "a cluster in static mode", seeds: 320 },
  { scenario: "cluster-coordinated", what: "a cluster with a coordinator", seeds: 160 },
  { scenario: "cluster-takeovers", what: "shards whose leaders are replaced all the time", seeds: 80 },
  { scenario: "cluster-sessions", what: "clients that repeat requests and have sessions", seeds: 40 },
  { scenario: "cluster-lossy-sessions", what: "sessions over promotions that may lose writes", seeds: 20 },
];
const HITS_MIN = 1;

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
