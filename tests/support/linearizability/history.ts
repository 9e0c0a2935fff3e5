/**
 * What clients saw: the input of every consistency check.
 *
 * Times are logical: one counter for all clients, raised at every call and every return, so that
 * "returned before the other was called" is decided by order and never by clock resolution.
 */

/** One request against one key. Values of writes are unique per history, so that a read names its writer. */
export type RegisterOperation =
  | { readonly kind: "get" }
  | { readonly kind: "put"; readonly value: string }
  | { readonly kind: "putIfAbsent"; readonly value: string }
  | { readonly kind: "putIfVersion"; readonly value: string; readonly version: number }
  | { readonly kind: "delete" }
  | { readonly kind: "deleteIfVersion"; readonly version: number }
  | { readonly kind: "increment"; readonly by: number };

/** What an answered request said. A failed precondition is an answer: it read the key (rule R6). */
export type RegisterResult =
  | { readonly kind: "value"; readonly value: string; readonly version: number }
  | { readonly kind: "absent" }
  | { readonly kind: "written"; readonly version: number }
  | { readonly kind: "deleted"; readonly existed: boolean; readonly version?: number }
  | { readonly kind: "incremented"; readonly value: number; readonly version: number }
  | { readonly kind: "preconditionFailed" }
  | { readonly kind: "notAnInteger" };

/** Where in its shard's log an answer stands: a write at its own entry, a read behind the last entry it could see. */
export interface LogPosition {
  readonly epoch: number;
  readonly sequence: number;
}

/**
 * `ok`: took effect between call and return, with this result. `unknown`: may take effect at any time after the call, or
 * never (a broken connection included). `notApplied`: refused, must never be seen.
 */
export type Outcome =
  | { readonly kind: "ok"; readonly result: RegisterResult; readonly position?: LogPosition }
  | { readonly kind: "unknown" }
  | { readonly kind: "notApplied" };

/** One request of one client, finished or given up. */
export interface HistoryOperation {
  readonly id: number;
  readonly client: number;
  readonly key: string;
  readonly operation: RegisterOperation;
  readonly outcome: Outcome;
  /** Logical time of the call. */
  readonly call: number;
  /** Logical time of the answer; `Infinity` when none came. Meaningless unless the outcome is `ok`. */
  readonly ret: number;
  /** When it was called, in ms of the run's clock, for the reader of a failure. */
  readonly calledAtMs: number;
  readonly endedAtMs: number;
  /** The request that it was part of, when that had several operations: they share an entry of the log. */
  readonly request?: number;
}

/** The unique value that an operation would store, if it stores one of its own. */
export function writtenValue(operation: RegisterOperation): string | undefined {
  return "value" in operation ? operation.value : undefined;
}
