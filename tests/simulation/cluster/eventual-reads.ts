import type { HistoryOperation } from "../../support/linearizability/history.ts";
import { writtenValue } from "../../support/linearizability/history.ts";
import type { EventualRead } from "./cluster-history.ts";

interface KnownWrite {
  readonly sequence: number;
  readonly endedAtMs: number;
  readonly id: number;
}

/**
 * Eventual reads that no committed prefix explains. `history` is the shard's, with lost and refused writes marked as not applied:
 * their values must not be seen. When the log was never cut (`isWholeHistory`), a read that stands at a sequence must show exactly
 * what the log says up to there.
 */
export function findWrongEventualReads(
  reads: readonly EventualRead[],
  history: readonly HistoryOperation[],
  isWholeHistory: boolean,
): string[] {
  const refused = new Map<string, HistoryOperation>();
  const writers = new Map<string, KnownWrite>();
  const writesOfKey = new Map<string, KnownWrite[]>();
  for (const operation of history) {
    const { outcome } = operation;
    const value = writtenValue(operation.operation);
    if (outcome.kind === "notApplied" && value !== undefined) refused.set(value, operation);
    if (outcome.kind !== "ok" || outcome.position === undefined) continue;
    const isChange = outcome.result.kind === "written" || outcome.result.kind === "incremented";
    const isDelete = outcome.result.kind === "deleted" && outcome.result.existed;
    if (!isChange && !isDelete) continue;
    const write = { sequence: outcome.position.sequence, endedAtMs: operation.endedAtMs, id: operation.id };
    if (value !== undefined) writers.set(value, write);
    const writes = writesOfKey.get(operation.key);
    if (writes === undefined) writesOfKey.set(operation.key, [write]);
    else writes.push(write);
  }
  return reads.flatMap((read) => {
    const name = `the read of ${read.key} at ${read.sequence} from ${read.answeredBy} after ${read.endedAtMs.toFixed(0)} ms`;
    const value = read.result.kind === "value" ? read.result.value : undefined;
    const never = value === undefined ? undefined : refused.get(value);
    if (value?.startsWith("damaged") === true) return [`${name} returned ${value}`];
    if (!isWholeHistory) return [];
    if (never !== undefined) return [`${name} returned ${value}, whose write #${never.id} was not applied`];
    const writer = value === undefined ? undefined : writers.get(value);
    if (writer !== undefined && writer.sequence > read.sequence) {
      return [`${name} returned ${value}, which was written later, at ${writer.sequence}`];
    }
    if (writer === undefined && value !== undefined) return [];
    const between = writesOfKey
      .get(read.key)
      ?.find((write) => write.sequence > (writer?.sequence ?? 0) && write.sequence <= read.sequence);
    if (between === undefined || value === undefined) return [];
    return [`${name} returned ${value}, although #${between.id} wrote the key at ${between.sequence}`];
  });
}
