import type { ShardDocument } from "../model/shard-document.ts";
import type { MemberState } from "./member-environment.ts";

/**
 * What shows that `document` is older than what this member has seen, as a sentence; null when nothing does. What was seen once
 * cannot be older than the truth (rule C5).
 */
export function faultOfDocument({ epoch, term, version }: ShardDocument, seen: MemberState): string | null {
  const { seenEpoch, leadership } = seen;
  if (epoch < seenEpoch.epoch) {
    return `The coordinator's epoch ${epoch} is older than epoch ${seenEpoch.epoch}, seen here`;
  }
  if (leadership === null || epoch !== leadership.epoch) return null;
  if (term !== leadership.term) return `The coordinator has another term for epoch ${epoch} than was seen here`;
  return version < leadership.setVersion ? `The coordinator's document went back to version ${version}` : null;
}
