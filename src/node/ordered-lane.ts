import { BoundedQueue } from "../base/bounded-queue.ts";
import type { Clock, Timers } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { LIMITS } from "../model/limits.ts";
import type { Operation, Reply, ReplyCallback, RequestOptions } from "../model/operation.ts";
import type { NodeName } from "../model/position.ts";
import type { Shard } from "../model/topology.ts";
import type { Admission } from "./admission.ts";
import type { LeaderDirectory } from "./leader-directory.ts";
import type { NodeCounters } from "./node-counters.ts";
import type { LocalMember } from "./local-member.ts";
import { isRead, operationBytesAtMost } from "./operation-traits.ts";
import { late, noLeader, overloaded } from "./refusals.ts";
import { failure, honestReply, verdictOf, type Verdict } from "./verdict.ts";

/** One attempt at one node, which may be this one. `done` is called exactly once, perhaps before `attempt` returns. */
export interface Attempt {
  readonly shard: Shard;
  readonly operation: Operation;
  readonly options: RequestOptions;
  readonly target: NodeName;
  readonly timeoutMs: number;
}

export interface LaneParts {
  readonly node: NodeName;
  /** This node's own member. */
  readonly member: LocalMember;
  readonly directory: LeaderDirectory;
  readonly admission: Admission;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly counters: NodeCounters;
  readonly attempt: (attempt: Attempt, done: ReplyCallback) => void;
}

/** Who waits for an answer, since when and until when, on the clock. */
interface Asked {
  readonly done: ReplyCallback;
  readonly nowMs: number;
  readonly deadlineMs: number;
}

interface LaneRequest {
  readonly operation: Operation;
  readonly options: RequestOptions;
  readonly done: ReplyCallback;
  readonly deadlineMs: number;
  readonly retryUntilMs: number;
  isAdmitted: boolean;
  /** Position among everything this lane has sent; a second attempt gets a new one. */
  order: number;
  refusal: { readonly reply: Reply; readonly verdict: Verdict } | null;
}

/**
 * How long a request that was definitely not applied is tried again; then the client hears the last refusal. A failover by itself
 * takes somewhat more than the grace time: whoever waits through it hears no error.
 */
const RETRY_MS = 4000;
/** One attempt at a read; a lost one is worth asking again well before its deadline. */
const READ_ATTEMPT_MS = 3000;
const BACKOFF_MS_MIN = 20;
const BACKOFF_MS_MAX = 400;
/** Requests of one connection for one shard that wait behind others. */
const HELD_MAX = 10_000;

/**
 * The requests of one client connection for one shard, executed by the shard's leader in the order they were submitted.
 *
 * Requests stream to one node without waiting for each other's answers. Order is kept by three rules: the node is changed
 * only while nothing is under way; behind a request too large for one frame, which small ones would overtake on the wire,
 * everything waits for its answer; and one that was refused is tried again only if nothing submitted after it was
 * (perhaps) executed — until all under way have answered, nothing more is sent. An overtaken one is refused for good:
 * definitely not applied, which is honest and leaves the order of the others intact.
 *
 * A refusal starts a round: the leader as known now, then the other members, which know better or can reach it (they pass
 * the request on once), one probe at a time; between rounds a back-off that doubles. All ends after `RETRY_MS`.
 * Without a connection's order to keep, a request has a lane of its own.
 */
export class OrderedLane {
  readonly #shard: Shard;
  readonly #parts: LaneParts;
  readonly #held: BoundedQueue<LaneRequest> = new BoundedQueue<LaneRequest>(HELD_MAX);
  /** Refused, to be sent again before anything held. */
  #again: LaneRequest[] = [];
  #refused: LaneRequest[] = [];
  #target: NodeName | null = null;
  #lastOrder = 0;
  #executedOrder = 0;
  #underWayCount = 0;
  /** The large request under way that everything else waits for. */
  #largeOrder: number | null = null;
  /** Nodes asked in this round. */
  readonly #tried = new Set<NodeName>();
  /** Nothing has been served since a refusal: one request at a time. */
  #isProbing = false;
  #roundCount = 0;
  #isBackingOff = false;
  #isPumping = false;

  constructor(shard: Shard, parts: LaneParts) {
    this.#shard = shard;
    this.#parts = parts;
  }

  /** Whether nothing is under way or waiting. */
  get isIdle(): boolean {
    return this.#underWayCount === 0 && this.#held.count === 0 && this.#again.length === 0;
  }

  /** `deadlineMs` is on the clock; by default LIMITS.forwardDeadlineMs from now. */
  submit(operation: Operation, options: RequestOptions, done: ReplyCallback, deadlineMs?: number): void {
    const nowMs = this.#parts.clock.nowMs();
    const lastMs = deadlineMs ?? nowMs + LIMITS.forwardDeadlineMs;
    if (this.#mayExecuteHere()) {
      this.#executeHere(operation, options, { done, nowMs, deadlineMs: lastMs });
      return;
    }
    const request = newRequest(operation, options, { done, nowMs, deadlineMs: lastMs });
    if (this.#again.length === 0 && this.#held.count === 0 && !this.#isPumping && this.#maySend()) this.#send(request);
    else if (!this.#admit(request) || !this.#held.push(request)) this.#finish(request, overloaded(this.#shard));
    else this.#pump();
  }

  /** The usual case: this node leads, and nothing was refused or waits. */
  #mayExecuteHere(): boolean {
    const { member, node } = this.#parts;
    if (member.role !== "leader" || member.shard !== this.#shard.name || !this.#isCalm) return false;
    return !this.#isPumping && (this.#underWayCount === 0 || this.#target === node);
  }

  get #isCalm(): boolean {
    const isUndoubted = this.#refused.length === 0 && !this.#isProbing && !this.#isBackingOff && this.#tried.size === 0;
    return isUndoubted && this.#again.length === 0 && this.#held.count === 0 && this.#largeOrder === null;
  }

  /** As `#send` to this node, with nothing kept of the request unless it is refused. */
  #executeHere(operation: Operation, options: RequestOptions, asked: Asked): void {
    const { member, node } = this.#parts;
    const order = ++this.#lastOrder;
    this.#target = node;
    this.#underWayCount++;
    member.execute(operation, options, (reply) => {
      if (reply.ok && this.#isCalm) {
        this.#underWayCount--;
        if (order > this.#executedOrder) this.#executedOrder = order;
        asked.done(reply);
        return;
      }
      const request = newRequest(operation, options, asked);
      request.order = order;
      this.#parts.directory.heardHere(reply);
      this.#onAnswer(request, reply);
    });
  }

  /** Whether the next request may go out now. Chooses the node when nothing is under way. */
  #maySend(): boolean {
    if (this.#isBackingOff || this.#refused.length > 0) return false;
    if (this.#underWayCount === 0) {
      this.#target = this.#nextTarget();
      return true;
    }
    return this.#largeOrder === null && !this.#isProbing && this.#target === this.#leader();
  }

  #leader(): NodeName | null {
    return this.#parts.directory.known(this.#shard.name).leader;
  }

  /** The leader, or in a round whom to ask next; null when nobody is left to ask in this round. */
  #nextTarget(): NodeName | null {
    const leader = this.#leader();
    if (leader !== null && !this.#tried.has(leader)) return leader;
    const other = this.#shard.members.find(({ node }) => node !== this.#parts.node && !this.#tried.has(node));
    return other?.node ?? null;
  }

  #send(request: LaneRequest): void {
    const { node, clock, counters } = this.#parts;
    const target = this.#target;
    if (target === null) {
      this.#finish(request, failure(noLeader(this.#shard)));
      return;
    }
    if (target !== node && !this.#admit(request)) {
      this.#finish(request, overloaded(this.#shard));
      return;
    }
    const { operation, options } = request;
    const leftMs = request.deadlineMs - clock.nowMs();
    if (leftMs <= 0) {
      this.#finish(request, request.refusal?.reply ?? late(this.#shard));
      return;
    }
    if (request.refusal !== null) counters.retried++;
    request.order = ++this.#lastOrder;
    this.#underWayCount++;
    const isLarge = target !== node && operationBytesAtMost(operation) > LIMITS.peerFragmentBytes;
    if (isLarge) this.#largeOrder = request.order;
    const timeoutMs = isRead(operation) ? Math.min(leftMs, READ_ATTEMPT_MS) : leftMs;
    this.#parts.attempt({ shard: this.#shard, operation, options, target, timeoutMs }, (reply) =>
      this.#onAnswer(request, reply),
    );
  }

  #onAnswer(request: LaneRequest, reply: Reply): void {
    this.#underWayCount--;
    if (this.#largeOrder === request.order) this.#largeOrder = null;
    const verdict = verdictOf(reply, isRead(request.operation));
    if (verdict === "final") {
      this.#executedOrder = Math.max(this.#executedOrder, request.order);
      this.#tried.clear();
      this.#isProbing = false;
      this.#roundCount = 0;
      this.#finish(request, reply);
    } else {
      request.refusal = { reply, verdict };
      this.#refused.push(request);
    }
    this.#pump();
  }

  /** Sends what may be sent. Answers that come at once are taken up by the loop that is running, not by a deeper one. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    for (;;) {
      if (this.#underWayCount === 0 && this.#refused.length > 0) this.#settleRefused();
      if ((this.#again.length === 0 && this.#held.count === 0) || !this.#maySend()) break;
      const request = this.#again.shift() ?? this.#held.take();
      if (request !== undefined) this.#send(request);
    }
    this.#isPumping = false;
  }

  /** All have answered: decides which of the refused are tried again, and whom to ask. */
  #settleRefused(): void {
    const nowMs = this.#parts.clock.nowMs();
    const refused = this.#refused.sort((a, b) => a.order - b.order);
    this.#refused = [];
    const again: LaneRequest[] = [];
    let last: LaneRequest["refusal"] = null;
    for (const request of refused) {
      const { refusal } = request;
      if (refusal === null) continue;
      const isOvertaken = request.order < this.#executedOrder;
      if (!isOvertaken) last = refusal;
      if (isOvertaken || nowMs >= request.retryUntilMs) this.#finish(request, refusal.reply);
      else again.push(request);
    }
    this.#again = [...again, ...this.#again];
    if (last === null) return;
    this.#isProbing = true;
    if (again.length === 0) this.#refuseWaiting(last.reply, nowMs);
    if (this.#target !== null) this.#tried.add(this.#target);
    if (last.verdict === "later" || this.#nextTarget() === null) this.#backOff();
  }

  /** What has waited for as long as those that were refused for good hears the same: it was never sent. */
  #refuseWaiting(reply: Reply, nowMs: number): void {
    for (let next = this.#held.peek(); next !== undefined && nowMs >= next.retryUntilMs; next = this.#held.peek()) {
      this.#held.take();
      this.#finish(next, reply);
    }
  }

  #backOff(): void {
    const { random, timers } = this.#parts;
    this.#tried.clear();
    if (this.isIdle) return;
    const delayMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** this.#roundCount) * (0.5 + random.next());
    this.#roundCount++;
    this.#isBackingOff = true;
    timers.after(delayMs, () => {
      this.#isBackingOff = false;
      this.#pump();
    });
  }

  #admit(request: LaneRequest): boolean {
    request.isAdmitted ||= this.#parts.admission.enter(this.#shard.name);
    return request.isAdmitted;
  }

  #finish(request: LaneRequest, reply: Reply): void {
    if (request.isAdmitted) this.#parts.admission.leave(this.#shard.name);
    request.isAdmitted = false;
    request.done(honestReply(reply, isRead(request.operation)));
  }
}

function newRequest(operation: Operation, options: RequestOptions, { done, nowMs, deadlineMs }: Asked): LaneRequest {
  const retryUntilMs = nowMs + RETRY_MS;
  return { operation, options, done, deadlineMs, retryUntilMs, isAdmitted: false, order: 0, refusal: null };
}
