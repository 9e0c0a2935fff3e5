import { mutant } from "../base/mutants.ts";
import { SPACE } from "../model/entry.ts";
import { KvError } from "../model/errors.ts";
import type {
  Answerer,
  BatchOperation,
  DescribeOperation,
  GetOperation,
  Operation,
  Reply,
  Result,
  ScanOperation,
} from "../model/operation.ts";
import { isExpired } from "../model/record.ts";
import { describeRecord } from "../shard/describe-record.ts";
import { AnswerBudget } from "../shard/answer-budget.ts";
import type { ShardStore } from "../shard/shard-store.ts";

/** Where and as of when an `eventual` read is answered. */
export interface ReplicaReadContext {
  readonly store: ShardStore;
  readonly answerer: Answerer;
  /** Expired rows are hidden by this copy's own idea of the time: `eventual` promises no more. */
  readonly nowWallMs: number;
}

/** Of the position of a copy that holds nothing. */
const NO_LEADERSHIP = { epoch: 0, lineage: 0 };

/** What any copy can answer. */
export type ReadOperation = GetOperation | DescribeOperation | ScanOperation | BatchOperation;

/** Whether any copy can answer `operation`: it changes nothing. */
export function canReadHere(operation: Operation): operation is ReadOperation {
  if (operation.kind === "batch") {
    return operation.guards === undefined && operation.operations.every((one) => isKeyRead(one));
  }
  return operation.kind === "scan" || isKeyRead(operation);
}

function isKeyRead(operation: Operation): operation is GetOperation | DescribeOperation {
  return operation.kind === "get" || operation.kind === "describe";
}

/** Answers from what is committed and flushed here (D5: never from what was merely received). */
export function readHere(context: ReplicaReadContext, operation: ReadOperation): Reply {
  const { store, answerer } = context;
  try {
    const { epoch, lineage } = store.log.epochOf(store.settledSequence) ?? NO_LEADERSHIP;
    const position = { epoch, lineage, sequence: store.settledSequence };
    return { ok: true, result: read(context, operation), answerer, position };
  } catch (error) {
    if (error instanceof KvError) return { ok: false, error };
    throw error;
  }
}

function read(context: ReplicaReadContext, operation: ReadOperation): Result {
  const { store } = context;
  const nowMs = Math.max(context.nowWallMs, store.clock.lastTimestampMs);
  if (operation.kind === "scan") {
    const page = store.view.page(operation, store.settledSequence, nowMs);
    return { kind: "page", items: page.items, resume: page.resume };
  }
  const gets = operation.kind === "batch" ? operation.operations : [operation];
  const budget = new AnswerBudget();
  const results = gets.map(({ kind, key }): Result => {
    const { record } = store.view.get(SPACE.user, key, mutant("M50") ? store.lastSequence : store.settledSequence);
    if (record === null || isExpired(record, nowMs)) return { kind: "absent" };
    return kind === "describe" ? describeRecord(record) : budget.admit({ kind: "value", record });
  });
  return operation.kind === "batch" ? { kind: "batch", results } : (results[0] ?? { kind: "absent" });
}
