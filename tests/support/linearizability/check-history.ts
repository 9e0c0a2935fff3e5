import { findFailingWindow } from "./failing-window.ts";
import type { HistoryOperation } from "./history.ts";
import { findImpossibleReads, partitionByKey, prepareKeyHistory } from "./key-history.ts";
import { renderTimeline } from "./render-timeline.ts";
import type { SearchOptions } from "./search.ts";
import { searchLinearization } from "./search.ts";

/** One key whose history breaks the promise, or could not be decided. */
export interface KeyViolation {
  readonly key: string;
  readonly kind: "impossibleRead" | "notLinearizable" | "timedOut";
  /** One sentence. */
  readonly reason: string;
  /** Many lines: the smallest failing window and the key's whole timeline. */
  readonly report: string;
}

/**
 * Checks every key of a history for linearizability, unknown outcomes and refused writes included. Returns one violation a
 * broken key; an empty list means that all is well. A search that runs out of steps counts as a violation.
 */
export function checkHistory(history: readonly HistoryOperation[], options: SearchOptions = {}): KeyViolation[] {
  const violations: KeyViolation[] = [];
  for (const [key, operations] of partitionByKey(history)) {
    const violation = checkKey(key, operations, options);
    if (violation !== undefined) violations.push(violation);
  }
  return violations;
}

function checkKey(
  key: string,
  operations: readonly HistoryOperation[],
  options: SearchOptions,
): KeyViolation | undefined {
  const impossible = findImpossibleReads(operations)[0];
  if (impossible !== undefined) {
    const reason = `Read #${impossible.read.id} of ${key} is impossible: ${impossible.reason}`;
    const report = `${reason}\n${renderTimeline(operations, new Set([impossible.read.id]))}`;
    return { key, kind: "impossibleRead", reason, report };
  }
  const verdict = searchLinearization(prepareKeyHistory(operations), options);
  if (verdict.kind === "linearizable") return undefined;
  if (verdict.kind === "timedOut") {
    const reason = `The search over ${operations.length} operations of ${key} gave up after ${verdict.steps} steps`;
    return { key, kind: "timedOut", reason, report: `${reason}\n${renderTimeline(operations, new Set())}` };
  }
  const window = findFailingWindow(operations, options);
  const blocked = verdict.blockedBy.map((id) => `#${id}`).join(", ");
  const reason = `No order of the ${operations.length} operations of ${key} explains all answers`;
  const report = [
    reason,
    `The longest order found places ${verdict.placed.length} of them; none of ${blocked} can come next`,
    `Smallest window that fails on its own, whatever came before (${window.length} operations):`,
    renderTimeline(window, new Set(verdict.blockedBy)),
    "Whole history of the key:",
    renderTimeline(operations, new Set(window.map((operation) => operation.id))),
  ].join("\n");
  return { key, kind: "notLinearizable", reason, report };
}
