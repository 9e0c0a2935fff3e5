import type { KeyOperation, Result } from "../../model/operation.ts";
import { type Argument, integerOf, keyOf, wordOf } from "../argument.ts";
import { CommandError, syntaxError } from "../command-error.ts";
import { type Command, type CommandContext, type KeyPositions, ONE_KEY, type Plan } from "../command.ts";
import { requireOneShard } from "../one-shard.ts";
import type { ReplyWriter } from "../reply-writer.ts";

const TWO_KEYS: KeyPositions = [1, 2, 1];

/** Commands about keys as such. */
export const KEY_COMMANDS: readonly Command[] = [
  {
    name: "type",
    arity: 2,
    keys: ONE_KEY,
    flags: ["readonly", "fast"],
    plan: ([, key]) => ({
      kind: "one",
      operation: { kind: "describe", key: keyOf(key) },
      render: (result, out) => out.simple(result.kind === "described" ? "string" : "none"),
    }),
  },
  { name: "rename", arity: 3, keys: TWO_KEYS, flags: ["write"], plan: planRename },
  { name: "renamenx", arity: 3, keys: TWO_KEYS, flags: ["write", "fast"], plan: planRenameAbsent },
  { name: "copy", arity: -3, keys: TWO_KEYS, flags: ["write", "denyoom"], plan: planCopy },
];

function planRename([, from, to]: readonly Argument[], { gateway }: CommandContext): Plan {
  return copying({ from, to, replace: true, isMove: true }, gateway, (result, out) => {
    if (result.kind === "absent") out.error("ERR no such key");
    else out.ok();
  });
}

function planRenameAbsent([, from, to]: readonly Argument[], { gateway }: CommandContext): Plan {
  return copying({ from, to, replace: false, isMove: true }, gateway, (result, out) => {
    if (result.kind === "absent") out.error("ERR no such key");
    else out.integer(result.kind === "written" ? 1 : 0);
  });
}

function planCopy(words: readonly Argument[], { gateway }: CommandContext): Plan {
  let replace = false;
  for (let at = 3; at < words.length; at++) {
    const word = wordOf(words[at]);
    const next = words[at + 1];
    if (word === "replace") replace = true;
    else if (word === "db" && next !== undefined) {
      checkDatabase(next);
      at++;
    } else throw syntaxError();
  }
  const [, from, to] = words;
  if (keyOf(from) === keyOf(to)) throw new CommandError("ERR source and destination objects are the same");
  return copying({ from, to, replace, isMove: false }, gateway, (result, out) =>
    out.integer(result.kind === "written" ? 1 : 0),
  );
}

/** There is one database, number 0. */
export function checkDatabase(argument: Argument | undefined): void {
  const index = integerOf(argument);
  if (index > 0x7fff_ffffn || index < -0x8000_0000n) {
    throw new CommandError("ERR value is out of range, value must between -2147483648 and 2147483647");
  }
  if (index !== 0n) throw new CommandError("ERR DB index is out of range");
}

function copying(
  {
    from,
    to,
    replace,
    isMove,
  }: {
    from: Argument | undefined;
    to: Argument | undefined;
    replace: boolean;
    isMove: boolean;
  },
  gateway: CommandContext["gateway"],
  render: (result: Result, out: ReplyWriter) => void,
): Plan {
  const operation: KeyOperation = { kind: "copy", key: keyOf(from), to: keyOf(to), replace, isMove };
  requireOneShard([operation.key, operation.to], gateway);
  return { kind: "one", operation, render };
}
