import { assert, unreachable } from "../../../src/base/assert.ts";
import type { SeededRandom } from "../../../src/base/random.ts";
import type { HistoryOperation, RegisterResult } from "./history.ts";

export type Anomaly = "staleRead" | "lostUpdate" | "dirtyRead";

interface AnsweredPut {
  readonly operation: HistoryOperation;
  readonly value: string;
  readonly version: number;
}

/**
 * Makes a linearizable one-key history wrong in exactly one answer, provably: by order of calls and returns alone, without asking
 * any checker. Returns undefined when the history has no place for it.
 */
export function plantAnomaly(
  history: readonly HistoryOperation[],
  anomaly: Anomaly,
  random: SeededRandom,
): HistoryOperation[] | undefined {
  switch (anomaly) {
    case "staleRead":
      return plantStaleRead(history, random);
    case "lostUpdate":
      return plantLostUpdate(history, random);
    case "dirtyRead":
      return plantDirtyRead(history, random);
    default:
      return unreachable(anomaly);
  }
}

/** A read returns the value of a put that another put had overwritten, with its answer, before the read was called. */
function plantStaleRead(history: readonly HistoryOperation[], random: SeededRandom): HistoryOperation[] | undefined {
  const puts = answeredPuts(history);
  const candidates: { read: HistoryOperation; stale: AnsweredPut }[] = [];
  for (const read of answeredGets(history)) {
    const before = puts.filter((put) => put.operation.ret < read.call);
    const stale = before.findLast((put) => before.some((later) => put.operation.ret < later.operation.call));
    if (stale !== undefined) candidates.push({ read, stale });
  }
  const chosen = candidates[random.below(candidates.length)];
  if (chosen === undefined) return undefined;
  const { value, version } = chosen.stale;
  return replaceResult(history, chosen.read, { kind: "value", value, version });
}

/** Two writers are both told that they replaced the same version. */
function plantLostUpdate(history: readonly HistoryOperation[], random: SeededRandom): HistoryOperation[] | undefined {
  const winners = history.filter(
    ({ operation, outcome }) =>
      operation.kind === "putIfVersion" && outcome.kind === "ok" && outcome.result.kind === "written",
  );
  const candidates: { loser: HistoryOperation; version: number }[] = [];
  for (const winner of winners) {
    for (const loser of history) {
      if (loser === winner || loser.operation.kind !== "putIfVersion" || loser.outcome.kind !== "ok") continue;
      if (winner.operation.kind !== "putIfVersion" || loser.operation.version !== winner.operation.version) continue;
      if (loser.outcome.result.kind !== "preconditionFailed") continue;
      candidates.push({ loser, version: winner.operation.version });
    }
  }
  const chosen = candidates[random.below(candidates.length)];
  if (chosen === undefined) return undefined;
  return replaceResult(history, chosen.loser, { kind: "written", version: chosen.version + 0.5 });
}

/** A read returns the value of an unanswered put that never took effect: a later read says what stood there before and after. */
function plantDirtyRead(history: readonly HistoryOperation[], random: SeededRandom): HistoryOperation[] | undefined {
  const gets = answeredGets(history);
  const unread = history.filter(
    ({ operation, outcome }) =>
      operation.kind === "put" && outcome.kind === "unknown" && !isRead(history, operation.value),
  );
  const candidates: { read: HistoryOperation; value: string; version: number }[] = [];
  for (const { operation, call } of unread) {
    if (operation.kind !== "put") continue;
    for (const read of gets.filter((get) => get.call > call)) {
      const earlier = gets.findLast((get) => get.ret < read.call && versionRead(get) !== undefined);
      const later = gets.find((get) => get.call > read.ret && versionRead(get) !== undefined);
      if (earlier === undefined || later === undefined) continue;
      const version = versionRead(earlier);
      if (version === undefined || version !== versionRead(later)) continue;
      candidates.push({ read, value: operation.value, version: version + 0.5 });
    }
  }
  const chosen = candidates[random.below(candidates.length)];
  if (chosen === undefined) return undefined;
  return replaceResult(history, chosen.read, { kind: "value", value: chosen.value, version: chosen.version });
}

function answeredPuts(history: readonly HistoryOperation[]): AnsweredPut[] {
  return history.flatMap((operation) => {
    const { outcome, operation: asked } = operation;
    if (asked.kind !== "put" || outcome.kind !== "ok" || outcome.result.kind !== "written") return [];
    return [{ operation, value: asked.value, version: outcome.result.version }];
  });
}

function answeredGets(history: readonly HistoryOperation[]): HistoryOperation[] {
  return history.filter(({ operation, outcome }) => operation.kind === "get" && outcome.kind === "ok");
}

function versionRead({ outcome }: HistoryOperation): number | undefined {
  return outcome.kind === "ok" && outcome.result.kind === "value" ? outcome.result.version : undefined;
}

function isRead(history: readonly HistoryOperation[], value: string): boolean {
  return history.some(
    ({ outcome }) => outcome.kind === "ok" && outcome.result.kind === "value" && outcome.result.value === value,
  );
}

function replaceResult(
  history: readonly HistoryOperation[],
  target: HistoryOperation,
  result: RegisterResult,
): HistoryOperation[] {
  assert(history.includes(target), "the operation to change is part of the history");
  return history.map((operation) =>
    operation === target ? { ...operation, outcome: { kind: "ok", result } } : operation,
  );
}
