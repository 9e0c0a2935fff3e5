import type { HistoryOperation, LogPosition, RegisterResult } from "./history.ts";
import type { CertainOperation, KeyHistory } from "./key-history.ts";
import { writtenValue } from "./history.ts";
import { partitionByKey, prepareKeyHistory } from "./key-history.ts";
import { ANYTHING, EMPTY, stateKey, stepAnswered } from "./register-model.ts";
import { renderTimeline } from "./render-timeline.ts";
import type { RegisterState } from "./register-model.ts";

/** An answer that contradicts the order of its shard's log. */
export interface LogOrderViolation {
  readonly operation: HistoryOperation;
  readonly reason: string;
}

export interface LogOrderVerdict {
  readonly violations: readonly LogOrderViolation[];
  /** How many answers carried a position and were checked; the caller decides how few are too few. */
  readonly checkedCount: number;
}

interface PlacedOperation {
  readonly operation: HistoryOperation;
  readonly position: LogPosition;
}

/**
 * The cheap second checker, linear but for the sort: the answers of one shard, sorted by the log positions they carry, must be
 * a legal sequential history (version by version) in which nothing comes after what was called only after it had returned.
 *
 * It checks across the keys of a shard too, which the search per key does not. Where an operation without an answer could explain a
 * mismatch it accepts one: it never accuses wrongly, the search decides such cases. Pass the history of one shard.
 */
export function checkLogOrder(history: readonly HistoryOperation[]): LogOrderVerdict {
  const placed: PlacedOperation[] = [];
  for (const operation of history) {
    if (operation.outcome.kind !== "ok" || operation.outcome.position === undefined) continue;
    placed.push({ operation, position: operation.outcome.position });
  }
  placed.sort(comparePlaced);
  const violations = [
    ...findSharedPositions(placed),
    ...findRealTimeBreaches(placed.filter(({ operation }) => changed(operation))),
    ...[...groupByKey(placed.filter(standsForItself)).values()].flatMap(findRealTimeBreaches),
    ...findIllegalAnswers(placed, history),
  ];
  return { violations, checkedCount: placed.length };
}

function comparePlaced(a: PlacedOperation, b: PlacedOperation): number {
  return (
    a.position.epoch - b.position.epoch ||
    a.position.sequence - b.position.sequence ||
    Number(changed(b.operation)) - Number(changed(a.operation)) ||
    a.operation.call - b.operation.call
  );
}

/** Whether the answer says that the operation itself wrote an entry. */
function changed({ outcome }: HistoryOperation): boolean {
  if (outcome.kind !== "ok") return false;
  const { result } = outcome;
  return result.kind === "written" || result.kind === "incremented" || (result.kind === "deleted" && result.existed);
}

/** Rule G2: every request has an entry of its own. */
function findSharedPositions(placed: readonly PlacedOperation[]): LogOrderViolation[] {
  const violations: LogOrderViolation[] = [];
  for (const [index, { operation, position }] of placed.entries()) {
    const previous = placed[index - 1];
    if (previous === undefined || !changed(operation) || !changed(previous.operation)) continue;
    if (previous.position.epoch !== position.epoch || previous.position.sequence !== position.sequence) continue;
    if (operation.request !== undefined && operation.request === previous.operation.request) continue;
    const at = `${position.epoch}/${position.sequence}`;
    violations.push({ operation, reason: `#${previous.operation.id} and #${operation.id} were both written at ${at}` });
  }
  return violations;
}

/** A read that is part of a larger request stands at the entry which that request wrote, not where it read. */
function standsForItself({ operation }: PlacedOperation): boolean {
  return changed(operation) || operation.request === undefined;
}

function groupByKey(placed: readonly PlacedOperation[]): Map<string, PlacedOperation[]> {
  const groups = new Map<string, PlacedOperation[]>();
  for (const one of placed) {
    const group = groups.get(one.operation.key);
    if (group === undefined) groups.set(one.operation.key, [one]);
    else group.push(one);
  }
  return groups;
}

/** Writes of a shard against each other, and all answers of one key: a read of another key may stand further back. */
function findRealTimeBreaches(placed: readonly PlacedOperation[]): LogOrderViolation[] {
  const violations: LogOrderViolation[] = [];
  let latest: HistoryOperation | undefined;
  for (const { operation } of placed) {
    if (latest !== undefined && operation.ret < latest.call) {
      const pair = renderTimeline([operation, latest], new Set([operation.id]));
      const reason = `#${operation.id} had returned before #${latest.id} was called, yet stands behind it in the log\n${pair}`;
      violations.push({ operation, reason });
    }
    if (latest === undefined || operation.call > latest.call) latest = operation;
  }
  return violations;
}

function findIllegalAnswers(
  placed: readonly PlacedOperation[],
  history: readonly HistoryOperation[],
): LogOrderViolation[] {
  const keys = new Map<string, KeyReplay>();
  for (const [key, operations] of partitionByKey(history)) keys.set(key, new KeyReplay(operations));
  const ceilings = versionCeilings(placed);
  const violations: LogOrderViolation[] = [];
  for (const [index, { operation, position }] of placed.entries()) {
    const replay = keys.get(operation.key);
    if (replay === undefined || replay.accepts(operation, ceilings[index] ?? Infinity)) continue;
    const at = `${position.epoch}/${position.sequence}`;
    const timeline = renderTimeline(partitionByKey(history).get(operation.key) ?? [], new Set([operation.id]));
    const reason = `The answer of #${operation.id} is impossible at its position ${at}\n${timeline}`;
    violations.push({ operation, reason });
  }
  return violations;
}

/**
 * For each answer, a version that nothing before it can have passed: the lowest that an answer of its key names from there on, and
 * where the epoch's versions keep a fixed distance from its sequences, the one that belongs to its own sequence.
 */
function versionCeilings(placed: readonly PlacedOperation[]): number[] {
  const distances = versionDistances(placed);
  const lowest = new Map<string, number>();
  const ceilings: number[] = [];
  for (const { operation, position } of placed.toReversed()) {
    const { key } = operation;
    const ceiling = Math.min(lowest.get(key) ?? Infinity, versionIn(operation) ?? Infinity);
    lowest.set(key, ceiling);
    ceilings.push(Math.min(ceiling, position.sequence + (distances.get(position.epoch) ?? Infinity)));
  }
  return ceilings.reverse();
}

/** By epoch: version minus sequence of its writes, where that is the same for all of them. */
function versionDistances(placed: readonly PlacedOperation[]): Map<number, number> {
  const distances = new Map<number, number>();
  for (const { operation, position } of placed) {
    const version = versionIn(operation);
    if (version === undefined || !changed(operation)) continue;
    const distance = version - position.sequence;
    const known = distances.get(position.epoch) ?? distance;
    distances.set(position.epoch, known === distance ? distance : Infinity);
  }
  return distances;
}

function versionIn({ outcome }: HistoryOperation): number | undefined {
  return outcome.kind === "ok" && "version" in outcome.result ? outcome.result.version : undefined;
}

/** One way in which the answers so far can have come about. */
interface Course {
  readonly state: RegisterState;
  /** How many of the writes that were read, and of those that nobody read, have taken effect. */
  readonly readCount: number;
  readonly unreadCount: number;
}

/**
 * Owns what one key can hold while its answers are replayed in the order of the log. Invariant: no course that explains all answers
 * so far is left out but those that differ by effects which nothing has asked for yet: those are made up for when something does.
 */
class KeyReplay {
  #courses: readonly Course[] = [{ state: EMPTY, readCount: 0, unreadCount: 0 }];
  /** Writes whose own answer is missing or has no position, but which were read: by version. */
  readonly #read: CertainOperation[];
  /** Times of call of writes without an answer that nobody read. */
  readonly #unread: number[];

  constructor(operations: readonly HistoryOperation[]) {
    const placed = new Set(
      operations.filter(({ outcome }) => outcome.kind === "ok" && outcome.position !== undefined).map(({ id }) => id),
    );
    const prepared: KeyHistory = prepareKeyHistory(operations);
    this.#read = prepared.certain.filter(({ id, result }) => !placed.has(id) && result.kind === "written");
    this.#read.sort((a, b) => versionOf(a) - versionOf(b));
    this.#unread = prepared.uncertain.flatMap((group) => group.calls).sort((a, b) => a - b);
  }

  /** Steps over `operation`; when it is impossible here, goes on from what it said, so that one defect is reported once. */
  accepts(operation: HistoryOperation, versionCeiling: number): boolean {
    const { outcome } = operation;
    if (outcome.kind !== "ok") return true;
    const answered = { operation, result: outcome.result };
    const next = new Map<string, Course>();
    for (const course of this.#courses) {
      for (const one of this.#coursesAfter(course, answered, versionCeiling)) {
        next.set(`${one.readCount}/${one.unreadCount}/${stateKey(one.state)}`, one);
      }
    }
    const explained = next.size > 0;
    this.#courses = explained
      ? [...next.values()]
      : this.#courses.slice(0, 1).map((course) => ({ ...course, state: believed(course.state, answered) }));
    return explained;
  }

  /** An answer that fits as it is needs no explanation; another one may be due to a write that was read, or to one that was not. */
  #coursesAfter(course: Course, answered: Answered, versionCeiling: number): Course[] {
    const state = stepAnswered(course.state, answered.operation.operation, answered.result);
    if (state !== undefined) return [{ ...course, state }];
    const courses = [this.#afterReads(course, answered, versionCeiling), this.#afterUnread(course, answered)];
    return courses.filter((one) => one !== undefined);
  }

  #afterReads(course: Course, { operation, result }: Answered, versionCeiling: number): Course | undefined {
    let { state, readCount } = course;
    for (;;) {
      const read: CertainOperation | undefined = this.#read[readCount++];
      if (read === undefined || read.call > operation.ret || versionOf(read) > versionCeiling) return undefined;
      state = applied(state, read) ?? state;
      const next: RegisterState | undefined = stepAnswered(state, operation.operation, result);
      if (next !== undefined) return { ...course, state: next, readCount };
    }
  }

  #afterUnread(course: Course, { operation, result }: Answered): Course | undefined {
    const call = this.#unread[course.unreadCount] ?? Infinity;
    const state = stepAnswered({ ...ANYTHING, floor: course.state.floor }, operation.operation, result);
    if (state === undefined || call >= operation.ret) return undefined;
    return { ...course, state, unreadCount: course.unreadCount + 1 };
  }
}

interface Answered {
  readonly operation: HistoryOperation;
  readonly result: RegisterResult;
}

/** The state after an answer that nothing explains, as far as it can be believed. */
function believed(state: RegisterState, { operation, result }: Answered): RegisterState {
  const open = { ...ANYTHING, floor: state.floor };
  return (
    stepAnswered(open, operation.operation, result) ?? stepAnswered(ANYTHING, operation.operation, result) ?? state
  );
}

/** The state after a write that is known to have taken effect by its version; what its condition saw is not checked. */
function applied(state: RegisterState, { operation, result }: CertainOperation): RegisterState | undefined {
  const value = writtenValue(operation);
  return value === undefined ? undefined : stepAnswered(state, { kind: "put", value }, result);
}

function versionOf({ result }: CertainOperation): number {
  return result.kind === "written" ? result.version : 0;
}
