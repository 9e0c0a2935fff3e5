import type { KvError } from "./errors.ts";
import type { Key } from "./key.ts";
import type { NodeName, Sequence, Epoch, Version } from "./position.ts";
import type { Record } from "./record.ts";

/** What must be true of a key for a write to happen. */
export type Condition =
  | { readonly kind: "absent" }
  | { readonly kind: "present" }
  | { readonly kind: "version"; readonly version: Version };

/** What a write does to a key's expiry. Times are log-clock milliseconds; relative ones count from the leader's now. */
export type Expiry =
  | { readonly kind: "none" }
  | { readonly kind: "keep" }
  | { readonly kind: "after"; readonly ms: number }
  | { readonly kind: "at"; readonly ms: number };

export interface GetOperation {
  readonly kind: "get";
  readonly key: Key;
}

export interface SetOperation {
  readonly kind: "set";
  readonly key: Key;
  readonly value: Buffer;
  readonly contentType: string;
  readonly expiry: Expiry;
  readonly condition: Condition | null;
  /** Whether the answer carries the record that was there before. */
  readonly returnOld: boolean;
  /**
   * The asker does not care whether the key was there. A blind set without condition and expiry reads nothing, so that it also
   * replaces a damaged row, and its answer says `created: false`.
   */
  readonly isBlind?: true;
}

export interface DeleteOperation {
  readonly kind: "delete";
  readonly key: Key;
  readonly condition: Condition | null;
}

/** Adds `by` to a decimal 64-bit integer; an absent key counts as 0. Expiry and content type are kept. */
export interface IncrementOperation {
  readonly kind: "increment";
  readonly key: Key;
  readonly by: bigint;
}

/** Asks how large a value is, its version and its expiry, without the value itself. */
export interface DescribeOperation {
  readonly kind: "describe";
  readonly key: Key;
}

/**
 * Which expiry of a key may be changed: any; none; one that is there; one than which the new one is later; one than which the
 * new one is earlier, where having none is later than everything.
 */
export type ExpiryCondition = "always" | "absent" | "present" | "greater" | "less" | "presentAndLess";

/** Changes only when a key expires. An expiry that has passed removes the key. */
export interface ExpireOperation {
  readonly kind: "expire";
  readonly key: Key;
  readonly expiry: Exclude<Expiry, { readonly kind: "keep" }>;
  readonly condition: ExpiryCondition;
}

/** Adds `value` behind what is there. The result is bounded by `LIMITS.editedValueBytesMax`. */
export interface AppendOperation {
  readonly kind: "append";
  readonly key: Key;
  readonly value: Buffer;
}

/** Writes `value` from byte `offset` on, with zeros before it where the present value is shorter. Bounded like an append. */
export interface SetRangeOperation {
  readonly kind: "setRange";
  readonly key: Key;
  readonly offset: number;
  readonly value: Buffer;
}

/** Adds `by`, a decimal text, to a number, in 80-bit floating point; an absent key counts as 0. */
export interface IncrementFloatOperation {
  readonly kind: "incrementFloat";
  readonly key: Key;
  readonly by: string;
}

/** Copies value and expiry of `key` to `to`, a key of the same shard, and removes `key` when `isMove`. */
export interface CopyOperation {
  readonly kind: "copy";
  readonly key: Key;
  readonly to: Key;
  readonly replace: boolean;
  readonly isMove: boolean;
}

export interface KeyAndValue {
  readonly key: Key;
  readonly value: Buffer;
}

/** Sets `key`, and every one of `more` (keys of the same shard), if none of them is there. */
export interface SetAllAbsentOperation {
  readonly kind: "setAllAbsent";
  readonly key: Key;
  readonly value: Buffer;
  readonly more: readonly KeyAndValue[];
}

/** An operation on one key; a few name further keys of the same shard. */
export type KeyOperation =
  | GetOperation
  | SetOperation
  | DeleteOperation
  | IncrementOperation
  | DescribeOperation
  | ExpireOperation
  | AppendOperation
  | SetRangeOperation
  | IncrementFloatOperation
  | CopyOperation
  | SetAllAbsentOperation;

/** What must be true of a key for a batch to happen at all. */
export interface Guard {
  readonly key: Key;
  readonly condition: Condition;
}

/** Operations on one shard, in order, atomic: one entry. Each sees the effects of those before it. */
export interface BatchOperation {
  readonly kind: "batch";
  readonly operations: readonly KeyOperation[];
  /** When one of them does not hold, nothing is done, and the result is "not-met". */
  readonly guards?: readonly Guard[];
}

/** One page of a shard's keys in byte order. `start` is included, `end` is not; empty strings mean "no bound". */
export interface ScanOperation {
  readonly kind: "scan";
  readonly start: string;
  readonly end: string;
  readonly reverse: boolean;
  readonly keysOnly: boolean;
  readonly rowsMax: number;
  readonly bytesMax: number;
}

/** Removes every user key of the shard. */
export interface ClearOperation {
  readonly kind: "clear";
}

/** What a client asks of one shard. Evaluated once, by the leader, into mutations. */
export type Operation = KeyOperation | BatchOperation | ScanOperation | ClearOperation;

/**
 * `linearizable` is answered by the leader under its lease; `strict` by the leader, which asks its replicas anew instead of
 * trusting a clock; `eventual` by any member, from committed data only (§2.13).
 */
export type Consistency = "linearizable" | "strict" | "eventual";

/** How the asker wants it done. What is not given is left out: most requests give nothing. */
export interface RequestOptions {
  readonly consistency: Consistency;
  /** `null`: what the cluster's `replication` says (rule K4). */
  readonly durability: "async" | "in-sync" | null;
  /** What the asker has seen: an answer of that shard has seen it as well, or there is none. */
  readonly seen?: SeenPosition;
  /** An `eventual` answer shows everything that was committed so many milliseconds ago (rule R8). */
  readonly maxLagMs?: number;
  /** 1 to 64 printable ASCII characters: the operation's effect happens once, however often it is asked for (rule U2). */
  readonly requestId?: string;
}

export const DEFAULT_OPTIONS: RequestOptions = { consistency: "linearizable", durability: null };

export interface ScanItem {
  readonly key: Key;
  /** Absent (null) when only keys were asked for. */
  readonly value: Buffer | null;
  readonly version: Version;
  readonly expiryMs: number;
  readonly contentType: string;
}

/** What an operation came to. A failed condition is a result, not an error: nothing went wrong. */
export type Result =
  | { readonly kind: "value"; readonly record: Record }
  | { readonly kind: "absent" }
  | { readonly kind: "written"; readonly version: Version; readonly created: boolean; readonly old: Record | null }
  | { readonly kind: "deleted"; readonly version: Version }
  | { readonly kind: "incremented"; readonly value: bigint; readonly version: Version }
  | { readonly kind: "described"; readonly length: number; readonly version: Version; readonly expiryMs: number }
  /** How long the value is after an append or a write into it. */
  | { readonly kind: "resized"; readonly length: number; readonly version: Version }
  | { readonly kind: "incrementedFloat"; readonly text: string; readonly version: Version }
  /** The condition did not hold; `old` is what is there instead, when there is something. */
  | { readonly kind: "not-met"; readonly old: Record | null }
  | { readonly kind: "cleared" }
  | { readonly kind: "batch"; readonly results: readonly Result[] }
  /** `resume` is the last key examined when the range goes on behind it; null when the range is at its end. */
  | { readonly kind: "page"; readonly items: readonly ScanItem[]; readonly resume: Key | null }
  /** Definite failure of one operation (in a batch: of that one alone), such as NOT_AN_INTEGER. */
  | { readonly kind: "failed"; readonly error: KvError };

export type Role = "leader" | "replica";

/** Who answered, and how far behind it may be. */
export interface Answerer {
  readonly shard: string;
  readonly node: NodeName;
  readonly role: Role;
  /** Milliseconds that the answer may be behind the leader; 0 from a leader. */
  readonly lagMs: number;
}

/** Where in the shard's log an answer stands: what it wrote, or what it saw. */
export interface Position {
  /** The leadership that the entry at `sequence` belongs to, and how many promotions before it may have lost data. */
  readonly epoch: Epoch;
  readonly lineage: number;
  readonly sequence: Sequence;
}

/** A position, and whose it is. */
export interface SeenPosition extends Position {
  readonly shard: string;
}

/** One answer to one request: exactly one of `result` and `error` is set. */
export type Reply =
  | { readonly ok: true; readonly result: Result; readonly answerer: Answerer; readonly position: Position }
  | { readonly ok: false; readonly error: KvError };

/** Called exactly once. A callback, not a promise: a promise per request costs a third of the hot path. */
export type ReplyCallback = (reply: Reply) => void;
