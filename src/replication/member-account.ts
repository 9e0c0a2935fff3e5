import type { Clock } from "../base/clock.ts";
import { KvError } from "../model/errors.ts";
import type { InSyncMember } from "../model/leadership.ts";
import { NO_EPOCH, type NodeName } from "../model/position.ts";
import type { PromotionRequest } from "../model/status.ts";
import type { ShardStore } from "../shard/shard-store.ts";
import { roleOf, type Duty } from "./duty.ts";
import type { MemberConfig, MemberState } from "./member-environment.ts";
import type { LogEnd, State } from "./messages.ts";

/** Where a member's log ends; nowhere while it is not recovered. */
export function logEndOf(store: ShardStore | null): LogEnd {
  const { epoch, term } = store?.lastEpoch ?? NO_EPOCH;
  return { lastEpoch: epoch, lastTerm: term, lastSequence: store?.lastSequence ?? 0 };
}

/** Whether the log that ends at `left` goes further than the one that ends at `right`. */
export function isLonger(left: LogEnd, right: LogEnd): boolean {
  if (left.lastEpoch !== right.lastEpoch) return left.lastEpoch > right.lastEpoch;
  return left.lastSequence > right.lastSequence;
}

/** A member's account of itself for other nodes, answering their question `id`. */
export function accountOf(
  member: { readonly state: MemberState; readonly store: ShardStore | null; readonly duty: Duty },
  id: number,
): State {
  const { state, store, duty } = member;
  return {
    ...logEndOf(store),
    id,
    store: state.store,
    seenEpoch: state.seenEpoch.epoch,
    seenTerm: state.seenEpoch.term,
    leadership: state.leadership,
    role: roleOf(duty),
    complete: state.bootstrap === null && state.damage === null,
    recovered: store !== null,
    inConflict: state.conflict !== null,
  };
}

/** The in-sync set of a fresh shard: all listed; their stores are bound at first contact (rule T5). */
export function allListed(config: MemberConfig, state: MemberState): InSyncMember[] {
  return config.shard.members.map(({ node }) =>
    node === config.node ? { ...state.store } : { node, store: null, generation: 0 },
  );
}

/** What a replica last heard of its leader, as a sentence for the operator; null when it follows nobody. */
export function leaderNews(duty: Duty, store: ShardStore | null, clock: Clock): string | null {
  if (duty.kind !== "following" || store === null) return null;
  const { leader, news } = duty.follower;
  if (news.logEnd === 0) {
    return `Leader ${leader} has told nothing yet of its log to this node: how far ahead it is, is not known`;
  }
  const behind = Math.max(0, news.logEnd - store.lastSequence);
  const seconds = ((clock.nowMs() - news.heardMs) / 1000).toFixed(1);
  return (
    `Leader ${leader} was last heard ${seconds} s ago, with its log at ${news.logEnd}: ` +
    `${behind} ${behind === 1 ? "entry" : "entries"} ahead then; what it has taken since, nobody here knows`
  );
}

/** Why a member that does not lead cannot take an operation; definitely not applied. */
export function notLeading(
  config: MemberConfig,
  duty: Duty,
  known: { readonly leader: NodeName | null; readonly epoch: number },
): KvError {
  const leader = known.leader === config.node ? null : known.leader;
  const details = { leader, epoch: known.epoch };
  if (duty.kind === "starting") return new KvError("NOT_READY", `${config.node} is starting`, { details });
  const hint = leader === null ? "no leader is known" : `${leader} leads`;
  return new KvError("NOT_LEADER", `${config.node} does not lead shard ${config.shard.name}; ${hint}`, { details });
}

/** Why this node cannot carry out `request`: it is meant for another one; null when it is not. */
export function misaddressedPromotion(request: PromotionRequest, { node, shard }: MemberConfig): KvError | null {
  if (request.node === node && request.shard === shard.name) return null;
  return new KvError("INVALID_ARGUMENT", `${node} is a member of shard ${shard.name} only`);
}
