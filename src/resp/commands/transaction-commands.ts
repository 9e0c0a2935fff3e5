import type { Guard, KeyOperation, Result } from "../../model/operation.ts";
import { type Argument, keyOf } from "../argument.ts";
import { CommandError } from "../command-error.ts";
import { ALL_KEYS, ANSWER_OK, answer, type Command, type CommandContext, NO_KEYS, type Plan } from "../command.ts";
import { crossShard, requireOneShard } from "../one-shard.ts";

const FLAGS = ["noscript", "loading", "stale", "fast"];

/** Names of the commands that are carried out at once between MULTI and EXEC. */
export const UNQUEUED: ReadonlySet<string> = new Set(["multi", "exec", "discard", "watch", "quit", "reset"]);

/** MULTI and its kin, but EXEC, which the connection carries out. */
export const TRANSACTION_COMMANDS: readonly Command[] = [
  { name: "multi", arity: 1, keys: NO_KEYS, flags: FLAGS, plan: planMulti },
  { name: "discard", arity: 1, keys: NO_KEYS, flags: FLAGS, isBarrier: true, plan: planDiscard },
  { name: "watch", arity: -2, keys: ALL_KEYS, flags: FLAGS, isBarrier: true, plan: planWatch },
  { name: "unwatch", arity: 1, keys: NO_KEYS, flags: FLAGS, isBarrier: true, plan: planUnwatch },
];

function planMulti(_words: readonly Argument[], { session }: CommandContext): Plan {
  if (session.transaction !== null) throw new CommandError("ERR MULTI calls can not be nested");
  session.transaction = { queue: [], byteCount: 0, isSpoiled: false };
  return ANSWER_OK;
}

function planDiscard(_words: readonly Argument[], { session }: CommandContext): Plan {
  if (session.transaction === null) throw new CommandError("ERR DISCARD without MULTI");
  session.endTransaction();
  return ANSWER_OK;
}

function planUnwatch(_words: readonly Argument[], { session }: CommandContext): Plan {
  session.forgetWatched();
  return ANSWER_OK;
}

/** Remembers which version each key has; EXEC then demands that it still has it. */
function planWatch(words: readonly Argument[], { session, gateway }: CommandContext): Plan {
  if (session.transaction !== null) throw new CommandError("ERR WATCH inside MULTI is not allowed");
  const keys = words.slice(1).map(keyOf);
  requireOneShard(keys, gateway);
  const [first] = keys;
  if (first === undefined) return answer((out) => out.ok());
  const { shard } = gateway.leaderOf(first);
  if (session.transactionShard !== null && session.transactionShard !== shard) throw crossShard();
  session.transactionShard = shard;
  const watched = new Set(session.guards.map(({ key }) => key));
  const fresh = keys.filter((key) => !watched.has(key));
  const operations = fresh.map((key): KeyOperation => ({ kind: "describe", key }));
  if (operations.length === 0) return ANSWER_OK;
  return {
    kind: "many",
    operations,
    render: (results, out) => {
      session.guards.push(...fresh.map((key, index) => guardOf(key, results[index])));
      out.ok();
    },
  };
}

function guardOf(key: Guard["key"], result: Result | undefined): Guard {
  if (result?.kind !== "described") return { key, condition: { kind: "absent" } };
  return { key, condition: { kind: "version", version: result.version } };
}
