import type { Outcome, RegisterOperation, RegisterResult } from "../../support/linearizability/history.ts";
import type { ClientRequest, Exchange } from "./client-connection.ts";

/** An answer that no rule of the interface allows: a defect by itself, whatever the history says. */
class UnlawfulAnswer extends Error {}

/** The HTTP request for an operation on a key. */
export function requestFor(key: string, operation: RegisterOperation): ClientRequest {
  const path = `/v1/kv/${encodeURIComponent(key)}`;
  switch (operation.kind) {
    case "get":
      return { path };
    case "put":
      return { method: "PUT", path, body: operation.value };
    case "putIfAbsent":
      return { method: "PUT", path, body: operation.value, headers: { "If-None-Match": "*" } };
    case "putIfVersion":
      return { method: "PUT", path, body: operation.value, headers: { "If-Match": `"${operation.version}"` } };
    case "delete":
      return { method: "DELETE", path };
    case "deleteIfVersion":
      return { method: "DELETE", path, headers: { "If-Match": `"${operation.version}"` } };
    case "increment": {
      const headers = { "Content-Type": "application/json" };
      return { method: "POST", path: `${path}/increment`, body: JSON.stringify({ by: operation.by }), headers };
    }
  }
}

/** The code of an answer 503, which refuses a request for now. */
export function codeOf({ status, body }: Exchange & { kind: "answer" }): string | undefined {
  return status === 503 ? /"code":"(\w+)"/.exec(body.toString("utf8"))?.[1] : undefined;
}

/**
 * What the exchange says about the operation's effect. `mayBeStranger`: a node of another cluster may stand in the place of one of
 * this, which refuses this one's tokens. Throws UnlawfulAnswer.
 */
export function outcomeOf(operation: RegisterOperation, exchange: Exchange, mayBeStranger = false): Outcome {
  if (exchange.kind === "refused") return { kind: "notApplied" };
  if (exchange.kind === "lost") return { kind: "unknown" };
  const { status, body } = exchange;
  const result = resultOf(operation, exchange);
  if (result !== undefined) return { kind: "ok", result };
  const outcome = /"outcome":"(not_applied|unknown)"/.exec(body.toString("utf8"))?.[1];
  const isBusy = status === 503 && outcome === "not_applied";
  const isStranger = mayBeStranger && status === 400 && body.includes("The KV-Token is of another cluster");
  if (isBusy || isStranger || (status === 504 && outcome === "unknown")) {
    return { kind: outcome === "unknown" ? "unknown" : "notApplied" };
  }
  throw new UnlawfulAnswer(`${operation.kind} was answered ${status}: ${body.toString("utf8").slice(0, 500)}`);
}

/** undefined when the answer is not one that the operation can have when it succeeds or its condition fails. */
function resultOf(operation: RegisterOperation, exchange: Exchange & { kind: "answer" }): RegisterResult | undefined {
  const { status, headers, body } = exchange;
  const version = Number(headers["kv-version"]);
  if (status === 412) return { kind: "preconditionFailed" };
  switch (operation.kind) {
    case "get":
      if (status === 404) return { kind: "absent" };
      return status === 200 ? { kind: "value", value: body.toString("latin1"), version } : undefined;
    case "put":
    case "putIfAbsent":
    case "putIfVersion":
      return status === 200 || status === 201 ? { kind: "written", version } : undefined;
    case "delete":
    case "deleteIfVersion":
      if (status === 404) return { kind: "deleted", existed: false };
      return status === 204 ? { kind: "deleted", existed: true, version } : undefined;
    case "increment": {
      if (status === 409) return { kind: "notAnInteger" };
      const value = /"value":(-?\d+)/.exec(body.toString("utf8"))?.[1];
      return status === 200 && value !== undefined ? { kind: "incremented", value: Number(value), version } : undefined;
    }
  }
}
