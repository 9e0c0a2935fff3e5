import { type Argument, textOf, wordOf } from "../argument.ts";
import { CommandError } from "../command-error.ts";
import { answer, type Command, type CommandContext, NO_KEYS, type Plan } from "../command.ts";
import { LIMITS } from "../../model/limits.ts";
import { matchesGlob } from "../glob.ts";
import { serverInfo } from "../server-info.ts";
import { needsSubcommand } from "../subcommands.ts";
import { planWait } from "../wait-command.ts";

/** What clients and tools ask about settings, in Redis' words. Nothing here can be changed while the node runs. */
const SETTINGS: Readonly<Record<string, string>> = {
  appendfsync: "always",
  appendonly: "yes",
  databases: "1",
  maxclients: String(LIMITS.connectionsMax),
  maxmemory: "0",
  "maxmemory-policy": "noeviction",
  "proto-max-bulk-len": String(LIMITS.respCommandBytesMax),
  save: "",
  timeout: "0",
};

/** Commands about the server. */
export const SERVER_COMMANDS: readonly Command[] = [
  { name: "info", arity: -1, keys: NO_KEYS, flags: ["loading", "stale"], plan: planInfo },
  { name: "time", arity: 1, keys: NO_KEYS, flags: ["loading", "stale", "fast"], plan: planTime },
  {
    name: "config",
    arity: -2,
    keys: NO_KEYS,
    flags: ["admin", "noscript", "loading", "stale"],
    subcommands: { get: { arity: -3, plan: getSettings }, set: { arity: -4, plan: refuseSetting } },
    plan: needsSubcommand,
  },
  { name: "wait", arity: 3, keys: NO_KEYS, flags: ["noscript"], isClusterWide: true, plan: planWait },
];

function planInfo(words: readonly Argument[], context: CommandContext): Plan {
  const text = serverInfo(words.slice(1).map(wordOf), context);
  return answer((out) => out.verbatim(text));
}

function planTime(_words: readonly Argument[], { clock }: CommandContext): Plan {
  const micros = Math.floor(clock.wallMs() * 1000);
  return answer((out) => {
    out.array(2);
    out.bulk(String(Math.floor(micros / 1_000_000)));
    out.bulk(String(micros % 1_000_000));
  });
}

function refuseSetting(): never {
  throw new CommandError("ERR settings stand in the configuration file; none is changed here");
}

function getSettings(words: readonly Argument[]): Plan {
  const patterns = words.slice(2).map((word) => textOf(word).toLowerCase().slice(0, LIMITS.globBytesMax));
  const found = Object.entries(SETTINGS).filter(([key]) => patterns.some((pattern) => matchesGlob(pattern, key)));
  return answer((out) => {
    out.map(found.length);
    for (const [key, value] of found) {
      out.bulk(key);
      out.bulk(value);
    }
  });
}
