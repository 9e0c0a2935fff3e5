import {
  bitOf,
  type Budgets,
  type ClusterState,
  emptyPair,
  emptyProposal,
  entryOf,
  FOLLOWER,
  LEADER,
  type NodeState,
  type PairState,
  RESTART,
  storeRef,
  type StoreRef,
} from "./cluster-state.ts";
import type { MutantId } from "./mutants.ts";
import type { Profile } from "./profiles.ts";

/** Ticks. The inequality of §2.2 at its tightest: a lease that ends in the very tick in which the promise does. */
export const LEASE_TICKS = 2;
const GRACE_TICKS = 2;

const ORPHAN_SLOTS = 2;
const WRITE_SLOTS = 3;

/**
 * Owns the one cluster that actions change: the explorer puts a state into it, runs an action and takes the successor out.
 * `violation` is what an action found wrong with what it was doing; the explorer clears it.
 */
export class World {
  readonly profile: Profile;
  readonly state: ClusterState;
  readonly grace: number;
  violation: string | undefined;
  readonly #mutant: MutantId | undefined;

  constructor(profile: Profile, mutant?: MutantId) {
    this.profile = profile;
    this.#mutant = mutant;
    this.state = firstState(profile);
    this.grace = mutant === "M23" ? LEASE_TICKS - 1 : GRACE_TICKS;
  }

  get count(): number {
    return this.profile.nodes;
  }

  has(mutant: MutantId): boolean {
    return this.#mutant === mutant;
  }

  node(index: number): NodeState {
    return present(this.state.nodes[index]);
  }

  pair(from: number, to: number): PairState {
    return present(this.state.pairs[from * this.profile.nodes + to]);
  }

  ref(index: number): StoreRef {
    return storeRef(index, this.node(index).generation);
  }

  bit(index: number): number {
    return bitOf(this.ref(index));
  }

  /** Takes one of a bounded thing, or says that there is none left. */
  spend(what: keyof Budgets): boolean {
    if (this.state.left[what] === 0) return false;
    this.state.left[what] -= 1;
    return true;
  }

  hasLeft(what: keyof Budgets): boolean {
    return this.state.left[what] > 0;
  }

  fail(reason: string): void {
    this.violation ??= reason;
  }
}

/** Node 0 leads in epoch 1; everyone has its `epochStart` on disk, knows it committed and has a session. */
function firstState(profile: Profile): ClusterState {
  const start = entryOf(1, 0);
  const everyone = Array.from({ length: profile.nodes }, (_, index) => bitOf(storeRef(index, 0)));
  const isr = everyone.reduce((set, bit) => set | bit, 0);
  const nodes = everyone.map((_, index): NodeState => ({
    isUp: true,
    role: index === 0 ? LEADER : FOLLOWER,
    seen: 1,
    log: [start],
    flushed: 1,
    commit: 1,
    generation: 0,
    isComplete: true,
    promise: 0,
    connectedTo: index === 0 ? 0 : 1,
    led: index === 0 ? 1 : 0,
    epochStart: index === 0 ? 1 : 0,
    confirmed: index === 0 ? isr : 0,
    proposed: 0,
    change: { ...emptyProposal(), fate: 0 },
    lateEntry: 0,
  }));
  const pairs = Array.from({ length: profile.nodes ** 2 }, (_, index): PairState => {
    const isSession = index > 0 && index < profile.nodes;
    return { ...emptyPair(), hasSession: isSession, sessionComplete: isSession, sessionDurable: isSession ? 1 : 0 };
  });
  const { writes, crashes, wipes, lateSwaps, touches, setChanges, handovers, reads, resignations } = profile;
  return {
    nodes,
    pairs,
    document: { kind: RESTART, epoch: 1, leader: storeRef(0, 0), isr },
    orphans: Array.from({ length: ORPHAN_SLOTS }, emptyProposal),
    left: { writes, crashes, wipes, lateSwaps, touches, setChanges, handovers, reads, resignations },
    writesBegun: 0,
    acked: 0,
    failed: 0,
    committed: [start],
    readBy: 0,
    readLength: 0,
    readAcked: 0,
    leaseFlags: 0,
    waiting: Array.from({ length: WRITE_SLOTS }, () => 0),
  };
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("there is no such node");
  return value;
}
