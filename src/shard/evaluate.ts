import { mutant } from "../base/mutants.ts";
import { SPACE, type Mutation } from "../model/entry.ts";
import { KvError } from "../model/errors.ts";
import type { Key } from "../model/key.ts";
import type {
  BatchOperation,
  Condition,
  DeleteOperation,
  Expiry,
  IncrementOperation,
  KeyOperation,
  Result,
  ScanOperation,
  SetOperation,
} from "../model/operation.ts";
import type { Sequence, Version } from "../model/position.ts";
import { isExpired, type Record } from "../model/record.ts";
import { AnswerBudget } from "./answer-budget.ts";
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

const INTEGER_MAX = 2n ** 63n - 1n;
const INTEGER_MIN = -(2n ** 63n);

/**
 * Evaluates one operation, once, into final values (D6). Nothing is changed; the caller appends the mutations in the same
 * synchronous step, so that nothing can come between reading and writing (rule S8).
 *
 * An expired row that is met is deleted by a mutation of its own: what a client has seen gone stays gone.
 */
export function evaluate(operation: KeyOperation | BatchOperation | ScanOperation, state: EvaluationState): Evaluation {
  const evaluator = new Evaluator(state);
  if (operation.kind === "scan") return evaluator.scan(operation);
  return evaluator.finish(operation.kind === "batch" ? evaluator.batch(operation) : evaluator.one(operation));
}

/** Evaluates operations in order, each against the effects of those before it. */
class Evaluator {
  readonly #state: EvaluationState;
  /** Rows changed so far by this request: the last change of a row is the one that counts. */
  readonly #changes = new Map<Key, Mutation>();
  #saw: Sequence = 0;

  constructor(state: EvaluationState) {
    this.#state = state;
  }

  one(operation: KeyOperation): Result {
    const old = this.#live(operation.key);
    switch (operation.kind) {
      case "get":
        return old === null ? { kind: "absent" } : { kind: "value", record: old };
      case "set":
        return this.#set(operation, old);
      case "delete":
        return this.#delete(operation, old);
      case "increment":
        return this.#increment(operation, old);
    }
  }

  /** One outcome for each operation: an operation that failed is never covered by the batch's success (M11). */
  batch(operation: BatchOperation): Result {
    const budget = new AnswerBudget();
    const results = operation.operations.map((one) => budget.admit(this.one(one)));
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
    const expiryMs = this.#expiryOf(operation.expiry, old);
    if (expiryMs !== 0 && expiryMs <= this.#state.nowMs) this.#changes.set(key, deletionOf(key));
    else this.#changes.set(key, { space: SPACE.user, key, value, expiryMs, contentType });
    const version = this.#state.nextVersion;
    return { kind: "written", version, created: old === null, old: operation.returnOld ? old : null };
  }

  #delete(operation: DeleteOperation, old: Record | null): Result {
    if (!holds(operation.condition, old)) return { kind: "not-met", old };
    if (old === null) return { kind: "absent" };
    this.#changes.set(operation.key, deletionOf(operation.key));
    return { kind: "deleted", version: this.#state.nextVersion };
  }

  #increment(operation: IncrementOperation, old: Record | null): Result {
    const present = old === null ? 0n : integerOf(old.value);
    if (present === null) {
      return { kind: "failed", error: new KvError("NOT_AN_INTEGER", "The stored value is not a 64-bit integer") };
    }
    const value = present + operation.by;
    if (value > INTEGER_MAX || value < INTEGER_MIN) {
      return { kind: "failed", error: new KvError("INTEGER_OVERFLOW", "The result would not fit into 64 bits") };
    }
    const { key } = operation;
    const { expiryMs, contentType } = old ?? { expiryMs: 0, contentType: "" };
    this.#changes.set(key, { space: SPACE.user, key, value: Buffer.from(value.toString()), expiryMs, contentType });
    return { kind: "incremented", value, version: this.#state.nextVersion };
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

  #expiryOf(expiry: Expiry, old: Record | null): number {
    if (expiry.kind === "none") return 0;
    if (expiry.kind === "keep") return old?.expiryMs ?? 0;
    return expiry.kind === "at" ? expiry.ms : this.#state.nowMs + expiry.ms;
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

/** A decimal 64-bit integer without sign `+`, leading zeros or spaces, as Redis takes it; null when it is none. */
function integerOf(value: Buffer): bigint | null {
  if (value.length === 0 || value.length > 20) return null;
  const text = value.toString("latin1");
  if (!/^(?:0|-?[1-9][0-9]*)$/.test(text)) return null;
  const integer = BigInt(text);
  return integer > INTEGER_MAX || integer < INTEGER_MIN ? null : integer;
}
