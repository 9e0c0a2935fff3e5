import { mutant } from "../base/mutants.ts";
import { KvError } from "../model/errors.ts";
import type { Reply } from "../model/operation.ts";

/**
 * What may follow an answer: `final` goes to the client as it is; `elsewhere` was definitely not applied there and another
 * node may know better; `later` was definitely not applied and the same node may serve it soon.
 */
export type Verdict = "final" | "elsewhere" | "later";

/**
 * The one place that decides whether an operation may be tried again (rules U4, U5, M64).
 *
 * Only what was definitely not applied is: a write whose connection broke after it was sent stays unknown, whatever
 * follows. A read may be repeated however it was lost.
 */
export function verdictOf(reply: Reply, read: boolean): Verdict {
  if (reply.ok) return "final";
  switch (reply.error.code) {
    case "NOT_LEADER":
    case "NO_LEADER":
    case "UNREACHABLE":
    case "TOO_MANY_HOPS":
    case "STOPPING":
      return "elsewhere";
    case "NOT_READY":
      return "later";
    case "UNKNOWN_OUTCOME":
      return read || mutant("M64") ? "elsewhere" : "final";
    default:
      return "final";
  }
}

/** The answer for the client: a read changes nothing, so that losing it is never "unknown" (§2.15). */
export function honestReply(reply: Reply, read: boolean): Reply {
  if (reply.ok || !read || reply.error.outcome === "not_applied") return reply;
  if (reply.error.code !== "UNKNOWN_OUTCOME") return reply;
  return failure(new KvError("UNREACHABLE", `The read got no answer: ${reply.error.message}`, { cause: reply.error }));
}

export function failure(error: KvError): Reply {
  return { ok: false, error };
}
