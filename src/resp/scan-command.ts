import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import type { Key } from "../model/key.ts";
import { type Argument, integerOf, textOf, wordOf } from "./argument.ts";
import { CommandError, syntaxError } from "./command-error.ts";
import type { CommandContext, Plan, Render } from "./command.ts";
import { errorText } from "./error-reply.ts";
import { matchesGlob } from "./glob.ts";
import { rangeOfPattern, type WalkEnd, walkKeys } from "./key-walk.ts";

interface ScanOptions {
  readonly pattern: string | null;
  /** How many keys the caller would like at once. */
  readonly count: number;
  /** Every value is a string: another type matches nothing. */
  readonly isOtherType: boolean;
}

const COUNT_DEFAULT = 10n;
/** A larger COUNT is a wish that one answer should not fulfil. */
const COUNT_MAX = 10_000n;
/** A pattern may pass over so many times COUNT keys in one call before it gives back what it has. */
const EXAMINED_PER_COUNT = 10;

/** `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`. */
export function planScan(words: readonly Argument[], context: CommandContext): Plan {
  const cursor = textOf(words[1]);
  if (!/^[0-9]{0,20}$/.test(cursor)) throw invalidCursor();
  const options = readOptions(words);
  return {
    kind: "alone",
    run: (done) => {
      if (/^0*$/.test(cursor)) scanFrom("", options, context, done);
      else {
        context.gateway.positionOf(cursor.replace(/^0+/, ""), (position) => {
          if (typeof position === "string") scanFrom(`${position}\0`, options, context, done);
          else done(failing(position ?? invalidCursor()));
        });
      }
    },
  };
}

/** Throws when a pattern is longer than what we promise to match in little time. */
export function patternOf(argument: Argument | undefined): string {
  const pattern = textOf(argument);
  if (pattern.length <= LIMITS.globBytesMax) return pattern;
  throw new CommandError(`ERR the pattern has ${pattern.length} bytes; the limit is ${LIMITS.globBytesMax}`);
}

function readOptions(words: readonly Argument[]): ScanOptions {
  let pattern: string | null = null;
  let count = COUNT_DEFAULT;
  let isOtherType = false;
  for (let at = 2; at < words.length; at += 2) {
    const value = words[at + 1];
    const word = wordOf(words[at]);
    if (value === undefined) throw syntaxError();
    if (word === "count") {
      count = integerOf(value);
      if (count < 1n) throw syntaxError();
    } else if (word === "match") pattern = patternOf(value);
    else if (word === "type") isOtherType = wordOf(value) !== "string";
    else throw syntaxError();
  }
  return { pattern, count: Number(count < COUNT_MAX ? count : COUNT_MAX), isOtherType };
}

function scanFrom(
  position: string,
  { pattern, count, isOtherType }: ScanOptions,
  context: CommandContext,
  done: (render: Render) => void,
): void {
  const range = pattern === null ? { start: "", end: "" } : rangeOfPattern(pattern);
  const found: Key[] = [];
  let left = pattern === null ? count : count * EXAMINED_PER_COUNT;
  const visit = (keys: readonly Key[]): void => {
    // A page may be empty and yet not be the last.
    left -= Math.max(1, keys.length);
    if (isOtherType) return;
    for (const key of keys) if (pattern === null || matchesGlob(pattern, key)) found.push(key);
  };
  const rowsWanted = (): number => (found.length >= count ? 0 : Math.min(left, count));
  const start = position > range.start ? position : range.start;
  walkKeys(context, { start, end: range.end }, { rowsWanted, visit }, (end) => done(rendering(end, found, context)));
}

function rendering(end: WalkEnd, found: readonly Key[], { gateway }: CommandContext): Render {
  if (end instanceof KvError) return failing(end);
  const cursor = end.resumeKey === null ? "0" : gateway.keepPosition(end.resumeKey);
  return (out) => {
    out.array(2);
    out.bulk(cursor);
    out.array(found.length);
    for (const key of found) out.bulk(key);
  };
}

function failing(error: KvError | CommandError): Render {
  const text = errorText(error);
  return (out) => out.error(text);
}

function invalidCursor(): CommandError {
  return new CommandError("ERR invalid cursor");
}
