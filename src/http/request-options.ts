import { KvError } from "../model/errors.ts";
import type { RequestOptions } from "../model/operation.ts";
import type { RequestHead } from "./request-head.ts";

/** The options of a request on one key. `redirect`: the client wants to be sent to the leader instead of being forwarded. */
export interface KeyRequestOptions {
  readonly options: RequestOptions;
  readonly redirect: boolean;
}

/**
 * Takes the options of a request, each from the query or from its header, never both.
 * Throws INVALID_ARGUMENT for unknown values, NOT_SUPPORTED for options of later versions.
 */
export function takeOptions(head: RequestHead): RequestOptions {
  if (head.headers.has("kv-route")) {
    throw new KvError("UNKNOWN_PARAMETER", "The header kv-route only has a meaning for requests on one key");
  }
  return takeKeyOptions(head).options;
}

/** The same for requests on one key, which also take `KV-Route`. */
export function takeKeyOptions(head: RequestHead): KeyRequestOptions {
  refuseLaterOptions(head);
  const consistency = take(head, "consistency") ?? "linearizable";
  const durability = take(head, "durability") ?? null;
  if (consistency === "strict") throw notSupported("consistency=strict");
  if (consistency !== "linearizable" && consistency !== "eventual") {
    throw new KvError("INVALID_ARGUMENT", "consistency must be linearizable or eventual");
  }
  if (durability !== null && durability !== "async" && durability !== "in-sync") {
    throw new KvError("INVALID_ARGUMENT", "durability must be async or in-sync");
  }
  return { options: { consistency, durability }, redirect: takeRoute(head) };
}

/** For paths that have no options: a known option that would do nothing is refused like an unknown one. */
export function refuseOptions(head: RequestHead): void {
  refuseLaterOptions(head);
  for (const name of ["kv-consistency", "kv-durability", "kv-route"]) {
    if (head.headers.has(name)) throw new KvError("UNKNOWN_PARAMETER", `The header ${name} has no meaning here`);
  }
  head.parameters.refuseRest();
}

function refuseLaterOptions({ headers, parameters }: RequestHead): void {
  if (headers.has("idempotency-key")) throw notSupported("Idempotency-Key");
  if (headers.has("kv-token")) throw notSupported("KV-Token");
  if (headers.has("kv-max-lag-ms") || parameters.has("max_lag_ms")) throw notSupported("max_lag_ms");
}

function take({ headers, parameters }: RequestHead, name: string): string | undefined {
  const fromHeader = headers.get(`kv-${name}`);
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

function notSupported(option: string): KvError {
  return new KvError("NOT_SUPPORTED", `${option} is not supported by this version`);
}
