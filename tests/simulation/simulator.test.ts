import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunReport } from "./scenario.ts";
import { toyScenario } from "./toy/toy-scenario.ts";
import type { ToyBug } from "./toy/toy-server.ts";

function runToy(seed: number, bug: ToyBug = null, without: readonly string[] = []): RunReport {
  return toyScenario(bug).run({ seed, sink: null, without, workload: 1 });
}

test("a correct toy server passes every seed, and each situation it is meant to meet occurs", () => {
  const hits = new Map<string, number>();
  for (let seed = 1; seed <= 60; seed++) {
    const report = runToy(seed);
    assert.equal(report.violation, null, `seed ${seed}: ${report.violation?.property} ${report.violation?.detail}`);
    assert.equal(report.operationCount, 600, `seed ${seed}`);
    for (const [name, count] of Object.entries(report.markers)) hits.set(name, (hits.get(name) ?? 0) + count);
  }
  for (const name of toyScenario(null).expectedMarkers) assert.ok((hits.get(name) ?? 0) >= 3, name);
});

for (const bug of ["answersBeforeFlush", "readsUnflushed", "checksBeforeFlush"] satisfies ToyBug[]) {
  test(`a toy server that ${bug} is found out`, () => {
    for (let seed = 1; seed <= 200; seed++) {
      const { violation } = runToy(seed, bug);
      if (violation === null) continue;
      assert.equal(violation.property, "linearizable");
      return;
    }
    assert.fail("200 seeds found nothing");
  });
}

test("the same seed takes the same course, another one does not", () => {
  for (let seed = 1; seed <= 20; seed++) assert.equal(runToy(seed).traceHash, runToy(seed).traceHash);
  assert.notEqual(runToy(1).traceHash, runToy(2).traceHash);
});

test("a fault that is switched off does not occur, and the others stay", () => {
  const seed = Array.from({ length: 50 }, (_, index) => index + 1).find((one) => {
    const { faults } = runToy(one);
    return faults.includes("crash") && faults.includes("pause");
  });
  assert.ok(seed !== undefined);
  const with_ = runToy(seed);
  const without = runToy(seed, null, ["crash"]);
  assert.equal(without.markers["crash with calls open"], undefined);
  assert.deepEqual(
    without.faults,
    with_.faults.filter((fault) => fault !== "crash"),
  );
});
