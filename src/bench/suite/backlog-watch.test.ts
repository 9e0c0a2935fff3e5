import assert from "node:assert/strict";
import { test } from "node:test";
import { backlogFault, type BacklogSample, countTreeRuns, samplesOfLast } from "./backlog-watch.ts";

function samplesOf(seconds: number, unapplied: (atSeconds: number) => number): BacklogSample[] {
  return Array.from({ length: seconds * 4 + 1 }, (_, index) => ({
    atSeconds: index / 4,
    unappliedEntries: unapplied(index / 4),
    appliedSequence: Math.floor(index / 8) * 1000,
  }));
}

test("a log that swings with the tree's runs but does not grow is no fault", () => {
  const samples = samplesOf(30, (at) => (at % 3) * 10_000);
  assert.equal(backlogFault(samples, true), null);
});

test("a log that gets further ahead of the tree is a fault", () => {
  const samples = samplesOf(30, (at) => at * 10_000);
  assert.match(
    backlogFault(samples, true) ?? "",
    /up to 100000 entries in the first ten seconds, 300000 in the last ten/,
  );
});

test("a run too short to tell is a fault only where it must tell", () => {
  const samples = samplesOf(19, () => 0);
  assert.match(backlogFault(samples, true) ?? "", /too short/);
  assert.equal(backlogFault(samples, false), null);
  assert.match(backlogFault([], true) ?? "", /too short/);
});

test("what came before the run that counts is not judged", () => {
  // A cold start of 20 seconds in which the log hardly grew.
  const samples = samplesOf(50, (at) => (at < 20 ? 10 : 5000));
  assert.notEqual(backlogFault(samples, true), null);
  const counted = samplesOfLast(30, samples);
  assert.deepEqual([counted[0]?.atSeconds, counted.at(-1)?.atSeconds], [0, 30]);
  assert.equal(backlogFault(counted, true), null);
});

test("a run of the tree is seen by the sequence that it reached", () => {
  assert.equal(countTreeRuns(samplesOf(10, () => 0)), 5);
});
