import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../src/base/random.ts";
import { generateHistory } from "./generate-history.ts";
import type { HistoryOperation, LogPosition, RegisterOperation, RegisterResult } from "./history.ts";
import { checkLogOrder } from "./log-order.ts";

const keys = ["a", "b", "c", "d"];

function shardHistory(seed: number): HistoryOperation[] {
  const random = new SeededRandom(seed);
  const shares = { unknownShare: 0.03 * random.next(), refusedShare: 0.05 };
  return generateHistory({ random, operationCount: 500, clientCount: 8, keys, ...shares });
}

function withAnswer(
  history: readonly HistoryOperation[],
  target: HistoryOperation,
  answer: { result: RegisterResult; position: LogPosition },
): HistoryOperation[] {
  return history.map((operation) =>
    operation === target ? { ...operation, outcome: { kind: "ok", ...answer } } : operation,
  );
}

test("answers of a shard that stand in the order of its log are accepted, unanswered writes included", () => {
  for (let seed = 0; seed < 100; seed++) {
    const { violations, checkedCount } = checkLogOrder(shardHistory(seed));
    assert.deepEqual(violations, [], `seed ${seed}`);
    assert.ok(checkedCount > 400);
  }
});

test("a read that returns an overwritten value at its true position is reported", () => {
  let planted = 0;
  for (let seed = 0; seed < 100; seed++) {
    const history = shardHistory(seed);
    const reads = history.flatMap((operation) => {
      const { outcome } = operation;
      if (outcome.kind !== "ok" || outcome.result.kind !== "value" || outcome.position === undefined) return [];
      return [{ operation, result: outcome.result, position: outcome.position }];
    });
    const old = reads[0];
    const read = reads.findLast(
      ({ operation, result }) => operation.key === old?.operation.key && result.version > old.result.version,
    );
    if (old === undefined || read === undefined) continue;
    planted++;
    const { violations } = checkLogOrder(
      withAnswer(history, read.operation, { result: old.result, position: read.position }),
    );
    assert.ok(
      violations.some(({ operation }) => operation.id === read.operation.id),
      `seed ${seed}`,
    );
  }
  assert.ok(planted > 80);
});

test("a write placed in the log behind one that was called after its answer is reported, across keys", () => {
  for (let seed = 0; seed < 50; seed++) {
    const history = shardHistory(seed);
    const writes = history.flatMap((operation) => {
      const { outcome } = operation;
      if (outcome.kind !== "ok" || outcome.result.kind !== "written" || outcome.position === undefined) return [];
      return [{ operation, result: outcome.result, position: outcome.position }];
    });
    const [early, late] = [writes[0], writes.at(-1)];
    assert.ok(early !== undefined && late !== undefined && early.operation.ret < late.operation.call);
    const position = { epoch: 1, sequence: late.position.sequence + 10 };
    const { violations } = checkLogOrder(withAnswer(history, early.operation, { result: early.result, position }));
    assert.ok(
      violations.some(({ reason }) => reason.includes("stands behind it in the log")),
      `seed ${seed}`,
    );
  }
});

test("two writes at one position are reported", () => {
  const history = shardHistory(1);
  const writes = history.filter(({ outcome }) => outcome.kind === "ok" && outcome.result.kind === "written");
  const [first, second] = writes;
  assert.ok(first?.outcome.kind === "ok" && first.outcome.position !== undefined && second?.outcome.kind === "ok");
  const shared = { result: second.outcome.result, position: first.outcome.position };
  const { violations } = checkLogOrder(withAnswer(history, second, shared));
  assert.ok(violations.some(({ reason }) => reason.includes("were both written at")));
});

/** One request for the only key, between two logical times; `answer` is a result at an epoch and a sequence. */
function request(
  [call, ret]: readonly [number, number],
  operation: RegisterOperation,
  answer?: readonly [RegisterResult, number, number],
): HistoryOperation {
  const asked = { id: call, client: call, key: "a", operation, call, ret, calledAtMs: call, endedAtMs: ret };
  if (answer === undefined) return { ...asked, outcome: { kind: "unknown" } };
  const [result, epoch, sequence] = answer;
  return { ...asked, outcome: { kind: "ok", result, position: { epoch, sequence } } };
}

const putFirst = request([1, 2], { kind: "put", value: "one" }, [{ kind: "written", version: 1 }, 1, 1]);
const deleteUnanswered = request([3, Infinity], { kind: "deleteIfVersion", version: 1 });
const missesVersion = request([4, 8], { kind: "putIfVersion", value: "two", version: 1 }, [
  { kind: "preconditionFailed" },
  2,
  3,
]);
const findsNothing = request([5, 9], { kind: "get" }, [{ kind: "absent" }, 2, 3]);
const putUnanswered = request([6, Infinity], { kind: "putIfAbsent", value: "three" });
const findsThird = request([10, 11], { kind: "get" }, [{ kind: "value", value: "three", version: 4 }, 3, 5]);

test("a failed precondition that two unanswered writes can explain is not held against a later read of one of them", () => {
  const history = [putFirst, deleteUnanswered, missesVersion, findsNothing, putUnanswered, findsThird];
  assert.deepEqual(checkLogOrder(history).violations, []);
});

test("without an unanswered delete, a key that is gone and read later as written before is reported", () => {
  const history = [putFirst, missesVersion, findsNothing, putUnanswered, findsThird];
  const [violation] = checkLogOrder(history).violations;
  assert.equal(violation?.operation.id, findsNothing.id);
});
