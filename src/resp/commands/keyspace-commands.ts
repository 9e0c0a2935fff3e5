import { KvError } from "../../model/errors.ts";
import type { Key } from "../../model/key.ts";
import { LIMITS } from "../../model/limits.ts";
import { DEFAULT_OPTIONS } from "../../model/operation.ts";
import { type Argument, wordOf } from "../argument.ts";
import { CommandError, syntaxError } from "../command-error.ts";
import { type Command, type CommandContext, NO_KEYS, type Plan, type Render } from "../command.ts";
import { errorText } from "../error-reply.ts";
import { matchesGlob } from "../glob.ts";
import { rangeOfPattern, walkKeys } from "../key-walk.ts";
import { planRandomKey } from "../random-key.ts";
import { patternOf, planScan } from "../scan-command.ts";

/** What KEYS may gather for one answer; whoever has more keys wants SCAN. */
const KEYS_BYTES_MAX = 67_108_864;
/** Up to so many keys are counted one by one; more are told as the members last knew them, a few seconds late. */
const COUNTED_KEYS_MAX = 10_000;

/** Commands over all keys of the cluster. */
export const KEYSPACE_COMMANDS: readonly Command[] = [
  clusterWide("keys", 2, "readonly", planKeys),
  clusterWide("scan", -2, "readonly", planScan),
  clusterWide("randomkey", 1, "readonly", planRandomKey),
  clusterWide("dbsize", 1, "readonly", planCount),
  clusterWide("flushdb", -1, "write", planClear),
  clusterWide("flushall", -1, "write", planClear),
];

function clusterWide(name: string, arity: number, flag: string, plan: Command["plan"]): Command {
  return { name, arity, keys: NO_KEYS, flags: [flag], isClusterWide: true, plan };
}

function planKeys(words: readonly Argument[], context: CommandContext): Plan {
  const pattern = patternOf(words[1]);
  const run = (done: (render: Render) => void): void => {
    const found: Key[] = [];
    let bytes = 0;
    const visit = (keys: readonly Key[]): void => {
      for (const key of keys) {
        if (!matchesGlob(pattern, key)) continue;
        bytes += key.length;
        found.push(key);
      }
    };
    const rowsWanted = (): number => (bytes > KEYS_BYTES_MAX ? 0 : LIMITS.scanRowsMax);
    walkKeys(context, rangeOfPattern(pattern), { rowsWanted, visit }, (end) => {
      if (end instanceof KvError) done(failing(end));
      else if (end.resumeKey !== null) done(failing(new CommandError("ERR too many keys for one answer; use SCAN")));
      else done(listing(found));
    });
  };
  return { kind: "alone", run };
}

function listing(keys: readonly Key[]): Render {
  return (out) => {
    out.array(keys.length);
    for (const key of keys) out.bulk(key);
  };
}

function planCount(_words: readonly Argument[], context: CommandContext): Plan {
  const run = (done: (render: Render) => void): void => {
    let count = 0;
    const visit = (keys: readonly Key[]): void => {
      count += keys.length;
    };
    const rowsWanted = (): number => (count > COUNTED_KEYS_MAX ? 0 : LIMITS.scanRowsMax);
    walkKeys(context, { start: "", end: "" }, { rowsWanted, visit }, (end) => {
      if (end instanceof KvError) done(failing(end));
      else if (end.resumeKey === null) done((out) => out.integer(count));
      else {
        context.gateway.cluster(({ shards }) => {
          const total = shards.reduce((sum, { members, leader }) => {
            const member = members.find((one) => one.node === leader);
            return sum + (member?.reachable === true ? member.keyCount : 0);
          }, 0);
          done((out) => out.integer(Math.max(count, total)));
        });
      }
    });
  };
  return { kind: "alone", run };
}

function planClear(words: readonly Argument[], { gateway }: CommandContext): Plan {
  const mode = wordOf(words[1]);
  if (words.length > 2 || (words.length === 2 && mode !== "sync" && mode !== "async")) throw syntaxError();
  const run = (done: (render: Render) => void): void =>
    gateway.clear(DEFAULT_OPTIONS, (error) => done(error === null ? (out) => out.ok() : failing(error)));
  return { kind: "alone", run };
}

function failing(error: KvError | CommandError): Render {
  const text = errorText(error);
  return (out) => out.error(text);
}
