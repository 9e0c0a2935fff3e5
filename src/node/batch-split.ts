import type { KeyOperation, Operation, Reply } from "../model/operation.ts";
import { KvError } from "../model/errors.ts";
import type { Shard, Topology } from "../model/topology.ts";
import { failure } from "./verdict.ts";

/** One shard's part of a batch: what is asked of it, and where each answer belongs. */
export interface BatchPart {
  readonly shard: Shard;
  readonly operation: Operation;
  /** Position in the client's batch of each operation of this part. */
  readonly indexes: readonly number[];
}

/** Splits a batch by shard, order kept within each part. A part of one operation is that operation itself. */
export function splitBatch(operations: readonly KeyOperation[], topology: Topology): readonly BatchPart[] {
  const parts = new Map<string, { shard: Shard; operations: KeyOperation[]; indexes: number[] }>();
  for (const [index, operation] of operations.entries()) {
    const shard = topology.shardOfKey(operation.key);
    const part = parts.get(shard.name);
    if (part === undefined) parts.set(shard.name, { shard, operations: [operation], indexes: [index] });
    else {
      part.operations.push(operation);
      part.indexes.push(index);
    }
  }
  return [...parts.values()].map((part) => ({
    shard: part.shard,
    operation: partOperation(part.operations),
    indexes: part.indexes,
  }));
}

function partOperation(operations: readonly KeyOperation[]): Operation {
  const [only] = operations;
  return operations.length === 1 && only !== undefined ? only : { kind: "batch", operations };
}

/** One reply for each operation of a part. An error of the part is the error of each: a part is atomic. */
export function repliesOfPart(part: BatchPart, reply: Reply): readonly Reply[] {
  const count = part.indexes.length;
  if (!reply.ok) return Array.from({ length: count }, () => reply);
  const { result, answerer, position } = reply;
  if (result.kind !== "batch") return count === 1 ? [reply] : mismatch(count);
  if (result.results.length !== count) return mismatch(count);
  return result.results.map((one) => ({ ok: true, result: one, answerer, position }));
}

function mismatch(count: number): readonly Reply[] {
  const reply = failure(
    new KvError("UNKNOWN_OUTCOME", `The answer to a batch of ${count} does not have ${count} results`),
  );
  return Array.from({ length: count }, () => reply);
}
