import type { Result } from "../../model/operation.ts";
import { type Argument, INT64_MAX, INT64_MIN, integerOf, keyOf, textOf, valueOf } from "../argument.ts";
import { CommandError } from "../command-error.ts";
import { type Command, ONE_KEY, type Plan } from "../command.ts";
import type { ReplyWriter } from "../reply-writer.ts";

const OFFSET_MAX = 0xffff_ffffn;
const WRITE = ["write", "denyoom", "fast"];

/** Commands that change a part of a value, or read one. */
export const EDIT_COMMANDS: readonly Command[] = [
  { name: "incr", arity: 2, keys: ONE_KEY, flags: WRITE, plan: (words) => increment(words[1], 1n) },
  { name: "decr", arity: 2, keys: ONE_KEY, flags: WRITE, plan: (words) => increment(words[1], -1n) },
  { name: "incrby", arity: 3, keys: ONE_KEY, flags: WRITE, plan: ([, key, by]) => increment(key, integerOf(by)) },
  { name: "decrby", arity: 3, keys: ONE_KEY, flags: WRITE, plan: planDecrement },
  { name: "incrbyfloat", arity: 3, keys: ONE_KEY, flags: WRITE, plan: planIncrementFloat },
  {
    name: "append",
    arity: 3,
    keys: ONE_KEY,
    flags: WRITE,
    plan: ([, key, value]) => ({
      kind: "one",
      operation: { kind: "append", key: keyOf(key), value: valueOf(value) },
      render: renderLength,
    }),
  },
  { name: "setrange", arity: 4, keys: ONE_KEY, flags: ["write", "denyoom"], plan: planSetRange },
  {
    name: "strlen",
    arity: 2,
    keys: ONE_KEY,
    flags: ["readonly", "fast"],
    plan: ([, key]) => ({ kind: "one", operation: { kind: "describe", key: keyOf(key) }, render: renderLength }),
  },
  { name: "getrange", arity: 4, keys: ONE_KEY, flags: ["readonly"], plan: planGetRange },
  { name: "substr", arity: 4, keys: ONE_KEY, flags: ["readonly"], plan: planGetRange },
];

function increment(key: Argument | undefined, by: bigint): Plan {
  return { kind: "one", operation: { kind: "increment", key: keyOf(key), by }, render: renderInteger };
}

function planDecrement([, key, by]: readonly Argument[]): Plan {
  const value = integerOf(by);
  if (value === INT64_MIN) throw new CommandError("ERR decrement would overflow");
  return increment(key, -value);
}

function planIncrementFloat([, key, by]: readonly Argument[]): Plan {
  const text = textOf(by);
  // Longer than any number that Redis would read: the shard need not see it.
  if (text.length > FLOAT_TEXT_MAX) throw new CommandError("ERR value is not a valid float");
  return {
    kind: "one",
    operation: { kind: "incrementFloat", key: keyOf(key), by: text },
    render: (result, out) => {
      if (result.kind === "incrementedFloat") out.bulk(result.text);
      else out.null();
    },
  };
}

const FLOAT_TEXT_MAX = 5 * 1024;

function planSetRange([, key, offset, value]: readonly Argument[]): Plan {
  const at = integerOf(offset);
  if (at < 0n) throw new CommandError("ERR offset is out of range");
  return {
    kind: "one",
    operation: {
      kind: "setRange",
      key: keyOf(key),
      offset: Number(at > OFFSET_MAX ? OFFSET_MAX : at),
      value: valueOf(value),
    },
    render: renderLength,
  };
}

function planGetRange([, key, first, last]: readonly Argument[]): Plan {
  const start = integerOf(first);
  const end = integerOf(last);
  return {
    kind: "one",
    operation: { kind: "get", key: keyOf(key) },
    render: (result, out) => out.bulk(result.kind === "value" ? rangeOf(result.record.value, start, end) : ""),
  };
}

/** Positions count from the end when negative; both are included. */
function rangeOf(value: Buffer, first: bigint, last: bigint): Buffer {
  const length = BigInt(value.length);
  if (first < 0n && last < 0n && first > last) return value.subarray(0, 0);
  const start = clamp(first < 0n ? length + first : first, length);
  const end = clamp((last < 0n ? clamp(length + last, INT64_MAX) : last) + 1n, length);
  return start >= end ? value.subarray(0, 0) : value.subarray(Number(start), Number(end));
}

function clamp(value: bigint, max: bigint): bigint {
  if (value < 0n) return 0n;
  return value > max ? max : value;
}

function renderInteger(result: Result, out: ReplyWriter): void {
  out.integer(result.kind === "incremented" ? result.value : 0);
}

function renderLength(result: Result, out: ReplyWriter): void {
  out.integer(result.kind === "resized" || result.kind === "described" ? result.length : 0);
}
