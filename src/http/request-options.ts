import { KvError } from "../model/errors.ts";
import type { Consistency, RequestOptions } from "../model/operation.ts";
import { isRequestId } from "../model/request-id.ts";
import type { RequestHead } from "./request-head.ts";
import type { SessionTokens } from "./session-token.ts";
import { parseWholeNumber } from "./whole-number.ts";

/** The options of a request on one key. `redirect`: the client wants to be sent to the leader instead of being forwarded. */
export interface KeyRequestOptions {
  readonly options: RequestOptions;
  readonly redirect: boolean;
}

/** What a path does, and so which options mean anything there. */
export type PathKind = "read" | "write" | "both";

const CONSISTENCIES: readonly Consistency[] = ["linearizable", "strict", "eventual"];
const DURABILITIES = ["async", "in-sync"] as const;

/**
 * Takes the options of a request, each from the query or from its header, never both; `Idempotency-Key` is a header alone.
 * Throws INVALID_ARGUMENT for values that are not known or make no sense together, INVALID_TOKEN.
 */
export function takeOptions(head: RequestHead, tokens: SessionTokens, kind: PathKind): RequestOptions {
  if (head.headers.has("kv-route")) {
    throw new KvError("UNKNOWN_PARAMETER", "The header kv-route only has a meaning for requests on one key");
  }
  return takeKeyOptions(head, tokens, kind).options;
}

/** The same for requests on one key, which also take `KV-Route`. */
export function takeKeyOptions(head: RequestHead, tokens: SessionTokens, kind: PathKind): KeyRequestOptions {
  const consistency = takeOne(head, "consistency", CONSISTENCIES) ?? "linearizable";
  const durability = takeOne(head, "durability", DURABILITIES);
  // A write is as consistent as a read can be: who asks for that gets it.
  if (consistency === "eventual" && kind === "write") throw meaningless("consistency=eventual", "reads");
  if (durability !== null && kind === "read") throw meaningless("durability", "writes");
  const token = take(head, "token");
  const maxLagMs = takeMaxLag(head, consistency);
  const requestId = takeRequestId(head, kind);
  const options = {
    consistency,
    durability,
    ...(token === undefined ? {} : { seen: tokens.decode(token) }),
    ...(maxLagMs === null ? {} : { maxLagMs }),
    ...(requestId === null ? {} : { requestId }),
  };
  return { options, redirect: takeRoute(head) };
}

/** For paths that have no options: a known option that would do nothing is refused like an unknown one. */
export function refuseOptions(head: RequestHead): void {
  for (const name of OPTION_HEADERS) {
    if (head.headers.has(name)) throw new KvError("UNKNOWN_PARAMETER", `The header ${name} has no meaning here`);
  }
  head.parameters.refuseRest();
}

const OPTION_HEADERS = [
  "kv-consistency",
  "kv-durability",
  "kv-route",
  "kv-token",
  "kv-max-lag-ms",
  "idempotency-key",
] as const;

function takeOne<Choice extends string>(head: RequestHead, name: string, choices: readonly Choice[]): Choice | null {
  const text = take(head, name);
  if (text === undefined) return null;
  const choice = choices.find((one) => one === text);
  if (choice !== undefined) return choice;
  throw new KvError("INVALID_ARGUMENT", `${name} must be ${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`);
}

function takeMaxLag(head: RequestHead, consistency: Consistency): number | null {
  const text = take(head, "max_lag_ms");
  if (text === undefined) return null;
  if (consistency !== "eventual") {
    throw new KvError("INVALID_ARGUMENT", "max_lag_ms only has a meaning with consistency=eventual");
  }
  return parseWholeNumber("max_lag_ms", text, { min: 0, max: Number.MAX_SAFE_INTEGER });
}

function takeRequestId({ headers }: RequestHead, kind: PathKind): string | null {
  const id = headers.get("idempotency-key");
  if (id === undefined) return null;
  // What has no effect cannot have it twice.
  if (kind === "read") throw meaningless("An Idempotency-Key", "writes");
  if (isRequestId(id)) return id;
  throw new KvError("INVALID_ARGUMENT", "An Idempotency-Key must be 1 to 64 printable ASCII characters");
}

function meaningless(option: string, forWhat: string): KvError {
  return new KvError("INVALID_ARGUMENT", `${option} only has a meaning for ${forWhat}`);
}

/** Headers have dashes where parameters have underscores. */
function take({ headers, parameters }: RequestHead, name: string): string | undefined {
  const fromHeader = headers.get(`kv-${name.replaceAll("_", "-")}`);
  const fromQuery = parameters.take(name);
  if (fromHeader !== undefined && fromQuery !== undefined) {
    throw new KvError("INVALID_ARGUMENT", `${name} is given both as a parameter and as a header`);
  }
  return fromHeader ?? fromQuery;
}

function takeRoute({ headers }: RequestHead): boolean {
  const route = headers.get("kv-route");
  if (route === undefined) return false;
  if (route !== "redirect") throw new KvError("INVALID_ARGUMENT", "KV-Route must be redirect, or left out");
  return true;
}
