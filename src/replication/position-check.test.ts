import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { fuzzRuns } from "../../tests/support/byte-mutations.ts";
import { proveCaught } from "../../tests/support/prove-caught.ts";
import type { EpochMark } from "../log/log.ts";
import type { Epoch, Sequence } from "../model/position.ts";
import type { LogEnd } from "./messages.ts";
import { checkPosition, cutPosition, markOf, type LogShape } from "./position-check.ts";

/** A leadership's stretch of a log: "3a" is epoch 3 with a term of its own, different from "3b". */
type Stretch = readonly [name: string, count: number];

describe("the position check", () => {
  const leader = logOf(["1a", 10], ["4a", 5], ["9a", 5]);

  const matching: readonly (readonly [name: string, end: LogEnd])[] = [
    ["an empty log", endOf(logOf())],
    ["the same log", endOf(leader)],
    ["a prefix that ends within a leadership", endOf(logOf(["1a", 7]))],
    ["a prefix that ends with a leadership", endOf(logOf(["1a", 10]))],
    ["a prefix that ends with the start of a leadership", endOf(logOf(["1a", 10], ["4a", 1]))],
  ];
  for (const [name, end] of matching) {
    test(`matches ${name}`, () => assert.deepEqual(checkPosition(end, leader), { kind: "matched" }));
  }

  const diverging: readonly (readonly [name: string, end: LogEnd, last: string, endSequence: Sequence])[] = [
    ["a log that is longer", endOf(logOf(["1a", 10], ["4a", 5], ["9a", 8])), "9a", 20],
    ["a leadership that went on elsewhere", endOf(logOf(["1a", 14])), "1a", 10],
    ["a leadership that the leader never saw", endOf(logOf(["1a", 10], ["4a", 5], ["7a", 3])), "4a", 15],
    ["a leadership of the same number with another term", endOf(logOf(["1a", 10], ["4b", 3])), "1a", 10],
    ["the same number, another term, and a later end", endOf(logOf(["1a", 10], ["4b", 50])), "1a", 10],
    ["a lower epoch at a sequence of a higher one", endOf(logOf(["1a", 17])), "1a", 10],
    ["an epoch beyond the leader's", endOf(logOf(["1a", 10], ["12a", 4])), "9a", 20],
  ];
  for (const [name, end, last, endSequence] of diverging) {
    test(`finds ${name} to be divergent, and names the leadership before it`, () => {
      const verdict = checkPosition(end, leader);
      assert.equal(verdict.kind, "diverged");
      assert.ok(verdict.kind === "diverged" && verdict.mark !== null);
      assert.deepEqual([`${verdict.mark.epoch}${verdict.mark.term.at(-1)}`, verdict.endSequence], [last, endSequence]);
    });
  }

  test("says that nothing is shared when the leader knows no epoch at or before the replica's", () => {
    const verdict = checkPosition({ lastEpoch: 2, lastTerm: termOf("2a"), lastSequence: 5 }, logOf(["3a", 10]));
    assert.deepEqual(verdict, { kind: "diverged", mark: null, endSequence: 0 });
    const emptied = checkPosition(endOf(logOf(["3a", 10])), logOf());
    assert.deepEqual(emptied, { kind: "diverged", mark: null, endSequence: 0 });
  });

  test("needs a snapshot exactly when the entry after the replica's end is trimmed", () => {
    const trimmed = { ...leader, startSequence: 12 };
    assert.deepEqual(checkPosition(endOf(logOf(["1a", 10], ["4a", 1])), trimmed), { kind: "matched" });
    assert.deepEqual(checkPosition(endOf(logOf(["1a", 10])), trimmed), { kind: "trimmed" });
    assert.deepEqual(checkPosition(endOf(logOf()), trimmed), { kind: "trimmed" });
    assert.deepEqual(checkPosition(endOf(logOf()), { ...leader, startSequence: 1 }), { kind: "matched" });
    assert.equal(checkPosition(endOf(logOf(["1b", 5])), trimmed).kind, "diverged");
  });

  test("finds the leadership of any sequence, also behind what is trimmed", () => {
    const trimmed = { ...leader, startSequence: 18 };
    const names = [0, 1, 10, 11, 15, 16, 20].map((sequence) => markOf(trimmed, sequence)?.epoch ?? null);
    assert.deepEqual(names, [null, 1, 1, 4, 4, 9, 9]);
  });
});

describe("the cut after a divergence", () => {
  const own = logOf(["1a", 10], ["4a", 5], ["6a", 5]);

  const cuts: readonly (readonly [answer: readonly [name: string, end: Sequence], cut: Sequence])[] = [
    [["6a", 17], 17],
    [["6a", 40], 20],
    [["5a", 30], 15],
    [["4a", 13], 13],
    [["4a", 99], 15],
    [["4b", 13], 10],
    [["3a", 12], 10],
    [["1a", 4], 4],
    [["1b", 4], 0],
  ];
  for (const [[name, end], cut] of cuts) {
    test(`with the leader's end of ${name} at ${end} is at ${cut}`, () => {
      const answer = { dEpoch: epochOf(name), dTerm: termOf(name), dEndSeq: end };
      assert.equal(cutPosition(own, answer), cut);
    });
  }

  test("is at 0 when nothing is shared", () => {
    assert.equal(cutPosition(own, { dEpoch: 0, dTerm: "0000000000000000", dEndSeq: 0 }), 0);
  });
});

describe("two logs that part", () => {
  test("come together at exactly their common prefix, by cutting again and again", () => {
    fc.assert(
      fc.property(history(), (pair) => {
        const { cutTo, rounds } = reconcile(pair);
        assert.equal(cutTo, pair.common);
        assert.ok(rounds <= pair.replica.epochs.length + 2, `${rounds} rounds`);
      }),
      { numRuns: fuzzRuns(3000) },
    );
  });

  test("whose replica is behind what is trimmed are told so, or come together behind it", () => {
    fc.assert(
      fc.property(history(), fc.nat({ max: 100 }), (pair, part) => {
        const startSequence = 1 + Math.floor((part / 100) * pair.leader.lastSequence);
        const trimmed = { ...pair, leader: { ...pair.leader, startSequence } };
        const { cutTo, isTrimmed } = reconcile(trimmed);
        assert.equal(isTrimmed, pair.common < startSequence - 1);
        assert.equal(cutTo, pair.common);
      }),
      { numRuns: fuzzRuns(1000) },
    );
  });

  const pairs = fc.sample(history(), { numRuns: 1000, seed: 1 });
  const checkAll = (): void => {
    for (const pair of pairs) assert.equal(reconcile(pair).cutTo, pair.common);
  };

  test("M26 planted: the position check is caught comparing lengths only", () => proveCaught("M26", checkAll));

  test("M100 planted: the position check is caught taking equal epochs of different terms for one", () => {
    proveCaught("M100", checkAll);
  });
});

interface Pair {
  readonly leader: LogShape;
  readonly replica: LogShape;
  /** Entries that both have. */
  readonly common: Sequence;
}

/** Does what leader and replica do with PULL and DIVERGED until they agree. */
function reconcile({ leader, replica }: Pair): { cutTo: Sequence; rounds: number; isTrimmed: boolean } {
  let own = replica;
  for (let rounds = 1; rounds <= 100; rounds++) {
    const verdict = checkPosition(endOf(own), leader);
    if (verdict.kind !== "diverged") return { cutTo: own.lastSequence, rounds, isTrimmed: verdict.kind === "trimmed" };
    const { mark, endSequence } = verdict;
    const answer = { dEpoch: mark?.epoch ?? 0, dTerm: mark?.term ?? "0000000000000000", dEndSeq: endSequence };
    const to = cutPosition(own, answer);
    assert.ok(to < own.lastSequence, "every round cuts something");
    own = cutAfter(own, to);
  }
  return assert.fail("the logs never came together");
}

/** Stretches behind a common beginning: at most one side goes on with the leadership in which they parted (rule G1). */
function history(): fc.Arbitrary<Pair> {
  const stretches = fc.array(
    fc.record({ step: fc.integer({ min: 1, max: 3 }), count: fc.integer({ min: 1, max: 6 }) }),
    {
      maxLength: 4,
    },
  );
  return fc
    .record({
      shared: stretches,
      ofLeader: stretches,
      ofReplica: stretches,
      goesOn: fc.constantFrom("leader", "replica", "nobody"),
      onBy: fc.integer({ min: 1, max: 5 }),
    })
    .map(({ shared, ofLeader, ofReplica, goesOn, onBy }) => {
      const common = named(shared, 0, "c");
      const sideOf = (tail: typeof shared, side: "leader" | "replica"): LogShape => {
        const before = common.map(([name, count], i): Stretch => {
          const goesOnHere = goesOn === side && i === common.length - 1;
          return [name, goesOnHere ? count + onBy : count];
        });
        const lastEpoch = epochOf(common.at(-1)?.[0] ?? "0c");
        return logOf(...before, ...named(tail, lastEpoch, side === "leader" ? "a" : "b"));
      };
      const commonCount = common.reduce((sum, [, count]) => sum + count, 0);
      return { leader: sideOf(ofLeader, "leader"), replica: sideOf(ofReplica, "replica"), common: commonCount };
    });
}

function named(
  stretches: readonly { readonly step: number; readonly count: number }[],
  after: Epoch,
  letter: string,
): Stretch[] {
  let epoch = after;
  return stretches.map(({ step, count }): Stretch => {
    epoch += step;
    return [`${epoch}${letter}`, count];
  });
}

function epochOf(name: string): Epoch {
  return Number.parseInt(name, 10);
}

function termOf(name: string): string {
  return name.padStart(16, "0");
}

function logOf(...stretches: readonly Stretch[]): LogShape {
  const epochs: EpochMark[] = [];
  let lastSequence = 0;
  for (const [name, count] of stretches) {
    const firstSequence = lastSequence + 1;
    epochs.push({ epoch: epochOf(name), term: termOf(name), firstSequence, versionBase: 0, lineage: 0 });
    lastSequence += count;
  }
  return { startSequence: 1, lastSequence, epochs };
}

function endOf(log: LogShape): LogEnd {
  const mark = log.epochs.at(-1);
  return { lastEpoch: mark?.epoch ?? 0, lastTerm: mark?.term ?? "0000000000000000", lastSequence: log.lastSequence };
}

function cutAfter(log: LogShape, sequence: Sequence): LogShape {
  const epochs = log.epochs.filter((mark) => mark.firstSequence <= sequence);
  return { ...log, lastSequence: sequence, epochs };
}
