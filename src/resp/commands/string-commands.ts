import type { Clock } from "../../base/clock.ts";
import type { Key } from "../../model/key.ts";
import type { Expiry, Result, SetOperation } from "../../model/operation.ts";
import { type Argument, keyOf, valueOf, wordOf } from "../argument.ts";
import { type Command, type CommandContext, ONE_KEY, type Plan, type RenderResult } from "../command.ts";
import type { ReplyWriter } from "../reply-writer.ts";
import { errorText } from "../error-reply.ts";
import { expiryIn, type NewExpiry, readGetExOptions, readSetOptions } from "../set-options.ts";

const PLAIN = { contentType: "", expiry: { kind: "none" }, condition: null, returnOld: false } as const;

/** Commands that read or replace one whole value. */
export const STRING_COMMANDS: readonly Command[] = [
  {
    name: "get",
    arity: 2,
    keys: ONE_KEY,
    flags: ["readonly", "fast"],
    plan: (words) => ({ kind: "one", operation: { kind: "get", key: keyOf(words[1]) }, render: renderValue }),
  },
  { name: "set", arity: -3, keys: ONE_KEY, flags: ["write", "denyoom"], plan: planSet },
  {
    name: "setnx",
    arity: 3,
    keys: ONE_KEY,
    flags: ["write", "denyoom", "fast"],
    plan: ([, key, value]) => setting(key, value, { condition: { kind: "absent" } }, renderSetCount),
  },
  {
    name: "setex",
    arity: 4,
    keys: ONE_KEY,
    flags: ["write", "denyoom"],
    plan: (words, { clock }) => planTimedSet(words, 1000n, clock),
  },
  {
    name: "psetex",
    arity: 4,
    keys: ONE_KEY,
    flags: ["write", "denyoom"],
    plan: (words, { clock }) => planTimedSet(words, 1n, clock),
  },
  {
    name: "getset",
    arity: 3,
    keys: ONE_KEY,
    flags: ["write", "denyoom", "fast"],
    plan: ([, key, value]) => setting(key, value, { returnOld: true }, renderOld),
  },
  { name: "getdel", arity: 2, keys: ONE_KEY, flags: ["write", "fast"], plan: planGetDelete },
  { name: "getex", arity: -2, keys: ONE_KEY, flags: ["write", "fast"], plan: planGetExpire },
];

/** A value, or null. */
export function renderValue(result: Result, out: ReplyWriter): void {
  if (result.kind === "value") out.bulk(result.record.value);
  else out.null();
}

function planSet(words: readonly Argument[], { clock }: CommandContext): Plan {
  if (words.length === 3) return planPlainSet(words[1], words[2]);
  const { expiry, condition, returnOld } = readSetOptions(words, clock.wallMs());
  const render = returnOld ? renderOld : renderSet;
  return setting(words[1], words[2], { expiry, condition, returnOld }, render);
}

/** What most writes are: made without a spread. */
function planPlainSet(key: Argument | undefined, value: Argument | undefined): Plan {
  const operation: SetOperation = {
    kind: "set",
    key: keyOf(key),
    value: valueOf(value),
    contentType: "",
    expiry: PLAIN.expiry,
    condition: null,
    returnOld: false,
    isBlind: true,
  };
  return { kind: "one", operation, render: renderSet };
}

function planTimedSet([name, key, time, value]: readonly Argument[], unitMs: bigint, clock: Clock): Plan {
  const expiry: Expiry = expiryIn(time, { name: wordOf(name), unitMs, isAbsolute: false, nowMs: clock.wallMs() });
  return setting(key, value, { expiry }, renderSet);
}

function setting(
  key: Argument | undefined,
  value: Argument | undefined,
  change: Partial<Pick<SetOperation, "expiry" | "condition" | "returnOld">>,
  render: RenderResult,
): Plan {
  const operation: SetOperation = { kind: "set", key: keyOf(key), value: valueOf(value), ...PLAIN, ...change };
  return { kind: "one", operation, render };
}

function renderSet(result: Result, out: ReplyWriter): void {
  if (result.kind === "written") out.ok();
  else out.null();
}

function renderSetCount(result: Result, out: ReplyWriter): void {
  out.integer(result.kind === "written" ? 1 : 0);
}

/** With GET the answer is the old value, whether or not the new one was set. */
function renderOld(result: Result, out: ReplyWriter): void {
  const old = result.kind === "written" || result.kind === "not-met" ? result.old : null;
  if (old === null) out.null();
  else out.bulk(old.value);
}

/** Both on one shard, and so in one entry: nothing can come between. */
function planGetDelete(words: readonly Argument[]): Plan {
  const key = keyOf(words[1]);
  return {
    kind: "many",
    operations: [
      { kind: "get", key },
      { kind: "delete", key, condition: null },
    ],
    render: renderFirst,
  };
}

function planGetExpire(words: readonly Argument[], { clock }: CommandContext): Plan {
  const key = keyOf(words[1]);
  const readExpiry = readGetExOptions(words, clock.wallMs());
  if (readExpiry === null) return { kind: "one", operation: { kind: "get", key }, render: renderValue };
  let expiry: NewExpiry;
  try {
    expiry = readExpiry();
  } catch (error) {
    return refuseWhenThere(key, errorText(error));
  }
  const condition = expiry.kind === "none" ? "present" : "always";
  return {
    kind: "many",
    operations: [
      { kind: "get", key },
      { kind: "expire", key, expiry, condition },
    ],
    render: renderFirst,
  };
}

/** Null for a key that is not there, else an error: nothing is changed in either case. */
function refuseWhenThere(key: Key, text: string): Plan {
  return {
    kind: "one",
    operation: { kind: "describe", key },
    render: (result, out) => (result.kind === "absent" ? out.null() : out.error(text)),
  };
}

function renderFirst([first]: readonly Result[], out: ReplyWriter): void {
  if (first === undefined) out.null();
  else renderValue(first, out);
}
