import type { HistoryOperation } from "../../support/linearizability/history.ts";
import type { Submission } from "./cluster-history.ts";

/** Writes of one connection for one shard that stand in the log in another order than they were submitted in. */
export function findOvertaken(
  operations: readonly HistoryOperation[],
  submissions: readonly Submission[],
  shardOf: (operation: HistoryOperation) => string,
): string[] {
  const byId = new Map(operations.map((operation) => [operation.id, operation]));
  const latest = new Map<string, { readonly id: number; readonly epoch: number; readonly sequence: number }>();
  const found: string[] = [];
  for (const { connection, id } of [...submissions].sort((a, b) => a.connection - b.connection || a.order - b.order)) {
    const operation = byId.get(id);
    if (operation === undefined || operation.outcome.kind !== "ok" || operation.outcome.position === undefined) {
      continue;
    }
    const { result, position } = operation.outcome;
    if (result.kind !== "written" && result.kind !== "incremented") continue;
    const lane = `${connection} ${shardOf(operation)}`;
    const before = latest.get(lane);
    const isBehind =
      before === undefined ||
      position.epoch > before.epoch ||
      (position.epoch === before.epoch && position.sequence > before.sequence);
    if (!isBehind) {
      const at = `${position.epoch}/${position.sequence} and ${before.epoch}/${before.sequence}`;
      found.push(`#${id}, submitted behind #${before.id} on connection ${lane}, stands before it in the log: ${at}`);
    }
    latest.set(lane, { id, ...position });
  }
  return found;
}
