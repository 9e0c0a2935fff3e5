import type { KvError, Outcome } from "../model/errors.ts";
import type { Answer } from "./answer.ts";

const RETRY_AFTER_SECONDS = "1";

/** An error as members of a JSON object: the body of a problem, or a part of a batch's result. */
export interface ProblemMembers {
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly outcome: Outcome;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** An error as an `application/problem+json` answer (RFC 9457); 503 says when to come back. */
export function problemAnswer(error: KvError, headers: readonly string[] = []): Answer {
  const members = problemMembers(error);
  const problem = { type: `urn:kv:error:${error.code}`, title: titleOf(error.code), ...members };
  const retry = members.status === 503 ? ["Retry-After", RETRY_AFTER_SECONDS] : [];
  const { allow } = error.details;
  const allowed = Array.isArray(allow) ? ["Allow", allow.join(", ")] : [];
  return {
    status: members.status,
    headers: [
      "Content-Type",
      "application/problem+json",
      "Cache-Control",
      "no-store",
      ...retry,
      ...allowed,
      ...headers,
    ],
    body: Buffer.from(`${JSON.stringify(problem, withoutBigInt)}\n`, "utf8"),
  };
}

export function problemMembers(error: KvError): ProblemMembers {
  const { http: status, outcome } = error.kind;
  const members = { status, detail: error.message, code: error.code, outcome };
  return Object.keys(error.details).length === 0 ? members : { ...members, details: error.details };
}

/** `KEY_TOO_LONG` → `Key too long`. */
function titleOf(code: string): string {
  const words = code.toLowerCase().replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function withoutBigInt(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
