import type { CallOutcome } from "./call-outcome.ts";
import { type CallResult, textOf } from "./http-endpoint.ts";
import { JsonAnswer } from "./json-answer.ts";

/**
 * gRPC codes with which etcd refuses a request before it is proposed, or when it is applied, without any effect: invalid argument,
 * permission denied, resource exhausted (no space, too many requests) and unauthenticated. All others leave it open (rule C2).
 */
const DEFINITE_CODES: readonly number[] = [3, 7, 8, 16];
export const CODE_INVALID_ARGUMENT = 3;
export const CODE_FAILED_PRECONDITION = 9;
export const CODE_UNAUTHENTICATED = 16;

/** With which HTTP servers refuse what they do not even hand on. */
const DEFINITE_STATUSES: readonly number[] = [400, 401, 403, 404, 405, 413, 414, 431];

/** What an answer of the gateway says; of what is not known, that it is not known. */
export function etcdOutcome<Result>(
  result: CallResult,
  decode: (answer: JsonAnswer) => Result | null,
): CallOutcome<Result> {
  if (result.kind === "unsent") return { kind: "failed", reason: result.reason };
  if (result.kind === "lost") return { kind: "unknown", reason: result.reason };
  const answer = JsonAnswer.parse(result.body);
  if (result.status === 200) {
    const decoded = answer === null ? null : decode(answer);
    if (decoded !== null) return { kind: "understood", result: decoded };
    return { kind: "unknown", reason: `What answers is not etcd: ${textOf(result.body)}` };
  }
  const code = codeOf(result);
  const isDefinite = code === null ? DEFINITE_STATUSES.includes(result.status) : DEFINITE_CODES.includes(code);
  const reason = answer?.text("message") ?? answer?.text("error") ?? textOf(result.body);
  return { kind: isDefinite ? "failed" : "unknown", reason: `etcd answered ${result.status}: ${reason}` };
}

/** The gRPC code of an error's answer; null when there is none. */
export function codeOf(result: CallResult): number | null {
  if (result.kind !== "answer" || result.status === 200) return null;
  return JsonAnswer.parse(result.body)?.whole("code") ?? null;
}
