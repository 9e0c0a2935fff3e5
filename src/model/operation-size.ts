import type { KeyOperation } from "./operation.ts";

/** What a row of an entry takes besides its key, its value and its content type: flags, lengths, expiry. */
const ROW_OVERHEAD_BYTES = 32;

/** Bytes that an entry needs for the rows of all keys that `operation` names, without their values. */
export function keyRowBytes(operation: KeyOperation): number {
  let bytes = ROW_OVERHEAD_BYTES + operation.key.length;
  if (operation.kind === "copy") bytes += ROW_OVERHEAD_BYTES + operation.to.length;
  if (operation.kind !== "setAllAbsent") return bytes;
  for (const { key } of operation.more) bytes += ROW_OVERHEAD_BYTES + key.length;
  return bytes;
}

/** Bytes of the values that `operation` carries. */
export function carriedValueBytes(operation: KeyOperation): number {
  if (operation.kind === "set" || operation.kind === "append" || operation.kind === "setRange") {
    return operation.value.length;
  }
  if (operation.kind === "incrementFloat") return operation.by.length;
  if (operation.kind !== "setAllAbsent") return 0;
  return operation.more.reduce((sum, { value }) => sum + value.length, operation.value.length);
}
