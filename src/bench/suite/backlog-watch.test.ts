import assert from "node:assert/strict";
import { test } from "node:test";
import { backlogFault, type BacklogSample, countTreeRuns, samplesOfLast } from "./backlog-watch.ts";

/** A node that writes `perSecond` entries a second and whose tree lacks `unapplied` of them. */
function samplesOf(seconds: number, unapplied: (atSeconds: number) => number, perSecond = 10_000): BacklogSample[] {
  return Array.from({ length: seconds * 4 + 1 }, (_, index) => {
    const unappliedEntries = unapplied(index / 4);
    return {
      atSeconds: index / 4,
      unappliedEntries,
      appliedSequence: 500_000 + (index / 4) * perSecond - unappliedEntries,
    };
  });
}

test("a log that swings with the tree's runs but does not grow is no fault", () => {
  const samples = samplesOf(30, (at) => (at % 3) * 10_000);
  assert.equal(backlogFault(samples, true), null);
});

test("a log that gets further ahead of the tree is a fault", () => {
  const samples = samplesOf(30, (at) => at * 5000);
  assert.match(
    backlogFault(samples, true) ?? "",
    /up to 5.0 s of writes in the first ten seconds, 15.0 s in the last ten/,
  );
});

test("what gathers while the tree waits and runs is no fault, however little it was at first", () => {
  assert.equal(
    backlogFault(
      samplesOf(30, (at) => (at < 15 ? (at % 2) * 10_000 : (at % 9) * 10_000)),
      true,
    ),
    null,
  );
  assert.notEqual(
    backlogFault(
      samplesOf(40, (at) => (at < 15 ? (at % 2) * 10_000 : (at % 12) * 10_000)),
      true,
    ),
    null,
  );
});

test("more entries wait for a tree that keeps up when more are written: that is no fault", () => {
  const slow = samplesOf(15, (at) => (at % 5) * 10_000);
  const fast = samplesOf(15, (at) => (at % 5) * 15_000, 15_000);
  const later = fast.map((sample) => ({ ...sample, atSeconds: sample.atSeconds + 15.25 }));
  assert.equal(backlogFault([...slow, ...later], true), null);
});

test("a run too short to tell is a fault only where it must tell", () => {
  const samples = samplesOf(19, () => 0);
  assert.match(backlogFault(samples, true) ?? "", /too short/);
  assert.equal(backlogFault(samples, false), null);
  assert.match(backlogFault([], true) ?? "", /too short/);
});

test("what came before the run that counts is not judged", () => {
  // A cold start of 20 seconds in which the log hardly grew.
  const samples = samplesOf(50, (at) => (at < 20 ? 10 : 150_000));
  assert.notEqual(backlogFault(samples, true), null);
  const counted = samplesOfLast(30, samples);
  assert.deepEqual([counted[0]?.atSeconds, counted.at(-1)?.atSeconds], [0, 30]);
  assert.equal(backlogFault(counted, true), null);
});

test("a run of the tree is seen by the sequence that it reached", () => {
  const samples = samplesOf(10, (at) => (at % 2) * 10_000);
  assert.equal(countTreeRuns(samples), 5);
});
