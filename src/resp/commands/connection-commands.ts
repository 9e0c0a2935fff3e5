import { type Argument, integerOf, textOf, wordOf } from "../argument.ts";
import { CommandError, wrongArity } from "../command-error.ts";
import { ANSWER_OK, answer, type Command, type CommandContext, NO_KEYS, type Plan } from "../command.ts";
import { REDIS_VERSION } from "../redis-version.ts";
import { checkClientName } from "../client-name.ts";
import { checkDatabase } from "./key-commands.ts";

const FAST = ["noscript", "loading", "stale", "fast"];
const NO_PASSWORD =
  "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?";
const WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled.";

/** Commands about the connection itself. */
export const CONNECTION_COMMANDS: readonly Command[] = [
  { name: "ping", arity: -1, keys: NO_KEYS, flags: ["fast"], plan: planPing },
  {
    name: "echo",
    arity: 2,
    keys: NO_KEYS,
    flags: ["loading", "stale", "fast"],
    plan: ([, text = ""]) => answer((out) => out.bulk(text)),
  },
  { name: "hello", arity: -1, keys: NO_KEYS, flags: FAST, isBarrier: true, plan: planHello },
  { name: "auth", arity: -2, keys: NO_KEYS, flags: FAST, plan: planAuth },
  { name: "select", arity: 2, keys: NO_KEYS, flags: ["loading", "stale", "fast"], plan: planSelect },
  {
    name: "quit",
    arity: -1,
    keys: NO_KEYS,
    flags: FAST,
    plan: (_words, { session }) => {
      session.isLeaving = true;
      return ANSWER_OK;
    },
  },
  {
    name: "reset",
    arity: 1,
    keys: NO_KEYS,
    flags: FAST,
    isBarrier: true,
    plan: (_words, { session }) => {
      session.reset();
      return answer((out) => out.simple("RESET"));
    },
  },
  { name: "readonly", arity: 1, keys: NO_KEYS, flags: ["loading", "stale", "fast"], plan: planReadOnly(true) },
  { name: "readwrite", arity: 1, keys: NO_KEYS, flags: ["loading", "stale", "fast"], plan: planReadOnly(false) },
];

function planPing(words: readonly Argument[]): Plan {
  const [, text] = words;
  if (words.length > 2) throw wrongArity("ping");
  return answer((out) => (text === undefined ? out.simple("PONG") : out.bulk(text)));
}

/** Without tokens the default user needs no password: any will do with its name, and none without. */
function planAuth(words: readonly Argument[]): Plan {
  if (words.length > 3) throw new CommandError("ERR syntax error");
  if (words.length === 2) throw new CommandError(NO_PASSWORD);
  checkUser(words[1]);
  return ANSWER_OK;
}

function checkUser(name: Argument | undefined): void {
  if (textOf(name) !== "default") throw new CommandError(WRONG_PASSWORD);
}

function planSelect([, index]: readonly Argument[]): Plan {
  checkDatabase(index);
  return ANSWER_OK;
}

function planReadOnly(isReadOnly: boolean): Command["plan"] {
  return (_words, { session }) => {
    session.isReadOnly = isReadOnly;
    return ANSWER_OK;
  };
}

/** Everything is checked before anything is changed. */
function planHello(words: readonly Argument[], { session }: CommandContext): Plan {
  const protocol = words.length > 1 ? protocolOf(words[1]) : session.protocol;
  let name: string | null = null;
  for (let at = 2; at < words.length; at++) {
    const option = wordOf(words[at]);
    const left = words.length - 1 - at;
    if (option === "auth" && left >= 2) {
      checkUser(words[at + 1]);
      at += 2;
    } else if (option === "setname" && left >= 1) {
      name = checkClientName(words[at + 1]);
      at++;
    } else throw new CommandError(`ERR Syntax error in HELLO option '${textOf(words[at])}'`);
  }
  session.protocol = protocol;
  if (name !== null) session.name = name;
  return answer((out) => {
    out.map(7);
    out.bulk("server");
    out.bulk("redis");
    out.bulk("version");
    out.bulk(REDIS_VERSION);
    out.bulk("proto");
    out.integer(protocol);
    out.bulk("id");
    out.integer(session.id);
    out.bulk("mode");
    out.bulk("standalone");
    out.bulk("role");
    out.bulk("master");
    out.bulk("modules");
    out.array(0);
  });
}

function protocolOf(argument: Argument | undefined): 2 | 3 {
  const version = integerOf(argument, "Protocol version is not an integer or out of range");
  if (version === 2n) return 2;
  if (version === 3n) return 3;
  throw new CommandError("NOPROTO unsupported protocol version");
}
