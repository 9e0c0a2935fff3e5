import type { Clock, Timers } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { KeyOperation, Result } from "../model/operation.ts";
import type { Gateway } from "../node/gateway.ts";
import type { Argument } from "./argument.ts";
import type { ReplyWriter } from "./reply-writer.ts";
import type { Session } from "./session.ts";

/** Writes one reply. */
export type Render = (out: ReplyWriter) => void;

/** What a command comes to once its words are understood. */
export type Plan =
  /** Answered at once, in its turn. */
  | { readonly kind: "answer"; readonly render: Render }
  | { readonly kind: "one"; readonly operation: KeyOperation; readonly render: RenderResult }
  /** Split by shard; fails as a whole when one of the operations does. */
  | { readonly kind: "many"; readonly operations: readonly KeyOperation[]; readonly render: RenderResults }
  /** Has the connection to itself until `done` is called, once. */
  | { readonly kind: "alone"; readonly run: (done: (render: Render) => void) => void };

export type RenderResult = (result: Result, out: ReplyWriter) => void;
/** `results` are in the order of the operations, and none of them is "failed". */
export type RenderResults = (results: readonly Result[], out: ReplyWriter) => void;

/** What commands may ask of everything around them. */
export interface CommandContext {
  readonly session: Session;
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly server: ServerFacts;
}

/** What a server can tell of itself and its connections. */
export interface ServerFacts {
  readonly startedMs: number;
  readonly address: string;
  readonly shardCount: number;
  readonly commandCount: number;
  readonly connectionsReceived: number;
  sessions(): Iterable<Session>;
}

/** Which words of a command are keys, as Redis tells it: first and last position (negative: from the end) and step; 0 none. */
export type KeyPositions = readonly [first: number, last: number, step: number];

/** What a command does that is named by its second word. */
export interface Subcommand {
  /** Words including both names; negative: at least so many. */
  readonly arity: number;
  readonly plan: Command["plan"];
}

export interface Command {
  /** In lower case. */
  readonly name: string;
  /** Words including the name; negative: at least so many. */
  readonly arity: number;
  readonly keys: KeyPositions;
  /** Redis' own words: `readonly`, `write`, `fast` … */
  readonly flags: readonly string[];
  /** Only after everything before it has been answered: it changes how the connection speaks. */
  readonly isBarrier?: boolean;
  /** Touches every shard, so that it has no place in a transaction. */
  readonly isClusterWide?: boolean;
  /** By the second word, in lower case; `plan` is then for the command without one. */
  readonly subcommands?: Readonly<Record<string, Subcommand>>;
  /** `words[0]` is the name. Throws CommandError or KvError, with nothing done. */
  readonly plan: (words: readonly Argument[], context: CommandContext) => Plan;
}

export const NO_KEYS: KeyPositions = [0, 0, 0];
export const ONE_KEY: KeyPositions = [1, 1, 1];
export const ALL_KEYS: KeyPositions = [1, -1, 1];

export function answer(render: Render): Plan {
  return { kind: "answer", render };
}

export const ANSWER_OK: Plan = answer((out) => out.ok());
