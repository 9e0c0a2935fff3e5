import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import { addLongDoubles, formatLongDouble, parseLongDouble } from "../model/long-double.ts";
import type {
  AppendOperation,
  Expiry,
  ExpiryCondition,
  IncrementFloatOperation,
  IncrementOperation,
  Result,
  SetRangeOperation,
} from "../model/operation.ts";
import type { Version } from "../model/position.ts";
import type { Record } from "../model/record.ts";

/** What an operation makes of one value: the new value (null: it stays as it is), and what to answer. */
export interface Edit {
  readonly value: Buffer | null;
  readonly result: Result;
}

export type EditOperation = IncrementOperation | IncrementFloatOperation | AppendOperation | SetRangeOperation;

const INTEGER_MAX = 2n ** 63n - 1n;
const INTEGER_MIN = -(2n ** 63n);
const NOTHING: Buffer = Buffer.alloc(0);

/** Computes the new value of a key from the present one. Pure; `version` is what a write now would give. */
export function editValue(operation: EditOperation, old: Record | null, version: Version): Edit {
  switch (operation.kind) {
    case "increment":
      return increment(operation, old, version);
    case "incrementFloat":
      return incrementFloat(operation, old, version);
    case "append": {
      const present = old?.value ?? NOTHING;
      const length = present.length + operation.value.length;
      return length > LIMITS.editedValueBytesMax
        ? tooLong(length)
        : resized(Buffer.concat([present, operation.value]), version);
    }
    case "setRange":
      return setRange(operation, old, version);
  }
}

/** When a row expires: 0 for never. */
export function expiryMsOf(expiry: Expiry, old: Record | null, nowMs: number): number {
  if (expiry.kind === "none") return 0;
  if (expiry.kind === "keep") return old?.expiryMs ?? 0;
  return expiry.kind === "at" ? expiry.ms : nowMs + expiry.ms;
}

/** Whether a key's present expiry (0: none, which is later than any) lets it become `nextMs`. */
export function mayChangeExpiry(condition: ExpiryCondition, presentMs: number, nextMs: number): boolean {
  if (condition === "absent") return presentMs === 0;
  if (condition === "present") return presentMs !== 0;
  if (condition === "greater") return presentMs !== 0 && nextMs > presentMs;
  if (condition === "presentAndLess") return presentMs !== 0 && nextMs < presentMs;
  if (condition === "less") return presentMs === 0 || nextMs < presentMs;
  return true;
}

function increment(operation: IncrementOperation, old: Record | null, version: Version): Edit {
  const present = old === null ? 0n : integerOf(old.value);
  if (present === null) return failed(new KvError("NOT_AN_INTEGER", "The stored value is not a 64-bit integer"));
  const value = present + operation.by;
  if (value > INTEGER_MAX || value < INTEGER_MIN) {
    return failed(new KvError("INTEGER_OVERFLOW", "The result would not fit into 64 bits"));
  }
  return { value: Buffer.from(value.toString()), result: { kind: "incremented", value, version } };
}

function incrementFloat(operation: IncrementFloatOperation, old: Record | null, version: Version): Edit {
  const present = parseLongDouble(old === null ? "0" : old.value.toString("latin1"));
  const by = parseLongDouble(operation.by);
  if (present === null || by === null) {
    return failed(new KvError("NOT_A_FLOAT", "The stored value, or the increment, is not a number"));
  }
  const sum = present === "infinite" || by === "infinite" ? null : addLongDoubles(present, by);
  if (sum === null) return failed(new KvError("FLOAT_OVERFLOW", "The result would not be a finite number"));
  const text = formatLongDouble(sum);
  return { value: Buffer.from(text), result: { kind: "incrementedFloat", text, version } };
}

function setRange(operation: SetRangeOperation, old: Record | null, version: Version): Edit {
  const present = old?.value ?? NOTHING;
  if (operation.value.length === 0) {
    const result: Result = { kind: "resized", length: present.length, version: old?.version ?? version };
    return { value: null, result };
  }
  const length = Math.max(present.length, operation.offset + operation.value.length);
  if (length > LIMITS.editedValueBytesMax) return tooLong(length);
  const value = Buffer.alloc(length);
  value.set(present);
  value.set(operation.value, operation.offset);
  return resized(value, version);
}

function resized(value: Buffer, version: Version): Edit {
  return { value, result: { kind: "resized", length: value.length, version } };
}

/** Worded as Redis does, which has the same limit elsewhere. */
function tooLong(length: number): Edit {
  const details = { length, limit: LIMITS.editedValueBytesMax };
  return failed(
    new KvError("VALUE_TOO_LARGE", "string exceeds maximum allowed size (proto-max-bulk-len)", { details }),
  );
}

function failed(error: KvError): Edit {
  return { value: null, result: { kind: "failed", error } };
}

/** A decimal 64-bit integer without sign `+`, leading zeros or spaces, as Redis takes it; null when it is none. */
function integerOf(value: Buffer): bigint | null {
  if (value.length === 0 || value.length > 20) return null;
  const text = value.toString("latin1");
  if (!/^(?:0|-?[1-9][0-9]*)$/.test(text)) return null;
  const integer = BigInt(text);
  return integer > INTEGER_MAX || integer < INTEGER_MIN ? null : integer;
}
