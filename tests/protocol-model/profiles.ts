import type { Budgets } from "./cluster-state.ts";

/**
 * The bounds of one exploration. `slowFlush` separates the append from its flush; `slowAcks` and `slowEntries` let what replica and
 * leader say travel; `clock` adds beacons, promises, leases and reads. Without it a promotion may start at any moment.
 */
export interface Profile extends Budgets {
  readonly nodes: number;
  /** No change may ask for a higher epoch. */
  readonly epochs: number;
  /** Below this size of the confirmed set nothing is committed (rule I3). */
  readonly minInSync: number;
  readonly clock: boolean;
  readonly slowFlush: boolean;
  readonly slowAcks: boolean;
  readonly slowEntries: boolean;
}

export const PROFILE_NAMES = [
  "pairFlush",
  "pairMessages",
  "pairSwaps",
  "pairTerms",
  "pairWipe",
  "pairMinInSync",
  "trio",
  "trioTerms",
  "trioFlush",
  "pairClock",
  "pairClockTerms",
  "trioClock",
] as const;

export type ProfileName = (typeof PROFILE_NAMES)[number];

const NOTHING: Profile = {
  nodes: 2,
  epochs: 2,
  writes: 0,
  crashes: 0,
  wipes: 0,
  lateSwaps: 0,
  touches: 0,
  setChanges: 0,
  handovers: 0,
  reads: 0,
  resignations: 0,
  minInSync: 1,
  clock: false,
  slowFlush: false,
  slowAcks: false,
  slowEntries: false,
};

/** Each profile looks at one part of the protocol closely instead of at everything a little. */
export const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  /** Power cuts between append, flush and acknowledgement. */
  pairFlush: { ...NOTHING, epochs: 3, writes: 2, crashes: 2, setChanges: 2, slowFlush: true },
  /** What is on its way when the term, the session or the process changes. */
  pairMessages: { ...NOTHING, epochs: 3, writes: 2, crashes: 1, setChanges: 1, slowAcks: true, slowEntries: true },
  /** Requests to the coordinator that take effect late, and an operator who writes in between. */
  pairSwaps: {
    ...NOTHING,
    epochs: 3,
    writes: 1,
    crashes: 1,
    resignations: 1,
    lateSwaps: 2,
    touches: 1,
    setChanges: 3,
    handovers: 1,
  },
  /** Logs that part, term after term. */
  pairTerms: { ...NOTHING, epochs: 4, writes: 2, crashes: 1 },
  /** A disk that comes back empty, and its copy. */
  pairWipe: { ...NOTHING, epochs: 3, writes: 1, crashes: 1, wipes: 1, setChanges: 3, slowAcks: true },
  /** A set that is too small to commit; the one set change cannot be an expand unless a promotion left a member out. */
  pairMinInSync: { ...NOTHING, writes: 1, crashes: 1, setChanges: 1, minInSync: 2 },
  /** Three members: sets that shrink and grow while a third one takes over. */
  trio: { ...NOTHING, nodes: 3, epochs: 2, writes: 1, setChanges: 2 },
  trioTerms: { ...NOTHING, nodes: 3, epochs: 3, writes: 1, crashes: 1 },
  trioFlush: { ...NOTHING, nodes: 3, epochs: 2, writes: 1, crashes: 1, slowFlush: true },
  /** Leases, promises and reads. */
  pairClock: {
    ...NOTHING,
    writes: 1,
    crashes: 1,
    resignations: 1,
    lateSwaps: 1,
    setChanges: 1,
    handovers: 1,
    reads: 1,
    clock: true,
  },
  pairClockTerms: { ...NOTHING, epochs: 3, writes: 1, crashes: 1, lateSwaps: 1, handovers: 1, reads: 1, clock: true },
  trioClock: { ...NOTHING, nodes: 3, clock: true },
};
