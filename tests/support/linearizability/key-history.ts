import type { HistoryOperation, RegisterOperation, RegisterResult } from "./history.ts";
import { writtenValue } from "./history.ts";
import { GHOST } from "./register-model.ts";

/** An operation that must take effect between `call` and `ret`, with `result`. */
export interface CertainOperation {
  readonly id: number;
  readonly operation: RegisterOperation;
  readonly result: RegisterResult;
  readonly call: number;
  readonly ret: number;
}

/** Operations without an answer whose effects nobody can tell apart: any of them may stand for any other. */
export interface UncertainClass {
  readonly operation: RegisterOperation;
  readonly storedValue: string | typeof GHOST;
  /** Times of call, ascending. Each member may take effect once, at any time after its call, or never. */
  readonly calls: readonly number[];
}

/** One key's history, made ready for the search. */
export interface KeyHistory {
  readonly certain: readonly CertainOperation[];
  readonly uncertain: readonly UncertainClass[];
}

/** A read that returned a value it cannot have: never written, refused, or written later. */
export interface ImpossibleRead {
  readonly read: HistoryOperation;
  readonly reason: string;
}

/** The operations of each key, by time of call. Linearizability of each key is linearizability of all (P-compositionality). */
export function partitionByKey(history: readonly HistoryOperation[]): Map<string, HistoryOperation[]> {
  const byKey = new Map<string, HistoryOperation[]>();
  for (const operation of history) {
    const list = byKey.get(operation.key);
    if (list === undefined) byKey.set(operation.key, [operation]);
    else list.push(operation);
  }
  for (const list of byKey.values()) list.sort((a, b) => a.call - b.call);
  return byKey;
}

/**
 * Reads whose value alone convicts them. A value of a refused write is named as such: it is the plainest breach of the promise
 * that "not applied" is never seen.
 */
export function findImpossibleReads(operations: readonly HistoryOperation[]): ImpossibleRead[] {
  const writers = writersByValue(operations);
  const hasIncrement = operations.some((operation) => operation.operation.kind === "increment");
  const impossible: ImpossibleRead[] = [];
  for (const read of operations) {
    const value = observedValue(read);
    if (value === undefined || (hasIncrement && looksLikeInteger(value))) continue;
    const reason = whyImpossible(read, writers.get(value) ?? []);
    if (reason !== undefined) impossible.push({ read, reason });
  }
  return impossible;
}

/**
 * Splits one key's operations for the search. Refused operations and reads without an answer are left out. A write without an
 * answer whose value somebody read did take effect, before the first such read was answered, with the version that the read named:
 * it becomes certain. The others are gathered in classes of interchangeable ones, which keeps the search small.
 */
export function prepareKeyHistory(operations: readonly HistoryOperation[]): KeyHistory {
  const hasIncrement = operations.some((operation) => operation.operation.kind === "increment");
  const writers = writersByValue(operations);
  const firstReads = firstReadByValue(operations);
  const certain: CertainOperation[] = [];
  const classes = new Map<
    string,
    { operation: RegisterOperation; storedValue: string | typeof GHOST; calls: number[] }
  >();
  for (const { id, operation, outcome, call, ret } of operations) {
    if (outcome.kind === "notApplied") continue;
    if (outcome.kind === "ok") {
      certain.push({ id, operation, result: outcome.result, call, ret });
      continue;
    }
    if (operation.kind === "get") continue;
    const value = writtenValue(operation);
    const derivable = value === undefined || (hasIncrement && looksLikeInteger(value));
    const read =
      value === undefined || derivable || writers.get(value)?.length !== 1 ? undefined : firstReads.get(value);
    if (read !== undefined) {
      certain.push({ id, operation, result: { kind: "written", version: read.version }, call, ret: read.ret });
      continue;
    }
    const storedValue = value === undefined || !derivable ? GHOST : value;
    const name = className(operation, storedValue);
    const known = classes.get(name);
    if (known === undefined) classes.set(name, { operation, storedValue, calls: [call] });
    else known.calls.push(call);
  }
  for (const group of classes.values()) group.calls.sort((a, b) => a - b);
  return { certain, uncertain: [...classes.values()] };
}

function writersByValue(operations: readonly HistoryOperation[]): Map<string, HistoryOperation[]> {
  const writers = new Map<string, HistoryOperation[]>();
  for (const operation of operations) {
    const value = writtenValue(operation.operation);
    if (value === undefined) continue;
    const list = writers.get(value);
    if (list === undefined) writers.set(value, [operation]);
    else list.push(operation);
  }
  return writers;
}

function firstReadByValue(operations: readonly HistoryOperation[]): Map<string, { version: number; ret: number }> {
  const first = new Map<string, { version: number; ret: number }>();
  for (const { operation, outcome, ret } of operations) {
    if (operation.kind !== "get" || outcome.kind !== "ok" || outcome.result.kind !== "value") continue;
    const { value, version } = outcome.result;
    const known = first.get(value);
    if (known === undefined || ret < known.ret) first.set(value, { version, ret });
  }
  return first;
}

function observedValue(operation: HistoryOperation): string | undefined {
  if (operation.operation.kind !== "get" || operation.outcome.kind !== "ok") return undefined;
  return operation.outcome.result.kind === "value" ? operation.outcome.result.value : undefined;
}

function whyImpossible(read: HistoryOperation, writers: readonly HistoryOperation[]): string | undefined {
  if (writers.length === 0) return "the value was never written";
  const possible = writers.filter((writer) => writer.outcome.kind !== "notApplied");
  if (possible.length === 0) return "the value belongs to a write that was answered as not applied";
  const isTooEarly = possible.every((writer) => writer.call > read.ret);
  return isTooEarly ? "the value was written only after the read had been answered" : undefined;
}

function className(operation: RegisterOperation, storedValue: string | typeof GHOST): string {
  const detail = "version" in operation ? operation.version : "by" in operation ? operation.by : "";
  return `${operation.kind}/${detail}/${typeof storedValue === "string" ? storedValue : "ghost"}`;
}

function looksLikeInteger(value: string): boolean {
  return /^-?\d{1,15}$/.test(value);
}
