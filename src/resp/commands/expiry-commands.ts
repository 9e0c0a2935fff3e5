import type { ExpiryCondition, Result } from "../../model/operation.ts";
import { type Argument, integerOf, keyOf, textOf, wordOf } from "../argument.ts";
import { CommandError } from "../command-error.ts";
import { type Command, type CommandContext, ONE_KEY, type Plan } from "../command.ts";
import type { ReplyWriter } from "../reply-writer.ts";
import { newExpiry } from "../set-options.ts";

const WRITE = ["write", "fast"];
const READ = ["readonly", "fast"];

/** Commands about when a key expires. */
export const EXPIRY_COMMANDS: readonly Command[] = [
  changing("expire", { unitMs: 1000n, isAbsolute: false }),
  changing("pexpire", { unitMs: 1n, isAbsolute: false }),
  changing("expireat", { unitMs: 1000n, isAbsolute: true }),
  changing("pexpireat", { unitMs: 1n, isAbsolute: true }),
  telling("ttl", (expiryMs, nowMs) => Math.floor((Math.max(0, expiryMs - nowMs) + 500) / 1000)),
  telling("pttl", (expiryMs, nowMs) => Math.max(0, expiryMs - nowMs)),
  telling("expiretime", (expiryMs) => Math.floor((expiryMs + 500) / 1000)),
  telling("pexpiretime", (expiryMs) => expiryMs),
  {
    name: "persist",
    arity: 2,
    keys: ONE_KEY,
    flags: WRITE,
    plan: ([, key]) => ({
      kind: "one",
      operation: { kind: "expire", key: keyOf(key), expiry: { kind: "none" }, condition: "present" },
      render: renderChanged,
    }),
  },
];

function changing(name: string, unit: { readonly unitMs: bigint; readonly isAbsolute: boolean }): Command {
  const plan = (words: readonly Argument[], { clock }: CommandContext): Plan => {
    const condition = readCondition(words);
    const expiry = newExpiry(integerOf(words[2]), { name, ...unit, nowMs: clock.wallMs() });
    return {
      kind: "one",
      operation: { kind: "expire", key: keyOf(words[1]), expiry, condition },
      render: renderChanged,
    };
  };
  return { name, arity: -3, keys: ONE_KEY, flags: WRITE, plan };
}

/** XX goes together with GT or LT; GT then says all of it, for a key without an expiry is never later than anything. */
function readCondition(words: readonly Argument[]): ExpiryCondition {
  const said = new Set<string>();
  for (let at = 3; at < words.length; at++) {
    const word = wordOf(words[at]);
    if (!["nx", "xx", "gt", "lt"].includes(word)) {
      throw new CommandError(`ERR Unsupported option ${textOf(words[at]).split("\0", 1)[0] ?? ""}`);
    }
    said.add(word);
  }
  if (said.has("nx") && said.size > 1) {
    throw new CommandError("ERR NX and XX, GT or LT options at the same time are not compatible");
  }
  if (said.has("gt") && said.has("lt")) {
    throw new CommandError("ERR GT and LT options at the same time are not compatible");
  }
  if (said.has("gt")) return "greater";
  if (said.has("lt")) return said.has("xx") ? "presentAndLess" : "less";
  if (said.has("nx")) return "absent";
  return said.has("xx") ? "present" : "always";
}

function telling(name: string, tell: (expiryMs: number, nowMs: number) => number): Command {
  const plan = ([, key]: readonly Argument[], { clock }: CommandContext): Plan => ({
    kind: "one",
    operation: { kind: "describe", key: keyOf(key) },
    render: (result, out) => {
      if (result.kind !== "described") out.integer(-2);
      else out.integer(result.expiryMs === 0 ? -1 : tell(result.expiryMs, Math.floor(clock.wallMs())));
    },
  });
  return { name, arity: 2, keys: ONE_KEY, flags: READ, plan };
}

function renderChanged(result: Result, out: ReplyWriter): void {
  out.integer(result.kind === "written" ? 1 : 0);
}
