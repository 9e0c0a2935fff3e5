import { type Argument, wordOf } from "./argument.ts";
import { wrongArity } from "./command-error.ts";
import type { Command } from "./command.ts";
import { unknownSubcommand } from "./unknown-command.ts";

/** Whether so many words may stand where `arity` is asked for; negative: at least so many. */
export function fits(arity: number, wordCount: number): boolean {
  return arity > 0 ? wordCount === arity : wordCount >= -arity;
}

/** How `words` are carried out, by the second of them where that says what is to be done. Throws CommandError as Redis words it. */
export function planOf(command: Command, words: readonly Argument[]): Command["plan"] {
  const { name, subcommands, plan } = command;
  if (subcommands === undefined || words.length < 2) return plan;
  const word = wordOf(words[1]);
  const subcommand = Object.hasOwn(subcommands, word) ? subcommands[word] : undefined;
  if (subcommand === undefined) throw unknownSubcommand(words);
  if (!fits(subcommand.arity, words.length)) throw wrongArity(`${name}|${word}`);
  return subcommand.plan;
}

/** For a command that is nothing without a second word. */
export function needsSubcommand(words: readonly Argument[]): never {
  throw wrongArity(wordOf(words[0]));
}
