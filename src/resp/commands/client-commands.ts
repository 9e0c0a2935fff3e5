import { type Argument, integerOf, textOf, wordOf } from "../argument.ts";
import { checkClientName } from "../client-name.ts";
import { CommandError, syntaxError } from "../command-error.ts";
import { ANSWER_OK, answer, type Command, type CommandContext, NO_KEYS, type Plan } from "../command.ts";
import type { Session } from "../session.ts";
import { needsSubcommand } from "../subcommands.ts";

/** `CLIENT …`. */
export const CLIENT_COMMANDS: readonly Command[] = [
  {
    name: "client",
    arity: -2,
    keys: NO_KEYS,
    flags: ["noscript", "loading", "stale"],
    subcommands: {
      id: { arity: 2, plan: (_words, { session }) => answer((out) => out.integer(session.id)) },
      setname: { arity: 3, plan: setName },
      getname: { arity: 2, plan: getName },
      setinfo: { arity: 4, plan: () => ANSWER_OK },
      info: { arity: 2, plan: tellSelf },
      list: { arity: -2, plan: listAll },
      "no-evict": { arity: 3, plan: setNoEvict },
    },
    plan: needsSubcommand,
  },
];

function setName(words: readonly Argument[], { session }: CommandContext): Plan {
  session.name = checkClientName(words[2]);
  return ANSWER_OK;
}

function getName(_words: readonly Argument[], { session }: CommandContext): Plan {
  const { name } = session;
  return answer((out) => (name === "" ? out.null() : out.bulk(name)));
}

function setNoEvict(words: readonly Argument[], { session }: CommandContext): Plan {
  const mode = wordOf(words[2]);
  if (mode !== "on" && mode !== "off") throw syntaxError();
  session.isNeverEvicted = mode === "on";
  return ANSWER_OK;
}

function tellSelf(_words: readonly Argument[], { session, clock }: CommandContext): Plan {
  const line = describe(session, clock.nowMs());
  return answer((out) => out.verbatim(`${line}\n`));
}

function listAll(words: readonly Argument[], { server, clock }: CommandContext): Plan {
  const isWanted = readFilter(words);
  const nowMs = clock.nowMs();
  let text = "";
  for (const session of server.sessions()) if (isWanted(session)) text += `${describe(session, nowMs)}\n`;
  return answer((out) => out.verbatim(text));
}

function readFilter(words: readonly Argument[]): (session: Session) => boolean {
  if (words.length === 2) return () => true;
  const word = wordOf(words[2]);
  if (word === "type" && words.length === 4) {
    const type = wordOf(words[3]);
    if (!["normal", "master", "replica", "slave", "pubsub"].includes(type)) {
      throw new CommandError(`ERR Unknown client type '${textOf(words[3])}'`);
    }
    return () => type === "normal";
  }
  if (word !== "id" || words.length < 4) throw syntaxError();
  const ids = new Set(words.slice(3).map((one) => Number(integerOf(one, "Invalid client ID"))));
  return (session) => ids.has(session.id);
}

/** One connection as Redis tells it; what has no meaning here is what an idle Redis says. */
function describe(session: Session, nowMs: number): string {
  const seconds = (sinceMs: number): number => Math.floor((nowMs - sinceMs) / 1000);
  const { transaction } = session;
  const flags = (transaction === null ? "" : "x") + (session.isReadOnly ? "r" : "") || "N";
  const fields: readonly (readonly [string, string | number])[] = [
    ["id", session.id],
    ["addr", session.remoteAddress],
    ["laddr", session.localAddress],
    ["fd", -1],
    ["name", session.name],
    ["age", seconds(session.connectedMs)],
    ["idle", seconds(session.lastActiveMs)],
    ["flags", session.isNeverEvicted ? `${flags.replace("N", "")}e` : flags],
    ["db", 0],
    ["sub", 0],
    ["psub", 0],
    ["ssub", 0],
    ["multi", transaction === null ? -1 : transaction.queue.length],
    ["qbuf", session.incomingBytes],
    ["qbuf-free", 0],
    ["argv-mem", 0],
    ["multi-mem", transaction?.byteCount ?? 0],
    ["rbs", 0],
    ["rbp", 0],
    ["obl", 0],
    ["oll", 0],
    ["omem", session.outgoingBytes],
    ["tot-mem", session.incomingBytes + session.outgoingBytes],
    ["events", "r"],
    ["cmd", session.lastCommand],
    ["user", "default"],
    ["redir", -1],
    ["resp", session.protocol],
  ];
  return fields.map(([name, value]) => `${name}=${value}`).join(" ");
}
