import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../src/base/random.ts";
import { isLinearizableByBruteForce } from "./brute-force.ts";
import { checkHistory } from "./check-history.ts";
import { generateHistory } from "./generate-history.ts";
import type { HistoryOperation, RegisterResult } from "./history.ts";
import { prepareKeyHistory } from "./key-history.ts";
import type { Anomaly } from "./plant-anomaly.ts";
import { plantAnomaly } from "./plant-anomaly.ts";
import { searchLinearization } from "./search.ts";

/** The suite runs 30 % of the counts of the checker's own bars; `CHECKER_SHARE=1 node --test …` runs all of them. */
const share = Number(process.env["CHECKER_SHARE"] ?? "0.3");
const agreementCount = 10_000 * share;
const acceptedCount = 1_000 * share;
const rejectedCount = Math.ceil(334 * share);

function isAccepted(history: readonly HistoryOperation[]): boolean {
  return searchLinearization(prepareKeyHistory(history)).kind === "linearizable";
}

test("the search agrees with a brute-force checker on small random histories, right and wrong ones", (t) => {
  let accepted = 0;
  for (let seed = 0; seed < agreementCount; seed++) {
    const history = randomSmallHistory(new SeededRandom(seed));
    const expected = isLinearizableByBruteForce(history);
    assert.equal(isAccepted(history), expected, `seed ${seed}: ${JSON.stringify(history, null, 1)}`);
    // The quick look for impossible reads may only ever convict what the search convicts too.
    assert.equal(checkHistory(history).length === 0, expected, `seed ${seed}`);
    if (expected) accepted++;
  }
  t.diagnostic(`${accepted} of ${agreementCount} were linearizable`);
  assert.ok(accepted > agreementCount / 5 && accepted < (agreementCount * 4) / 5, "both kinds must be common");
});

test("histories of 400 operations by 10 clients that are linearizable by construction are accepted", () => {
  for (let seed = 0; seed < acceptedCount; seed++) {
    const random = new SeededRandom(seed);
    const shares = { unknownShare: 0.04 * random.next(), refusedShare: 0.05 * random.next() };
    const history = generateHistory({ random, operationCount: 400, clientCount: 10, ...shares });
    assert.equal(history.length, 400);
    assert.deepEqual(checkHistory(history), [], `seed ${seed}`);
  }
});

for (const anomaly of ["staleRead", "lostUpdate", "dirtyRead"] satisfies Anomaly[]) {
  test(`histories with one planted ${anomaly} are rejected, every one`, () => {
    let planted = 0;
    for (let seed = 0; planted < rejectedCount; seed++) {
      assert.ok(seed < rejectedCount * 5, "most histories must have a place for the anomaly");
      const random = new SeededRandom(seed);
      const shares = { unknownShare: 0.04, refusedShare: 0.02, withIncrements: false };
      const history = generateHistory({ random, operationCount: 400, clientCount: 10, ...shares });
      const wrong = plantAnomaly(history, anomaly, random);
      if (wrong === undefined) continue;
      planted++;
      assert.ok(!isAccepted(wrong), `seed ${seed}`);
    }
  });
}

test("the value of a refused write is named when a read returns it", () => {
  const random = new SeededRandom(7);
  const history = generateHistory({
    random,
    operationCount: 200,
    clientCount: 5,
    refusedShare: 0.2,
    withIncrements: false,
  });
  const refused = history.find(({ operation, outcome }) => operation.kind === "put" && outcome.kind === "notApplied");
  const read = history.find(({ operation, outcome }) => operation.kind === "get" && outcome.kind === "ok");
  assert.ok(refused?.operation.kind === "put" && read !== undefined);
  const value: RegisterResult = { kind: "value", value: refused.operation.value, version: 1_000_000 };
  const wrong = history.map((one) =>
    one === read ? { ...one, outcome: { kind: "ok" as const, result: value } } : one,
  );
  assert.ok(!isAccepted(wrong));
  const [violation] = checkHistory(wrong);
  assert.equal(violation?.kind, "impossibleRead");
  assert.match(violation?.reason ?? "", /answered as not applied/);
});

test("10,000 operations over 100 keys are checked in seconds", (t) => {
  const keys = Array.from({ length: 100 }, (_, index) => `key-${index}`);
  const random = new SeededRandom(1);
  const history = generateHistory({ random, operationCount: 10_000, clientCount: 30, keys, unknownShare: 0.02 });
  const startedMs = performance.now();
  assert.deepEqual(checkHistory(history), []);
  const tookMs = performance.now() - startedMs;
  t.diagnostic(`took ${tookMs.toFixed(0)} ms; the bar is 5,000 ms on an idle machine`);
  assert.ok(tookMs < 60_000);
});

test("a search that runs out of steps is a violation, not a pass", () => {
  const history = generateHistory({ random: new SeededRandom(3), operationCount: 100, clientCount: 10 });
  const [violation] = checkHistory(history, { stepsMax: 5 });
  assert.equal(violation?.kind, "timedOut");
});

test("a failure is reported with the smallest window that fails on its own", () => {
  const random = new SeededRandom(11);
  const history = generateHistory({ random, operationCount: 400, clientCount: 3, withIncrements: false });
  const wrong = plantAnomaly(history, "staleRead", random);
  assert.ok(wrong !== undefined);
  const [violation] = checkHistory(wrong);
  assert.equal(violation?.kind, "notLinearizable");
  const window = /whatever came before \((\d+) operations\)/.exec(violation?.report ?? "");
  assert.ok(Number(window?.[1]) < 40, violation?.report);
});

test("forty unanswered writes around a stale read do not keep the search from deciding", () => {
  const answered = (id: number, call: number, result: RegisterResult): HistoryOperation => {
    const times = { call, ret: call + 1, calledAtMs: call, endedAtMs: call + 1 };
    const operation = result.kind === "written" ? { kind: "put" as const, value: `p${id}` } : { kind: "get" as const };
    return { id, client: 0, key: "key", operation, outcome: { kind: "ok", result }, ...times };
  };
  const unanswered = Array.from({ length: 40 }, (_, index): HistoryOperation => {
    const times = { call: index, ret: Infinity, calledAtMs: index, endedAtMs: Infinity };
    const operation = index % 2 === 0 ? { kind: "put" as const, value: `u${index}` } : { kind: "delete" as const };
    return { id: 100 + index, client: 1 + index, key: "key", operation, outcome: { kind: "unknown" }, ...times };
  });
  const first = answered(1, 50, { kind: "written", version: 5 });
  const second = answered(2, 60, { kind: "written", version: 6 });
  const right = [...unanswered, first, second, answered(3, 70, { kind: "value", value: "p2", version: 6 })];
  const wrong = [...unanswered, first, second, answered(3, 70, { kind: "value", value: "p1", version: 5 })];
  assert.ok(isAccepted(right));
  assert.ok(!isAccepted(wrong));
});

/** At most seven operations; three of four get one answer or outcome changed at random. */
function randomSmallHistory(random: SeededRandom): HistoryOperation[] {
  const shares = { unknownShare: 0.2 * random.next(), refusedShare: 0.1 * random.next() };
  const operationCount = 2 + random.below(6);
  const clientCount = 1 + random.below(4);
  const history = generateHistory({ random, operationCount, clientCount, ...shares });
  if (random.below(4) === 0) return history;
  const target = random.below(history.length);
  return history.map((operation, index) => (index === target ? corrupted(operation, history, random) : operation));
}

function corrupted(
  operation: HistoryOperation,
  history: readonly HistoryOperation[],
  random: SeededRandom,
): HistoryOperation {
  const results = history.flatMap(({ outcome }) => (outcome.kind === "ok" ? [outcome.result] : []));
  const other = results[random.below(results.length)];
  if (operation.outcome.kind === "unknown" || other === undefined || random.below(8) === 0) {
    return { ...operation, outcome: { kind: random.below(2) === 0 ? "notApplied" : "unknown" }, ret: Infinity };
  }
  if (operation.outcome.kind === "notApplied") return operation;
  const { result } = operation.outcome;
  const changed: RegisterResult =
    "version" in result && random.below(2) === 0
      ? { ...result, version: (result.version ?? 0) + random.below(5) - 2 }
      : other;
  return { ...operation, outcome: { kind: "ok", result: changed } };
}
