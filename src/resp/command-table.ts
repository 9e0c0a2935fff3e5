import { CLIENT_COMMANDS } from "./commands/client-commands.ts";
import { CONNECTION_COMMANDS } from "./commands/connection-commands.ts";
import { EDIT_COMMANDS } from "./commands/edit-commands.ts";
import { EXPIRY_COMMANDS } from "./commands/expiry-commands.ts";
import { KEY_COMMANDS } from "./commands/key-commands.ts";
import { KEYSPACE_COMMANDS } from "./commands/keyspace-commands.ts";
import { MANY_KEY_COMMANDS } from "./commands/many-key-commands.ts";
import { SERVER_COMMANDS } from "./commands/server-commands.ts";
import { STRING_COMMANDS } from "./commands/string-commands.ts";
import { TRANSACTION_COMMANDS } from "./commands/transaction-commands.ts";
import { type Argument, textOf, wordOf } from "./argument.ts";
import { commandCommand } from "./command-command.ts";
import { CommandError } from "./command-error.ts";
import { type Command, NO_KEYS } from "./command.ts";

/** EXEC is carried out by the connection: it is many commands. */
const EXEC: Command = {
  name: "exec",
  arity: 1,
  keys: NO_KEYS,
  flags: ["noscript", "loading", "stale", "skip_slowlog"],
  isBarrier: true,
  plan: () => {
    throw new CommandError("ERR EXEC without MULTI");
  },
};

const COMMANDS: readonly Command[] = [
  ...STRING_COMMANDS,
  ...EDIT_COMMANDS,
  ...MANY_KEY_COMMANDS,
  ...KEY_COMMANDS,
  ...EXPIRY_COMMANDS,
  ...KEYSPACE_COMMANDS,
  ...CONNECTION_COMMANDS,
  ...CLIENT_COMMANDS,
  ...SERVER_COMMANDS,
  ...TRANSACTION_COMMANDS,
  EXEC,
];

const TABLE: ReadonlyMap<string, Command> = new Map(
  [...COMMANDS, commandCommand(() => TABLE)].map((command) => [command.name, command]),
);

export const COMMAND_COUNT: number = TABLE.size;

/** As clients usually write them: all lower or all upper case. */
const USUAL_NAMES: ReadonlyMap<string, Command> = new Map(
  [...TABLE].flatMap(([name, command]) => [
    [name, command],
    [name.toUpperCase(), command],
  ]),
);

/** The command of this name, in any case. */
export function findCommand(name: Argument | undefined): Command | undefined {
  return USUAL_NAMES.get(textOf(name)) ?? TABLE.get(wordOf(name));
}
