import { type Argument, wordOf } from "./argument.ts";
import { answer, type Command, NO_KEYS, type Plan } from "./command.ts";
import type { ReplyWriter } from "./reply-writer.ts";

type Table = ReadonlyMap<string, Command>;

/** `COMMAND [COUNT | INFO name … | DOCS name …]`: what the table of commands says of itself. */
export function commandCommand(table: () => Table): Command {
  return {
    name: "command",
    arity: -1,
    keys: NO_KEYS,
    flags: ["loading", "stale"],
    subcommands: {
      count: { arity: 2, plan: () => answer((out) => out.integer(table().size)) },
      docs: { arity: -2, plan: (words) => planDocs(namesIn(words, table()), table()) },
      info: { arity: -2, plan: (words) => planInfo(namesIn(words, table()), table()) },
    },
    plan: () => planInfo([...table().keys()], table()),
  };
}

/** All of them when none is named. */
function namesIn(words: readonly Argument[], table: Table): readonly string[] {
  return words.length > 2 ? words.slice(2).map(wordOf) : [...table.keys()];
}

function planInfo(names: readonly string[], table: Table): Plan {
  return answer((out) => {
    out.array(names.length);
    for (const name of names) tellInfo(table.get(name), out);
  });
}

function planDocs(names: readonly string[], table: Table): Plan {
  const known = names.flatMap((name) => table.get(name) ?? []);
  return answer((out) => {
    out.map(known.length);
    for (const command of known) tellDocs(command, out);
  });
}

function tellInfo(command: Command | undefined, out: ReplyWriter): void {
  if (command === undefined) {
    out.nullArray();
    return;
  }
  const { name, arity, flags, keys } = command;
  out.array(10);
  out.bulk(name);
  out.integer(arity);
  out.set(flags.length);
  for (const flag of flags) out.simple(flag);
  for (const position of keys) out.integer(position);
  const categories = [flags.includes("write") ? "@write" : "@read", flags.includes("fast") ? "@fast" : "@slow"];
  out.set(categories.length);
  for (const category of categories) out.simple(category);
  for (let i = 0; i < 3; i++) out.array(0);
}

function tellDocs({ name, keys }: Command, out: ReplyWriter): void {
  out.bulk(name);
  out.map(2);
  out.bulk("summary");
  out.bulk(`As ${name.toUpperCase()} of Redis 7.0`);
  out.bulk("group");
  out.bulk(keys === NO_KEYS ? "connection" : "string");
}
