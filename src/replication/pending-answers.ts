import type { Clock } from "../base/clock.ts";
import { mutant } from "../base/mutants.ts";
import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import type { Reply, ReplyCallback } from "../model/operation.ts";
import type { Sequence } from "../model/position.ts";
import { AnswerQueue, type PendingAnswer } from "./answer-queue.ts";

/** What an answer waits for: this node's own flush, or the flush of every member of the in-sync set. */
export type Guarantee = "flushed" | "in-sync";

/**
 * The answers that one leadership owes (rule K2): each goes out exactly once, when its position is reached, when its time is
 * up, or when the leadership ends. They are never settled by a later leadership's positions: the object dies with its term.
 *
 * Once an entry has a sequence, an answer is ok or unknown, never a definite failure (rule U1).
 */
export class PendingAnswers {
  readonly #clock: Clock;
  readonly #queues: Readonly<Record<Guarantee, AnswerQueue>>;
  unknownCount = 0;

  constructor(clock: Clock, start: Sequence) {
    this.#clock = clock;
    this.#queues = { flushed: new AnswerQueue(start), "in-sync": new AnswerQueue(start) };
  }

  /** Hands `reply` to `done` once `guarantee` holds for `sequence`. */
  add(
    wait: { readonly sequence: Sequence; readonly guarantee: Guarantee; readonly isWrite: boolean },
    reply: Reply,
    done: ReplyCallback,
  ): void {
    const { sequence, isWrite } = wait;
    const queue = this.#queues[wait.guarantee];
    if (sequence <= queue.reached) {
      done(reply);
      return;
    }
    const deadlineMs = this.#clock.nowMs() + (isWrite ? LIMITS.writeWaitMsMax : LIMITS.readWaitMsMax);
    queue.add({ sequence, isWrite, deadlineMs, reply, done });
  }

  /** Everything up to `sequence` has `guarantee`. */
  advance(guarantee: Guarantee, sequence: Sequence): void {
    this.#queues[guarantee].advance(sequence, settle);
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
    for (const queue of [this.#queues.flushed, this.#queues["in-sync"]]) {
      for (const { isWrite, done } of queue.takeOut(isOver)) {
        if (isWrite) this.unknownCount++;
        done({ ok: false, error: isWrite ? unknown(why) : busy(why) });
      }
    }
  }
}

function settle({ reply, done }: PendingAnswer): void {
  done(reply);
}

function busy(why: string): KvError {
  return new KvError("BUSY", `${why}; the read was not answered`);
}

function unknown(why: string): KvError {
  const code = mutant("M07") ? "OVERLOADED" : "UNKNOWN_OUTCOME";
  return new KvError(code, `${why}; whether the write took effect is not known`);
}
