import { carriedValueBytes, keyRowBytes } from "../model/operation-size.ts";
import type { Operation, RequestOptions } from "../model/operation.ts";

/** Counted for each operation besides its key and value: generous, so that nothing large is taken for small. */
const OVERHEAD_BYTES = 600;

const READ_KINDS: ReadonlySet<Operation["kind"]> = new Set<Operation["kind"]>(["get", "describe", "scan"]);

/** Whether `operation` changes nothing, so that doing it twice does no harm. */
export function isRead(operation: Operation): boolean {
  if (operation.kind !== "batch") return READ_KINDS.has(operation.kind);
  return operation.operations.every((one) => READ_KINDS.has(one.kind));
}

/** Whether any member of the shard may answer. Writes always go to the leader. */
export function isForAnyMember(operation: Operation, options: RequestOptions): boolean {
  return options.consistency === "eventual" && isRead(operation);
}

/** At least as many bytes as the operation takes when it is encoded. */
export function operationBytesAtMost(operation: Operation): number {
  if (operation.kind === "batch") {
    let bytes = OVERHEAD_BYTES;
    for (const one of operation.operations) bytes += operationBytesAtMost(one);
    for (const { key } of operation.guards ?? []) bytes += OVERHEAD_BYTES + key.length;
    return bytes;
  }
  if (operation.kind === "scan") return OVERHEAD_BYTES + operation.start.length + operation.end.length;
  if (operation.kind === "clear") return OVERHEAD_BYTES;
  return OVERHEAD_BYTES + keyRowBytes(operation) + carriedValueBytes(operation);
}
