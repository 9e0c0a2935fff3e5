import type { HistoryOperation } from "./history.ts";
import { prepareKeyHistory } from "./key-history.ts";
import { ANYTHING, EMPTY } from "./register-model.ts";
import type { SearchOptions } from "./search.ts";
import { searchLinearization } from "./search.ts";

/**
 * The shortest stretch of one key's failing history that still fails by itself.
 *
 * Its end is the first answer with which the history up to then fails; its start is the latest call from which it fails
 * whatever the key held before. Operations under way at either end count as unanswered, so that a window never fails for
 * what lies outside it. When only the whole past convicts (a lost first write, say), the window starts at the beginning.
 */
export function findFailingWindow(
  operations: readonly HistoryOperation[],
  options: SearchOptions = {},
): HistoryOperation[] {
  const ends = operations.map((operation) => operation.ret).filter(Number.isFinite);
  ends.sort((a, b) => a - b);
  const endIndex = firstTrue(ends.length, (index) => {
    return fails(cutWindow(operations, { from: -Infinity, to: ends[index] ?? Infinity }), EMPTY, options);
  });
  const to = ends[endIndex] ?? Infinity;
  const starts = operations.map((operation) => operation.call).filter((call) => call <= to);
  starts.sort((a, b) => b - a);
  const startIndex = firstTrue(starts.length, (index) => {
    return fails(cutWindow(operations, { from: starts[index] ?? -Infinity, to }), ANYTHING, options);
  });
  return cutWindow(operations, { from: starts[startIndex] ?? -Infinity, to });
}

function cutWindow(
  operations: readonly HistoryOperation[],
  { from, to }: { from: number; to: number },
): HistoryOperation[] {
  const inside = operations.filter(({ call, ret, operation, outcome }) => {
    const saysNothing = outcome.kind === "notApplied" || (outcome.kind === "unknown" && operation.kind === "get");
    return call <= to && ret >= from && !saysNothing;
  });
  return inside.map((operation) => {
    const isWhole = operation.call >= from && operation.ret <= to;
    return isWhole || operation.outcome.kind !== "ok" ? operation : { ...operation, outcome: { kind: "unknown" } };
  });
}

function fails(operations: readonly HistoryOperation[], initial: typeof EMPTY, options: SearchOptions): boolean {
  return searchLinearization(prepareKeyHistory(operations), { ...options, initial }).kind === "violation";
}

/** The smallest index in [0, count) at which `test` holds, given that it holds at all later ones; `count` when nowhere. */
function firstTrue(count: number, test: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (test(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
