import type { KeyAndValue, KeyOperation, Result } from "../../model/operation.ts";
import { type Argument, keyOf, valueOf, wordOf } from "../argument.ts";
import { wrongArity } from "../command-error.ts";
import { ALL_KEYS, type Command, type CommandContext, type KeyPositions, type Plan } from "../command.ts";
import { requireOneShard } from "../one-shard.ts";
import type { ReplyWriter } from "../reply-writer.ts";
import { renderValue } from "./string-commands.ts";

const PAIRS: KeyPositions = [1, -1, 2];

/** Commands on any number of keys, split by shard; MSETNX, which is all or nothing, is not. */
export const MANY_KEY_COMMANDS: readonly Command[] = [
  {
    name: "mget",
    arity: -2,
    keys: ALL_KEYS,
    flags: ["readonly", "fast"],
    plan: (words) => onEach(words, (argument) => ({ kind: "get", key: keyOf(argument) }), renderValues),
  },
  { name: "mset", arity: -3, keys: PAIRS, flags: ["write", "denyoom"], plan: planSet },
  { name: "msetnx", arity: -3, keys: PAIRS, flags: ["write", "denyoom"], plan: planSetAbsent },
  { name: "del", arity: -2, keys: ALL_KEYS, flags: ["write"], plan: planDelete },
  { name: "unlink", arity: -2, keys: ALL_KEYS, flags: ["write", "fast"], plan: planDelete },
  { name: "exists", arity: -2, keys: ALL_KEYS, flags: ["readonly", "fast"], plan: planCount },
  { name: "touch", arity: -2, keys: ALL_KEYS, flags: ["readonly", "fast"], plan: planCount },
];

function planDelete(words: readonly Argument[]): Plan {
  return onEach(
    words,
    (argument) => ({ kind: "delete", key: keyOf(argument), condition: null }),
    renderCount("deleted"),
  );
}

function planCount(words: readonly Argument[]): Plan {
  return onEach(words, (argument) => ({ kind: "describe", key: keyOf(argument) }), renderCount("described"));
}

function onEach(
  words: readonly Argument[],
  operationOf: (argument: Argument) => KeyOperation,
  render: (results: readonly Result[], out: ReplyWriter) => void,
): Plan {
  const operations: KeyOperation[] = [];
  for (let at = 1; at < words.length; at++) operations.push(operationOf(words[at] ?? ""));
  return { kind: "many", operations, render };
}

function planSet(words: readonly Argument[]): Plan {
  const operations = pairsOf(words).map(({ key, value }): KeyOperation => ({
    kind: "set",
    key,
    value,
    contentType: "",
    expiry: { kind: "none" },
    condition: null,
    returnOld: false,
    isBlind: true,
  }));
  return { kind: "many", operations, render: (_results, out) => out.ok() };
}

function planSetAbsent(words: readonly Argument[], { gateway }: CommandContext): Plan {
  const [first, ...more] = pairsOf(words);
  if (first === undefined) throw wrongArity(wordOf(words[0]));
  requireOneShard([first.key, ...more.map(({ key }) => key)], gateway);
  return {
    kind: "one",
    operation: { kind: "setAllAbsent", ...first, more },
    render: (result, out) => out.integer(result.kind === "written" ? 1 : 0),
  };
}

function pairsOf(words: readonly Argument[]): KeyAndValue[] {
  if (words.length % 2 === 0) throw wrongArity(wordOf(words[0]));
  const pairs: KeyAndValue[] = [];
  for (let at = 1; at < words.length; at += 2) pairs.push({ key: keyOf(words[at]), value: valueOf(words[at + 1]) });
  return pairs;
}

function renderValues(results: readonly Result[], out: ReplyWriter): void {
  out.array(results.length);
  for (const result of results) renderValue(result, out);
}

function renderCount(kind: Result["kind"]): (results: readonly Result[], out: ReplyWriter) => void {
  return (results, out) => out.integer(results.reduce((count, result) => count + (result.kind === kind ? 1 : 0), 0));
}
