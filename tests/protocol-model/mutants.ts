import type { ProfileName } from "./profiles.ts";

/** A mistake of replication.md §3 (`M…`), or one more that this model can plant (`X…`), and the bounds under which it shows. */
export interface Mutant {
  readonly id: MutantId;
  readonly mistake: string;
  readonly profile: ProfileName;
}

const CAUGHT = [
  ["M01", "pairFlush", "the leader acknowledges before its own flush"],
  ["M02", "pairFlush", "a replica reports what it received, not what it flushed"],
  ["M03", "trio", "acknowledged when any replica has it, though any in-sync member may be promoted"],
  ["M04", "pairSwaps", "the leader drops a member from its own set before the coordinator has"],
  ["M05", "pairSwaps", "the leader goes on with the set that it had read when it began"],
  ["M06", "pairSwaps", "waits of clients survive the term and end when the new leader's commit passes their position"],
  ["M07", "pairSwaps", "a write that was appended is answered as failed when its time is over"],
  ["M08", "pairSwaps", "acknowledged at the leader's own flush as if it were in-sync"],
  ["M09", "pairWipe", "a statement from before the replica lost its disk counts in the new session"],
  ["M10", "pairTerms", "a replica's position counts before its tail is known to match"],
  ["M12", "pairClock", "only a timer ends the lease"],
  ["M13", "pairClock", "a lease checked before the request arrived is good enough for it"],
  ["M14", "pairClock", "the lease counts from the receipt of the echo"],
  ["M15", "pairClock", "the promise counts from the event loop's cached time"],
  ["M16", "pairClock", "the promise is kept by the wall clock"],
  ["M17", "trioClock", "a majority of echoes makes a lease"],
  ["M18", "pairClock", "a candidate still answers the old leader's beacons"],
  ["M19", "pairClock", "a promise is forgotten at restart"],
  ["M20", "pairClock", "a promotion that was given up takes effect and is acted on at once"],
  ["M23", "pairClock", "the grace is shorter than the lease"],
  ["M25", "pairTerms", "a follower cuts to its own commit when the leader changes"],
  ["M26", "pairSwaps", "only lengths are compared, not epochs"],
  ["M27", "pairFlush", "a restarted leader goes on in its old epoch"],
  ["M28", "trioTerms", "a follower listens to a leader of a lower epoch than it has seen"],
  ["M29", "trioTerms", "the highest epoch seen is kept in memory only"],
  ["M30", "pairTerms", "the first answer about where logs part is taken as final"],
  ["M34", "pairMessages", "entries of the leader before are applied after the switch"],
  ["M35", "pairWipe", "members go by host name: a wiped disk comes back under the same name"],
  ["M36", "pairWipe", "a member is added when it has reached the commit that a new leader knows"],
  ["M37", "pairSwaps", "a new member counts only after the coordinator has confirmed it"],
  ["M38", "pairSwaps", "an expand of unknown outcome counts as failed after one more look"],
  ["M39", "pairSwaps", "a repeated request takes its own success for a conflict"],
  ["M40", "pairWipe", "an incomplete replica is promoted"],
  ["M43", "pairWipe", "a replica discards its data under the name that is still in-sync"],
  ["M44", "pairSwaps", "a node that is not in-sync is promoted because nobody else is there"],
  ["M45", "pairClock", "a read shows what is not committed"],
  ["M49", "pairClock", "a new leader serves before its first entry is committed"],
  ["M93", "pairFlush", "an old write lands after the node has stepped down"],
  ["M99", "pairWipe", "an incomplete replica counts and is added"],
  ["X01", "pairClockTerms", "a leader named after it had crashed leads without waiting for its grace"],
  ["X03", "pairClock", "a leader serves again though the outcome of its handover is unknown"],
  ["X05", "pairSwaps", "a refused change counts as failed because the document bears another's token"],
] as const;

/** Other readings of the rules, under which nothing breaks as far as the bounds reach. */
const HARMLESS = [
  ["X02", "pairWipe", "a member is added only when the leader has committed its own epochStart"],
  ["X04", "pairClockTerms", "the lease is checked after the request arrived, then the value is taken"],
  ["X06", "pairClockTerms", "a restarted node leads in the epoch that names it, if its store has never acted in that"],
  ["X07", "pairWipe", "adding a member replaces the store it had before in the same change"],
] as const;

export type MutantId = (typeof CAUGHT)[number][0] | (typeof HARMLESS)[number][0];

export const CAUGHT_MUTANTS: readonly Mutant[] = CAUGHT.map(([id, profile, mistake]) => ({ id, profile, mistake }));
export const HARMLESS_MUTANTS: readonly Mutant[] = HARMLESS.map(([id, profile, mistake]) => ({ id, profile, mistake }));
