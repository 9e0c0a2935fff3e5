import { KvError } from "../model/errors.ts";
import type { Reply } from "../model/operation.ts";

/**
 * What a command that is carried out in parts (one a shard) failed with; null when every part succeeded.
 *
 * Refusals are definite only when no part took effect. As soon as one did, or one is unknown, the whole is unknown: "not
 * applied" would be untrue, and so would "applied".
 */
export function failureOfParts(replies: readonly Reply[]): KvError | null {
  const errors = replies.flatMap((reply) => (reply.ok ? [] : [reply.error]));
  const [first] = errors;
  if (first === undefined) return null;
  const unknown = errors.find((error) => error.outcome === "unknown");
  if (unknown !== undefined) return unknown;
  if (errors.length === replies.length) return first;
  const doneCount = replies.length - errors.length;
  const message = `Done for ${doneCount} of ${replies.length} parts; the others were refused: ${first.message}`;
  return new KvError("UNKNOWN_OUTCOME", message, { cause: first });
}
