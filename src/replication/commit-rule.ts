import { type InSyncMember, isSameStore } from "../model/leadership.ts";
import type { NodeName, Sequence } from "../model/position.ts";
import type { ReplicaSession } from "./replica-sessions.ts";
import { mutant } from "../base/mutants.ts";

/** What the commit rule looks at. */
export interface CommitInputs {
  readonly self: NodeName;
  /** Flushed by the leader itself (rule K1: counted like any other member). */
  readonly ownDurable: Sequence;
  readonly inSync: readonly InSyncMember[];
  readonly sessionOf: (node: NodeName) => ReplicaSession | undefined;
}

/**
 * The highest sequence that every member of the in-sync set has flushed (§2.7). Needs no clock: whoever leads next is a
 * member of the set, so it has everything up to here.
 *
 * A member counts only under the store it was listed with (D7), in a session whose log ends were found to match, and only
 * when it is complete (M99).
 */
export function inSyncSequence(inputs: CommitInputs): Sequence {
  let lowest = inputs.ownDurable;
  for (const member of inputs.inSync) {
    if (member.node === inputs.self) continue;
    const session = inputs.sessionOf(member.node);
    const durable = session !== undefined && counts(member, session) ? session.durable : 0;
    if (mutant("M03") && durable >= inputs.ownDurable) return durable;
    lowest = Math.min(lowest, durable);
  }
  return lowest;
}

/** Whether what `session` confirms counts for `member`. */
export function counts(member: InSyncMember, session: ReplicaSession): boolean {
  return isSameStore(member, session.store) && session.isMatched && (session.isComplete || mutant("M99"));
}
