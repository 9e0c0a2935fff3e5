import type { Operation, RequestOptions } from "../model/operation.ts";

/** Counted for each operation besides its key and value: generous, so that nothing large is taken for small. */
const OVERHEAD_BYTES = 600;

/** Whether `operation` changes nothing, so that doing it twice does no harm. */
export function isRead(operation: Operation): boolean {
  if (operation.kind === "get" || operation.kind === "scan") return true;
  return operation.kind === "batch" && operation.operations.every((one) => one.kind === "get");
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
    return bytes;
  }
  if (operation.kind === "set") return OVERHEAD_BYTES + operation.key.length + operation.value.length;
  if (operation.kind === "scan") return OVERHEAD_BYTES + operation.start.length + operation.end.length;
  return operation.kind === "clear" ? OVERHEAD_BYTES : OVERHEAD_BYTES + operation.key.length;
}
