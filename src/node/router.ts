import { isBounded } from "../model/read-bounds.ts";
import type { Operation, Reply, ReplyCallback, RequestOptions } from "../model/operation.ts";
import type { NodeName } from "../model/position.ts";
import type { Shard } from "../model/topology.ts";
import type { Forwarder } from "./forwarder.ts";
import { isForAnyMember, isRead } from "./operation-traits.ts";
import { OrderedLane, type Attempt, type LaneParts } from "./ordered-lane.ts";
import { noLeader, overloaded } from "./refusals.ts";
import { failure, honestReply, verdictOf } from "./verdict.ts";

export interface RouterParts extends Omit<LaneParts, "attempt"> {
  readonly forwarder: Forwarder;
}

/**
 * Decides for each operation of this node's clients where it is done: here when this node's member leads the shard, else
 * at the shard's leader; a read that may be `eventual` at any member, this one's own first. One that is bounded (what was seen, how
 * old it may be) is asked of one member, then of the leader, which holds every bound.
 *
 * Owns no requests: each is in a lane, in a round of members, or in the local member's hands. What fails is decided by
 * `verdictOf` alone.
 */
export class Router {
  readonly #parts: RouterParts;
  readonly #laneParts: LaneParts;
  /** Where the next `eventual` read of another shard begins, so that members share them. */
  #turn = 0;

  constructor(parts: RouterParts) {
    this.#parts = parts;
    this.#laneParts = { ...parts, attempt: (attempt, done) => this.#attempt(attempt, done) };
  }

  /** A lane for one connection's requests for `shard`. */
  laneFor(shard: Shard): OrderedLane {
    return new OrderedLane(shard, this.#laneParts);
  }

  /** Does `operation` without an order to keep. `deadlineMs` is on the clock. */
  execute(request: ShardRequest, done: ReplyCallback): void {
    const { shard, operation, options, deadlineMs } = request;
    if (isForAnyMember(operation, options)) {
      if (isBounded(options)) this.#askWithinBounds(request, done);
      else this.#askInTurn(this.#membersFrom(shard), request, done);
      return;
    }
    const { member } = this.#parts;
    if (member.role !== "leader" || member.shard !== shard.name) {
      this.laneFor(shard).submit(operation, options, done, deadlineMs);
      return;
    }
    member.execute(operation, options, (reply) => {
      if (reply.ok || verdictOf(reply, isRead(operation)) === "final") done(reply);
      else this.laneFor(shard).submit(operation, options, done, deadlineMs);
    });
  }

  /** Asks one member, and where that one cannot keep the bounds the leader, which keeps every bound. */
  #askWithinBounds(request: ShardRequest, done: ReplyCallback): void {
    const { shard, operation, options, deadlineMs } = request;
    const askLeader = (): void => {
      this.laneFor(shard).submit(operation, { ...options, consistency: "linearizable" }, done, deadlineMs);
    };
    // No copy but the leader's shows everything at every moment.
    if (options.maxLagMs === 0) return askLeader();
    const nowMs = this.#parts.clock.nowMs();
    const half = { ...request, deadlineMs: nowMs + (deadlineMs - nowMs) / 2 };
    this.#askInTurn(this.#membersFrom(shard).slice(0, 1), half, (reply) => {
      if (verdictOf(reply, true) === "final") done(reply);
      else askLeader();
    });
  }

  /** Tries `members` one after the other, each at most once. */
  #askInTurn(members: readonly NodeName[], request: ShardRequest, done: ReplyCallback): void {
    const { clock, admission } = this.#parts;
    const { shard, operation, options } = request;
    let isAdmitted = false;
    const finish = (reply: Reply): void => {
      if (isAdmitted) admission.leave(shard.name);
      done(honestReply(reply, true));
    };
    const tryFrom = (index: number): void => {
      const target = members[index];
      if (target === undefined) {
        finish(failure(noLeader(shard)));
        return;
      }
      isAdmitted ||= target !== this.#parts.node && admission.enter(shard.name);
      if (!isAdmitted && target !== this.#parts.node) {
        finish(overloaded(shard));
        return;
      }
      const isLast = index === members.length - 1;
      const leftMs = Math.max(1, request.deadlineMs - clock.nowMs());
      const timeoutMs = isLast ? leftMs : leftMs / 2;
      this.#attempt({ shard, operation, options, target, timeoutMs }, (reply) => {
        if (isLast || verdictOf(reply, true) === "final") finish(reply);
        else tryFrom(index + 1);
      });
    };
    tryFrom(0);
  }

  /** All members of the shard, this node first when it is one of them, else from a different one each time. */
  #membersFrom(shard: Shard): readonly NodeName[] {
    const { node, member } = this.#parts;
    const names = shard.members.map((one) => one.node);
    if (member.shard === shard.name) return [node, ...names.filter((name) => name !== node)];
    const start = this.#turn++ % names.length;
    return [...names.slice(start), ...names.slice(0, start)];
  }

  #attempt(attempt: Attempt, done: ReplyCallback): void {
    const { node, member, forwarder } = this.#parts;
    if (attempt.target !== node) {
      forwarder.operate({ ...attempt, hops: 1 }, done);
      return;
    }
    member.execute(attempt.operation, attempt.options, (reply) => {
      this.#parts.directory.heardHere(reply);
      done(reply);
    });
  }
}

export interface ShardRequest {
  readonly shard: Shard;
  readonly operation: Operation;
  readonly options: RequestOptions;
  /** On the clock. */
  readonly deadlineMs: number;
}
