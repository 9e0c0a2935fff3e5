import { LIMITS } from "../model/limits.ts";
import type { Condition, Expiry } from "../model/operation.ts";
import { type Argument, INT64_MAX, INT64_MIN, integerOf, wordOf } from "./argument.ts";
import { invalidExpiry, syntaxError } from "./command-error.ts";

export interface SetOptions {
  readonly expiry: Expiry;
  readonly condition: Condition | null;
  readonly returnOld: boolean;
}

/** A change of expiry: never "keep". */
export type NewExpiry = Exclude<Expiry, { readonly kind: "keep" }>;

interface TimeUnit {
  /** Of the command, for what is said about a wrong time. */
  readonly name: string;
  readonly unitMs: bigint;
  /** A time on the clock, else from now. */
  readonly isAbsolute: boolean;
  readonly nowMs: number;
}

type TimeWord = "ex" | "px" | "exat" | "pxat";
const TIME_WORDS: ReadonlySet<string> = new Set<TimeWord>(["ex", "px", "exat", "pxat"]);

/** What the words of SET and GETEX say besides key and value. */
interface Seen {
  condition: "nx" | "xx" | null;
  returnOld: boolean;
  keepsExpiry: boolean;
  persists: boolean;
  time: SaidTime | null;
}

interface SaidTime {
  readonly word: string;
  readonly value: Argument;
}

/** Options of `SET key value …`. */
export function readSetOptions(words: readonly Argument[], nowMs: number): SetOptions {
  const seen = readOptions(words, 3);
  const { condition, returnOld, time } = seen;
  const expiry: Expiry = time === null ? { kind: seen.keepsExpiry ? "keep" : "none" } : timeOf(time, "set", nowMs);
  const demanded: Condition | null = condition === null ? null : { kind: condition === "nx" ? "absent" : "present" };
  return { expiry, condition: demanded, returnOld };
}

/**
 * Options of `GETEX key …`; null when the expiry stays as it is. Only what is called then looks at the time, for Redis does so
 * only when the key is there.
 */
export function readGetExOptions(words: readonly Argument[], nowMs: number): (() => NewExpiry) | null {
  const { time, persists } = readOptions(words, 2);
  if (time !== null) return () => timeOf(time, "getex", nowMs);
  return persists ? () => ({ kind: "none" }) : null;
}

function readOptions(words: readonly Argument[], from: 2 | 3): Seen {
  const seen: Seen = { condition: null, returnOld: false, keepsExpiry: false, persists: false, time: null };
  for (let at = from; at < words.length; at++) {
    const word = wordOf(words[at]);
    const hasTime = readOption(seen, { word, next: words[at + 1], isSet: from === 3 });
    if (hasTime) at++;
  }
  return seen;
}

/** Takes one option into `seen`; true when the word behind it belongs to it. The same option may be said twice. */
function readOption(
  seen: Seen,
  { word, next, isSet }: { word: string; next: Argument | undefined; isSet: boolean },
): boolean {
  if (isSet && (word === "nx" || word === "xx") && (seen.condition === null || seen.condition === word)) {
    seen.condition = word;
  } else if (isSet && word === "get") {
    seen.returnOld = true;
  } else if (isSet && word === "keepttl" && seen.time === null) {
    seen.keepsExpiry = true;
  } else if (!isSet && word === "persist" && seen.time === null) {
    seen.persists = true;
  } else if (TIME_WORDS.has(word) && next !== undefined && !seen.keepsExpiry && !seen.persists) {
    if (seen.time !== null && seen.time.word !== word) throw syntaxError();
    seen.time = { word, value: next };
    return true;
  } else throw syntaxError();
  return false;
}

function timeOf(time: SaidTime, name: string, nowMs: number): NewExpiry {
  const unitMs = time.word.startsWith("ex") ? 1000n : 1n;
  return expiryIn(time.value, { name, unitMs, isAbsolute: time.word.endsWith("at"), nowMs });
}

/** A time that must lie in the future, as far as that can be said without a clock. */
export function expiryIn(argument: Argument | undefined, unit: TimeUnit): NewExpiry {
  const value = integerOf(argument);
  if (value <= 0n) throw invalidExpiry(unit.name);
  return newExpiry(value, unit);
}

/** A time, also one that has passed. Throws when it is too far away: for Redis, or to be stored as a whole number of ms. */
export function newExpiry(value: bigint, { name, unitMs, isAbsolute, nowMs }: TimeUnit): NewExpiry {
  const ms = value * unitMs;
  const atMs = isAbsolute ? ms : ms + BigInt(Math.floor(nowMs));
  const isOutside = ms > INT64_MAX || ms < INT64_MIN || atMs > BigInt(Number.MAX_SAFE_INTEGER);
  if (isOutside) throw invalidExpiry(name);
  // What has passed for a hundred years may as well have passed for a day more or less.
  if (atMs <= 0n) return { kind: "at", ms: 0 };
  const isLong = isAbsolute || ms > BigInt(LIMITS.ttlMsMax);
  return isLong ? { kind: "at", ms: Number(atMs) } : { kind: "after", ms: Number(ms) };
}
