import type { Leadership } from "../model/leadership.ts";
import type { Epoch, NodeName } from "../model/position.ts";
import type { ShardStore } from "../shard/shard-store.ts";
import type { LogEnd, State } from "./messages.ts";
import type { MemberState } from "./member-environment.ts";

/** What a starting (or lost) member knows when it decides what to be (rules T2–T5). */
export interface DecisionInputs {
  readonly self: NodeName;
  readonly state: MemberState;
  readonly logEnd: LogEnd;
  /** What the other members said of themselves. */
  readonly accounts: readonly State[];
  readonly isFirstLeader: boolean;
  /** The leader that the configuration names. */
  readonly firstLeader: NodeName;
}

export type Decision =
  | {
      readonly kind: "lead";
      readonly epoch: Epoch;
      readonly base: Leadership | null;
      /** Members whose logs may hold this one and more, the longest first: what they have is fetched before leading. */
      readonly fetchFrom: readonly NodeName[];
    }
  | { readonly kind: "follow"; readonly leader: NodeName; readonly leadership: Leadership | null }
  /** Nothing can be done without the operator or another member; the sentence says what. */
  | { readonly kind: "wait"; readonly reason: string };

/** Decides the first role of a member. Pure: the same knowledge gives the same role. */
export function decideRole(inputs: DecisionInputs): Decision {
  const { self, state, accounts } = inputs;
  if (state.conflict !== null) return { kind: "wait", reason: state.conflict };
  const known = highestLeadership([state.leadership, ...accounts.map((account) => account.leadership)]);
  if (known === null) return decideFirst(inputs);
  if (known.leader.node !== self) return { kind: "follow", leader: known.leader.node, leadership: known };
  const isSameStore = known.leader.store === state.store.store && known.leader.generation === state.store.generation;
  if (state.damage !== null) {
    return { kind: "wait", reason: `${state.damage}; this copy does not lead: promote another member (kv promote)` };
  }
  if (!isSameStore || state.bootstrap !== null) {
    const reason =
      "This node led the shard with another store, which is gone; promote a member that has the data (kv promote)";
    return { kind: "wait", reason };
  }
  const longer = accounts
    .filter((account) => mayContinue(account, inputs.logEnd))
    .sort((a, b) => b.lastEpoch - a.lastEpoch || b.lastSequence - a.lastSequence);
  const epoch = highestEpoch(inputs) + 1;
  return { kind: "lead", epoch, base: known, fetchFrom: longer.map(({ store }) => store.node) };
}

/**
 * Whether a log that ends at `other` may hold this one and more (rule T3): entries of the same leadership, or of a later one
 * whose very start this node's disk has lost with its newest batch. Fetching them finds out whether it does.
 */
function mayContinue(other: LogEnd, own: LogEnd): boolean {
  if (other.lastSequence <= own.lastSequence) return false;
  return other.lastEpoch > own.lastEpoch || (other.lastEpoch === own.lastEpoch && other.lastTerm === own.lastTerm);
}

/** The leadership with the highest epoch, then the newest set; null when there is none. */
export function highestLeadership(candidates: readonly (Leadership | null)[]): Leadership | null {
  let highest: Leadership | null = null;
  for (const candidate of candidates) {
    if (candidate !== null && (highest === null || outranks(candidate, highest))) highest = candidate;
  }
  return highest;
}

/** Whether `a` supersedes `b`. Equal epochs of different terms have no order. */
export function outranks(a: Leadership, b: Leadership): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.term === b.term && a.setVersion > b.setVersion);
}

/** The highest epoch that anybody has named. */
export function highestEpoch(inputs: Pick<DecisionInputs, "state" | "logEnd" | "accounts">): Epoch {
  const { state, logEnd, accounts } = inputs;
  const ofAccounts = accounts.flatMap((one) => [one.seenEpoch, one.lastEpoch, one.leadership?.epoch ?? 0]);
  return Math.max(state.seenEpoch.epoch, logEnd.lastEpoch, state.leadership?.epoch ?? 0, ...ofAccounts);
}

/** Nobody knows of any leadership: the configuration decides, unless somebody holds data. */
function decideFirst({ state, logEnd, accounts, isFirstLeader, firstLeader }: DecisionInputs): Decision {
  if (!isFirstLeader) return { kind: "follow", leader: firstLeader, leadership: null };
  const holder = accounts.find((account) => account.lastSequence > 0);
  if (holder !== undefined) {
    const reason =
      `The configuration names this node leader, but its directory is empty and ${holder.store.node} holds data; ` +
      "promote that node (kv promote), or restore this one's directory";
    return { kind: "wait", reason };
  }
  if (logEnd.lastSequence > 0 || state.bootstrap !== null || state.damage !== null) {
    return { kind: "wait", reason: "This directory holds entries but no leadership; promote a member (kv promote)" };
  }
  return { kind: "lead", epoch: 1 + highestEpoch({ state, logEnd, accounts }), base: null, fetchFrom: [] };
}

/** What a promotion adds to the highest epoch, so that it outranks restarts it has not seen (rule T2). */
export const PROMOTION_EPOCH_STEP = 1000;

/** Whether the log holds the entry that `leadership` began with: without it, others may know versions that this node does not. */
export function hasStartOf(store: ShardStore | null, { epoch, term }: Leadership): boolean {
  return store?.log.epochs.some((mark) => mark.epoch === epoch && mark.term === term) === true;
}
