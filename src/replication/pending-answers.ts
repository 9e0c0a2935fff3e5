import type { Clock } from "../base/clock.ts";
import { mutant } from "../base/mutants.ts";
import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import type { Reply, ReplyCallback } from "../model/operation.ts";
import type { Sequence } from "../model/position.ts";
import { AnswerQueue, type PendingAnswer } from "./answer-queue.ts";
import type { Beacon } from "./read-lease.ts";

/** What an answer waits for: this node's own flush, or the flush of every member of the in-sync set. */
export type Guarantee = "flushed" | "in-sync";

/** What an answer has to wait for. */
export interface AnswerWait {
  readonly sequence: Sequence;
  readonly guarantee: Guarantee;
  readonly isWrite: boolean;
  /** Of a strict read: the newest beacon at the moment it was asked. */
  readonly after?: Beacon | null;
}

/** Whether a read may be answered at this very moment: under the lease, or because a beacon behind `after` was echoed (L3, R4). */
export type MayRead = (after: Beacon | null) => boolean;

const NO_LEASE = "The leader waits for its replicas to confirm that it still leads";

/**
 * The answers that one leadership owes (rule K2): each goes out exactly once, when its position is reached, when its time is
 * up, or when the leadership ends. They are never settled by a later leadership's positions: the object dies with its term.
 *
 * Once an entry has a sequence, an answer is ok or unknown, never a definite failure (rule U1).
 */
export class PendingAnswers {
  readonly #clock: Clock;
  readonly #mayRead: MayRead;
  readonly #queues: Readonly<Record<Guarantee, AnswerQueue>>;
  /** Reads whose values are committed, and that only lack the lease. */
  #withoutLease: PendingAnswer[] = [];
  unknownCount = 0;
  /** Reads refused because nobody could say any more that this node still leads. */
  leaseRefusalCount = 0;

  constructor(clock: Clock, start: Sequence, mayRead: MayRead) {
    this.#clock = clock;
    this.#mayRead = mayRead;
    this.#queues = { flushed: new AnswerQueue(start), "in-sync": new AnswerQueue(start) };
  }

  /** Hands `reply` to `done` once `guarantee` holds for `sequence`. */
  add(wait: AnswerWait, reply: Reply, done: ReplyCallback): void {
    const { sequence, after = null } = wait;
    const queue = this.#queues[wait.guarantee];
    const isReached = sequence <= queue.reached;
    const isWrite = wait.isWrite || (mutant("M13") && this.#mayRead(after));
    if (isReached && (isWrite || this.#mayRead(after))) {
      done(reply);
      return;
    }
    const deadlineMs = this.#clock.nowMs() + (isWrite ? LIMITS.writeWaitMsMax : LIMITS.readWaitMsMax);
    const answer = { sequence, isWrite, after, deadlineMs, reply, done };
    if (isReached) this.#withoutLease.push(answer);
    else queue.add(answer);
  }

  /** Everything up to `sequence` has `guarantee`. */
  advance(guarantee: Guarantee, sequence: Sequence): void {
    this.#queues[guarantee].advance(sequence, (answer) => {
      if (answer.isWrite || this.#mayRead(answer.after)) answer.done(answer.reply);
      else this.#withoutLease.push(answer);
    });
  }

  /** The lease may hold again: what only waited for it goes out. */
  onLease(): void {
    if (this.#withoutLease.length === 0) return;
    const waiting = this.#withoutLease;
    this.#withoutLease = [];
    for (const answer of waiting) {
      if (this.#mayRead(answer.after)) answer.done(answer.reply);
      else this.#withoutLease.push(answer);
    }
  }

  reached(guarantee: Guarantee): Sequence {
    return this.#queues[guarantee].reached;
  }

  /** Settles what has waited too long: writes become unknown (K3), reads are definitely busy (R2). */
  sweep(): void {
    const nowMs = this.#clock.nowMs();
    this.#giveUp((answer) => answer.deadlineMs <= nowMs, "The entry was not committed in time");
  }

  /** The leadership ends: every answer goes out now (rule K2). */
  abandon(): void {
    this.#giveUp(() => true, "The leadership of this node ended before the entry was committed");
  }

  #giveUp(isOver: (answer: PendingAnswer) => boolean, why: string): void {
    const reads = this.#withoutLease;
    this.#withoutLease = reads.filter((answer) => !isOver(answer));
    for (const answer of reads) {
      if (!isOver(answer)) continue;
      this.leaseRefusalCount++;
      answer.done({ ok: false, error: busy(NO_LEASE) });
    }
    for (const queue of [this.#queues.flushed, this.#queues["in-sync"]]) {
      for (const { isWrite, done } of queue.takeOut(isOver)) {
        if (isWrite) this.unknownCount++;
        done({ ok: false, error: isWrite ? unknown(why) : busy(why) });
      }
    }
  }
}

function busy(why: string): KvError {
  return new KvError("BUSY", `${why}; the read was not answered`);
}

function unknown(why: string): KvError {
  const code = mutant("M07") ? "OVERLOADED" : "UNKNOWN_OUTCOME";
  return new KvError(code, `${why}; whether the write took effect is not known`);
}
