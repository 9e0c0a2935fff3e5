import { mutant } from "../base/mutants.ts";
import { SPACE, type Mutation } from "../model/entry.ts";
import { KvError } from "../model/errors.ts";
import type { Key } from "../model/key.ts";
import { LIMITS } from "../model/limits.ts";
import type {
  BatchOperation,
  Condition,
  CopyOperation,
  DeleteOperation,
  ExpireOperation,
  KeyOperation,
  Result,
  ScanOperation,
  SetAllAbsentOperation,
  SetOperation,
} from "../model/operation.ts";
import type { Sequence, Version } from "../model/position.ts";
import { keyRowBytes } from "../model/operation-size.ts";
import { isExpired, type Record } from "../model/record.ts";
import { AnswerBudget } from "./answer-budget.ts";
import { describeRecord } from "./describe-record.ts";
import { type EditOperation, editValue, expiryMsOf, mayChangeExpiry } from "./edit-value.ts";
import { logicalIncrement } from "./planted-mistakes.ts";
import type { Seen, SeenPage } from "./shard-view.ts";

/** What an operation comes to: its result, the rows it changes, and the newest entry that the result depends on. */
export interface Evaluation {
  readonly result: Result;
  readonly mutations: readonly Mutation[];
  readonly saw: Sequence;
}

/** The state that an operation is evaluated against: everything appended so far (rule S8). */
export interface EvaluationState {
  get(key: Key): Seen;
  page(scan: ScanOperation, nowMs: number): SeenPage;
  /** On the leader's log clock. */
  readonly nowMs: number;
  /** Version that an entry appended now would give to what it writes. */
  readonly nextVersion: Version;
}

/**
 * Evaluates one operation, once, into final values (D6). Nothing is changed; the caller appends the mutations in the same
 * synchronous step, so that nothing can come between reading and writing (rule S8).
 *
 * An expired row that is met is deleted by a mutation of its own: what a client has seen gone stays gone.
 */
export function evaluate(operation: KeyOperation | BatchOperation | ScanOperation, state: EvaluationState): Evaluation {
  const usual = evaluateUsual(operation, state);
  if (usual !== null) return usual;
  const evaluator = new Evaluator(state);
  if (operation.kind === "scan") return evaluator.scan(operation);
  return evaluator.finish(operation.kind === "batch" ? evaluator.batch(operation) : evaluator.one(operation));
}

const NO_MUTATIONS: readonly Mutation[] = [];
const ABSENT: Result = { kind: "absent" };
/** Smaller values fit an entry whatever stands around them. */
const USUAL_BYTES_MAX = 65_536;

/**
 * The usual requests, a get and a set of a row that has not expired, without what the others need: most of what a server
 * does. Null for everything else. The evaluator comes to the same (test).
 */
function evaluateUsual(
  operation: KeyOperation | BatchOperation | ScanOperation,
  state: EvaluationState,
): Evaluation | null {
  const { kind } = operation;
  if (kind !== "get" && kind !== "set") return null;
  if (kind === "set" && isBlind(operation) && operation.value.length <= USUAL_BYTES_MAX) {
    return evaluateBlind(operation, state);
  }
  const { record, sequence } = state.get(operation.key);
  if (record !== null && isExpired(record, state.nowMs)) return null;
  if (kind === "get") {
    const result: Result = record === null ? ABSENT : { kind: "value", record };
    return { result, mutations: NO_MUTATIONS, saw: sequence };
  }
  const { key, value, contentType, condition, returnOld } = operation;
  if (operation.expiry.kind !== "none" || value.length > USUAL_BYTES_MAX) return null;
  if (!holds(condition, record)) {
    return { result: { kind: "not-met", old: record }, mutations: NO_MUTATIONS, saw: sequence };
  }
  const version = state.nextVersion;
  const result: Result = { kind: "written", version, created: record === null, old: returnOld ? record : null };
  return { result, mutations: [{ space: SPACE.user, key, value, expiryMs: 0, contentType }], saw: sequence };
}

function evaluateBlind({ key, value, contentType }: SetOperation, state: EvaluationState): Evaluation {
  const result: Result = { kind: "written", version: state.nextVersion, created: false, old: null };
  return { result, mutations: [{ space: SPACE.user, key, value, expiryMs: 0, contentType }], saw: 0 };
}

/** Whether nothing of what is there matters, to the effect or to the answer. */
function isBlind(operation: KeyOperation): boolean {
  if (operation.kind !== "set" || operation.isBlind !== true) return false;
  return operation.condition === null && operation.expiry.kind === "none" && !operation.returnOld;
}

/** Evaluates operations in order, each against the effects of those before it. */
class Evaluator {
  readonly #state: EvaluationState;
  /** Rows changed so far by this request: the last change of a row is the one that counts. */
  readonly #changes = new Map<Key, Mutation>();
  #saw: Sequence = 0;
  /** What the entry takes: room for every key that was named, and the values of `#changes`. */
  #entryBytes = 0;

  constructor(state: EvaluationState) {
    this.#state = state;
  }

  one(operation: KeyOperation): Result {
    this.#entryBytes += keyRowBytes(operation);
    return this.#one(operation);
  }

  #one(operation: KeyOperation): Result {
    const old = isBlind(operation) ? null : this.#live(operation.key);
    switch (operation.kind) {
      case "get":
        return old === null ? { kind: "absent" } : { kind: "value", record: old };
      case "describe":
        return old === null ? { kind: "absent" } : describeRecord(old);
      case "set":
        return this.#set(operation, old);
      case "delete":
        return this.#delete(operation, old);
      case "expire":
        return this.#expire(operation, old);
      case "copy":
        return this.#copy(operation, old);
      case "setAllAbsent":
        return this.#setAllAbsent(operation, old);
      case "increment":
      case "incrementFloat":
      case "append":
      case "setRange":
        return this.#edit(operation, old);
    }
  }

  /** One outcome for each operation: an operation that failed is never covered by the batch's success (M11). */
  batch(operation: BatchOperation): Result {
    const isGuarded = operation.guards?.every(({ key, condition }) => holds(condition, this.#live(key))) ?? true;
    if (!isGuarded) return { kind: "not-met", old: null };
    for (const one of operation.operations) this.#entryBytes += keyRowBytes(one);
    for (const { key } of operation.guards ?? []) this.#entryBytes += keyRowBytes({ kind: "get", key });
    const budget = new AnswerBudget();
    const results = operation.operations.map((one) => budget.admit(this.#one(one)));
    if (!mutant("M11")) return { kind: "batch", results };
    const ok: Result = { kind: "written", version: this.#state.nextVersion, created: false, old: null };
    return {
      kind: "batch",
      results: results.map((one) => (one.kind === "failed" || one.kind === "not-met" ? ok : one)),
    };
  }

  scan(operation: ScanOperation): Evaluation {
    const page = this.#state.page(operation, this.#state.nowMs);
    const mutations = page.expired.map(deletionOf);
    return { result: { kind: "page", items: page.items, resume: page.resume }, mutations, saw: page.sequence };
  }

  finish(result: Result): Evaluation {
    return { result, mutations: [...this.#changes.values()], saw: this.#saw };
  }

  #set(operation: SetOperation, old: Record | null): Result {
    if (!holds(operation.condition, old)) return { kind: "not-met", old };
    const { key, value, contentType } = operation;
    const refused = this.#put(key, {
      value,
      contentType,
      expiryMs: expiryMsOf(operation.expiry, old, this.#state.nowMs),
    });
    if (refused !== null) return refused;
    const version = this.#state.nextVersion;
    const created = old === null && !isBlind(operation);
    return { kind: "written", version, created, old: operation.returnOld ? old : null };
  }

  #delete(operation: DeleteOperation, old: Record | null): Result {
    if (!holds(operation.condition, old)) return { kind: "not-met", old };
    if (old === null) return { kind: "absent" };
    this.#remove(operation.key);
    return { kind: "deleted", version: this.#state.nextVersion };
  }

  #edit(operation: EditOperation, old: Record | null): Result {
    const { value, result } = editValue(operation, old, this.#state.nextVersion);
    if (value === null) return result;
    const { expiryMs, contentType } = old ?? { expiryMs: 0, contentType: "" };
    const isLogical = mutant("M58") && operation.kind === "increment";
    const stored = { value, expiryMs, contentType: isLogical ? logicalIncrement(operation.by) : contentType };
    return this.#put(operation.key, stored) ?? result;
  }

  #expire(operation: ExpireOperation, old: Record | null): Result {
    if (old === null) return { kind: "absent" };
    const { nowMs, nextVersion } = this.#state;
    const expiryMs = expiryMsOf(operation.expiry, old, nowMs);
    if (!mayChangeExpiry(operation.condition, old.expiryMs, expiryMs)) return { kind: "not-met", old: null };
    // 0 stands for "never" in a row, but it is also a time, long past.
    if (operation.expiry.kind !== "none" && expiryMs <= nowMs) this.#remove(operation.key);
    else {
      const refused = this.#put(operation.key, { value: old.value, expiryMs, contentType: old.contentType });
      if (refused !== null) return refused;
    }
    return { kind: "written", version: nextVersion, created: false, old: null };
  }

  #copy(operation: CopyOperation, old: Record | null): Result {
    const { key, to } = operation;
    const there = this.#live(to);
    if (old === null) return { kind: "absent" };
    if (there !== null && !operation.replace) return { kind: "not-met", old: null };
    const { nextVersion } = this.#state;
    if (key !== to) {
      const refused = this.#put(to, { value: old.value, expiryMs: old.expiryMs, contentType: old.contentType });
      if (refused !== null) return refused;
      if (operation.isMove) this.#remove(key);
    }
    return { kind: "written", version: nextVersion, created: there === null, old: null };
  }

  #setAllAbsent(operation: SetAllAbsentOperation, old: Record | null): Result {
    const rows = [{ key: operation.key, value: operation.value }, ...operation.more];
    let isAnyThere = old !== null;
    for (const { key } of operation.more) if (this.#live(key) !== null) isAnyThere = true;
    if (isAnyThere) return { kind: "not-met", old: null };
    const bytes = rows.reduce((sum, { value }) => sum + value.length, 0);
    if (this.#entryBytes + bytes > LIMITS.entryPayloadBytesMax) return tooMuch();
    for (const { key, value } of rows) this.#put(key, { value, expiryMs: 0, contentType: "" });
    return { kind: "written", version: this.#state.nextVersion, created: true, old: null };
  }

  /** Changes one row, or removes it when its expiry has passed already. Not null: refused, and nothing is changed. */
  #put(
    key: Key,
    row: { readonly value: Buffer; readonly expiryMs: number; readonly contentType: string },
  ): Result | null {
    if (row.expiryMs !== 0 && row.expiryMs <= this.#state.nowMs) {
      this.#remove(key);
      return null;
    }
    const bytes = this.#entryBytes - this.#valueBytesOf(key) + row.value.length + row.contentType.length;
    if (bytes > LIMITS.entryPayloadBytesMax) return tooMuch();
    this.#entryBytes = bytes;
    this.#changes.set(key, { space: SPACE.user, key, ...row });
    return null;
  }

  /** Removes a row that is there. One that this request put there itself may not be in the shard: a delete does no harm. */
  #remove(key: Key): void {
    this.#entryBytes -= this.#valueBytesOf(key);
    this.#changes.set(key, deletionOf(key));
  }

  #valueBytesOf(key: Key): number {
    const change = this.#changes.get(key);
    return change === undefined || change.value === null ? 0 : change.value.length + change.contentType.length;
  }

  /** The row as it is for this request, expiry applied. */
  #live(key: Key): Record | null {
    const changed = this.#changes.get(key);
    if (changed !== undefined) {
      if (changed.value === null) return null;
      const { value, expiryMs, contentType } = changed;
      return { value, version: this.#state.nextVersion, expiryMs, contentType };
    }
    const seen = this.#state.get(key);
    if (seen.sequence > this.#saw) this.#saw = seen.sequence;
    if (seen.record === null || !isExpired(seen.record, this.#state.nowMs)) return seen.record;
    this.#changes.set(key, deletionOf(key));
    return null;
  }
}

function deletionOf(key: Key): Mutation {
  return { space: SPACE.user, key, value: null, expiryMs: 0, contentType: "" };
}

function holds(condition: Condition | null, old: Record | null): boolean {
  if (condition === null) return true;
  if (condition.kind === "absent") return old === null;
  if (condition.kind === "present") return old !== null;
  return old !== null && old.version === condition.version;
}

function tooMuch(): Result {
  const message = `One request may write ${LIMITS.entryPayloadBytesMax} bytes of keys and values`;
  return { kind: "failed", error: new KvError("VALUE_TOO_LARGE", message) };
}
