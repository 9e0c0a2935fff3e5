/** A store is named by its node and generation (rule D7): `node * 2 + generation`. A set of stores is a mask of such bits. */
export type StoreRef = number;

export const FOLLOWER = 0;
export const CANDIDATE = 1;
export const LEADER = 2;

/** Kinds of change of the coordinator's document. `NO_CHANGE` marks an empty slot. */
export const NO_CHANGE = 0;
export const SHRINK = 1;
export const EXPAND = 2;
export const PROMOTE = 3;
export const RESTART = 4;
export const HANDOVER = 5;
/** The operator's change: it leaves epoch, leader and set as they are, and replaces token and cause. */
export const MEMBERS = 6;

/** What became of a request: it may still take effect, it did, or the revision it expects is gone for good (rule C3). */
export const OPEN = 0;
export const LANDED = 1;
export const DEAD = 2;

/** The coordinator's document, and equally what a compare-and-swap would put there. */
export interface Proposal {
  kind: number;
  epoch: number;
  leader: StoreRef;
  isr: number;
}

export interface Change extends Proposal {
  fate: number;
}

/** One process and its disk. `seen`, `log` up to `flushed`, `generation` and `isComplete` survive a crash. */
export interface NodeState {
  isUp: boolean;
  role: number;
  seen: number;
  log: number[];
  flushed: number;
  commit: number;
  generation: number;
  isComplete: boolean;
  /** Ticks until this node may start a promotion (rule L5, L7). */
  promise: number;
  /** The leader whose session it has, plus one. */
  connectedTo: number;
  /** The epoch it leads, or 0. */
  led: number;
  epochStart: number;
  confirmed: number;
  proposed: number;
  change: Change;
  /** Mutant M93 only: an entry that a write in flight will still append. */
  lateEntry: number;
}

/** What one node holds about another (`session…`, `lease`), and what is on its way from it to the other. */
export interface PairState {
  hasSession: boolean;
  sessionGeneration: number;
  sessionComplete: boolean;
  sessionDurable: number;
  lease: number;
  ackEpoch: number;
  ackDurable: number;
  ackComplete: boolean;
  beaconEpoch: number;
  beaconAge: number;
  echoEpoch: number;
  echoAge: number;
  /** An ENTRIES message: the leader's epoch, the position it was asked for, an entry or 0, and the leader's commit. */
  entriesEpoch: number;
  entriesAt: number;
  entriesEntry: number;
  entriesCommit: number;
}

/** How much of each bounded thing is left. */
export interface Budgets {
  writes: number;
  crashes: number;
  wipes: number;
  lateSwaps: number;
  touches: number;
  /** Shrinks and expands together. */
  setChanges: number;
  handovers: number;
  reads: number;
  resignations: number;
}

/** The whole cluster. `committed`, `acked` and `failed` are the observer's: no rule reads them. */
export interface ClusterState {
  nodes: NodeState[];
  /** Row by row: what node `a` has about node `b` is at `a * nodes + b`. */
  pairs: PairState[];
  document: Proposal;
  /** Requests whose sender is gone and which may still take effect. */
  orphans: Proposal[];
  left: Budgets;
  writesBegun: number;
  acked: number;
  failed: number;
  committed: number[];
  /** The one read under way: its leader plus one, the length of log it saw, and what was acknowledged when it began. */
  readBy: number;
  readLength: number;
  readAcked: number;
  /** Mutant M12 only: leaders whose lease flag is up. */
  leaseFlags: number;
  /** Mutant M06 only: for each write the node that still waits for it (plus one) and the position it waits for. */
  waiting: number[];
}

/** An entry is its epoch and the number of a client's write, or 0 for `epochStart`. */
export function entryOf(epoch: number, write: number): number {
  return (epoch << 4) | write;
}

export function epochOf(entry: number): number {
  return entry >> 4;
}

export function writeOf(entry: number): number {
  return entry & 15;
}

export function storeRef(node: number, generation: number): StoreRef {
  return node * 2 + generation;
}

export function bitOf(ref: StoreRef): number {
  return 1 << ref;
}

export function emptyProposal(): Proposal {
  return { kind: NO_CHANGE, epoch: 0, leader: 0, isr: 0 };
}

export function emptyPair(): PairState {
  return {
    hasSession: false,
    sessionGeneration: 0,
    sessionComplete: false,
    sessionDurable: 0,
    lease: 0,
    ackEpoch: 0,
    ackDurable: 0,
    ackComplete: false,
    beaconEpoch: 0,
    beaconAge: 0,
    echoEpoch: 0,
    echoAge: 0,
    entriesEpoch: 0,
    entriesAt: 0,
    entriesEntry: 0,
    entriesCommit: 0,
  };
}
