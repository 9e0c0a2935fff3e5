import { unreachable } from "../../../src/base/assert.ts";
import type { HistoryOperation, RegisterOperation, RegisterResult } from "./history.ts";

/** A write in a candidate order; `version` is undefined while no answer has named it. */
interface Written {
  readonly value: string | null;
  version: number | undefined;
}

/**
 * The definition, taken literally, for histories of a handful of operations: tries every subset of the unanswered writes and
 * every order that respects real time, replays each on a plain variable, and asks whether rising versions can be found.
 * Shares no code with the search, against which it is compared.
 */
export function isLinearizableByBruteForce(operations: readonly HistoryOperation[]): boolean {
  const answered = operations.filter(({ outcome }) => outcome.kind === "ok");
  const unanswered = operations.filter(
    ({ outcome, operation }) => outcome.kind === "unknown" && operation.kind !== "get",
  );
  for (let subset = 0; subset < 2 ** unanswered.length; subset++) {
    const chosen = unanswered.filter((_, index) => (subset >> index) % 2 === 1);
    if (someOrder([], [...answered, ...chosen])) return true;
  }
  return false;
}

function someOrder(order: readonly HistoryOperation[], rest: readonly HistoryOperation[]): boolean {
  if (rest.length === 0) return explains(order);
  return rest.some((candidate) => {
    const others = rest.filter((operation) => operation !== candidate);
    const comesTooEarly = others.some((operation) => operation.ret < candidate.call);
    return !comesTooEarly && someOrder([...order, candidate], others);
  });
}

/** Whether replaying `order` on one variable gives every answer. Unanswered conditions may turn out either way. */
function explains(order: readonly HistoryOperation[]): boolean {
  return replay(order, { writes: [], differs: [] });
}

interface Replay {
  readonly writes: readonly Written[];
  /** Pairs that must differ: a write and the version that a failed precondition named. */
  readonly differs: readonly { readonly write: Written; readonly version: number }[];
}

function replay(order: readonly HistoryOperation[], { writes, differs }: Replay): boolean {
  const [first, ...rest] = order;
  if (first === undefined) return versionsExist(writes, differs);
  const current = writes.at(-1);
  const { operation, outcome } = first;
  const result = outcome.kind === "ok" ? outcome.result : undefined;
  const goOn = (next: Written[], nextDiffers: Replay["differs"] = differs): boolean =>
    replay(rest, { writes: [...writes, ...next], differs: nextDiffers });
  const value = current?.value ?? null;
  if ("version" in operation) {
    if (result?.kind !== "preconditionFailed" && value !== null && current !== undefined) {
      if (withVersion(current, operation.version, () => answers(operation, value, result, goOn))) return true;
    }
    if (result !== undefined && result.kind !== "preconditionFailed") return false;
    if (value === null || current === undefined) return goOn([]);
    return goOn([], [...differs, { write: current, version: operation.version }]);
  }
  if (operation.kind !== "get") return answers(operation, value, result, goOn);
  if (result?.kind === "absent") return value === null && goOn([]);
  if (result?.kind !== "value" || value !== result.value || current === undefined) return false;
  return withVersion(current, result.version, () => goOn([]));
}

/** Runs `test` with the write's version fixed, if it can be. */
function withVersion(write: Written, version: number, test: () => boolean): boolean {
  if (write.version !== undefined) return write.version === version && test();
  write.version = version;
  const passed = test();
  write.version = undefined;
  return passed;
}

function answers(
  operation: RegisterOperation,
  value: string | null,
  result: RegisterResult | undefined,
  goOn: (next: Written[]) => boolean,
): boolean {
  switch (operation.kind) {
    case "get":
      return false;
    case "put":
    case "putIfVersion":
      return (
        (result === undefined || result.kind === "written") &&
        goOn([{ value: operation.value, version: result?.version }])
      );
    case "putIfAbsent":
      if (value !== null) return (result === undefined || result.kind === "preconditionFailed") && goOn([]);
      return (
        (result === undefined || result.kind === "written") &&
        goOn([{ value: operation.value, version: result?.version }])
      );
    case "delete":
    case "deleteIfVersion":
      if (result !== undefined && (result.kind !== "deleted" || result.existed !== (value !== null))) return false;
      return goOn(value === null ? [] : [{ value: null, version: result?.version }]);
    case "increment": {
      const isInteger = value === null || /^-?\d+$/.test(value);
      if (!isInteger) return (result === undefined || result.kind === "notAnInteger") && goOn([]);
      const sum = Number(value ?? 0) + operation.by;
      if (result !== undefined && (result.kind !== "incremented" || result.value !== sum)) return false;
      return goOn([{ value: String(sum), version: result?.version }]);
    }
    default:
      return unreachable(operation);
  }
}

/** Whether the versions still open can be chosen (from the rationals) so that all rise and no forbidden equality holds. */
function versionsExist(writes: readonly Written[], differs: Replay["differs"]): boolean {
  let highest = 0;
  for (const { version } of writes) {
    if (version === undefined) continue;
    if (version <= highest) return false;
    highest = version;
  }
  return differs.every(({ write, version }) => write.version !== version);
}
