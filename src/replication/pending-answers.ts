import type { Clock } from "../base/clock.ts";
import { mutant } from "../base/mutants.ts";
import { Watermark } from "../base/watermark.ts";
import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import type { Reply, ReplyCallback } from "../model/operation.ts";
import type { Sequence } from "../model/position.ts";

/** An answer that is known but must not go out before what it depends on is safe. */
interface PendingAnswer {
  readonly reply: Reply;
  readonly done: ReplyCallback;
  readonly isWrite: boolean;
  readonly deadlineMs: number;
  isSettled: boolean;
}

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
  readonly #marks: Readonly<Record<Guarantee, Watermark>>;
  /** Two queues in order of deadline: reads and writes wait for different lengths of time. */
  readonly #queues: Readonly<Record<"read" | "write", PendingAnswer[]>> = { read: [], write: [] };
  unknownCount = 0;

  constructor(clock: Clock, start: Sequence) {
    this.#clock = clock;
    this.#marks = { flushed: new Watermark(start), "in-sync": new Watermark(start) };
  }

  /** Hands `reply` to `done` once `guarantee` holds for `sequence`. */
  add(
    wait: { readonly sequence: Sequence; readonly guarantee: Guarantee; readonly isWrite: boolean },
    reply: Reply,
    done: ReplyCallback,
  ): void {
    const mark = this.#marks[wait.guarantee];
    if (wait.sequence <= mark.value) {
      done(reply);
      return;
    }
    const limitMs = wait.isWrite ? LIMITS.writeWaitMsMax : LIMITS.readWaitMsMax;
    const deadlineMs = this.#clock.nowMs() + limitMs;
    const answer: PendingAnswer = { reply, done, isWrite: wait.isWrite, deadlineMs, isSettled: false };
    this.#queues[wait.isWrite ? "write" : "read"].push(answer);
    mark.whenReached(wait.sequence, (isReached) => {
      if (isReached) settle(answer, answer.reply);
      else this.#giveUp(answer, "The leadership of this node ended before the entry was committed");
    });
  }

  /** Everything up to `sequence` has `guarantee`. */
  advance(guarantee: Guarantee, sequence: Sequence): void {
    this.#marks[guarantee].advance(sequence);
  }

  reached(guarantee: Guarantee): Sequence {
    return this.#marks[guarantee].value;
  }

  /** Settles what has waited too long: writes become unknown (K3), reads are definitely busy (R2). */
  sweep(): void {
    const nowMs = this.#clock.nowMs();
    for (const queue of [this.#queues.read, this.#queues.write]) {
      let count = 0;
      for (const answer of queue) {
        if (!answer.isSettled && answer.deadlineMs > nowMs) break;
        this.#giveUp(answer, "The entry was not committed in time");
        count++;
      }
      if (count > 0) queue.splice(0, count);
    }
  }

  /** The leadership ends: every answer goes out now (rule K2). */
  abandon(): void {
    this.#marks.flushed.abandon();
    this.#marks["in-sync"].abandon();
  }

  #giveUp(answer: PendingAnswer, why: string): void {
    if (answer.isSettled) return;
    if (!answer.isWrite) {
      settle(answer, { ok: false, error: new KvError("BUSY", `${why}; the read was not answered`) });
      return;
    }
    this.unknownCount++;
    const code = mutant("M07") ? "OVERLOADED" : "UNKNOWN_OUTCOME";
    settle(answer, { ok: false, error: new KvError(code, `${why}; whether the write took effect is not known`) });
  }
}

function settle(answer: PendingAnswer, reply: Reply): void {
  if (answer.isSettled) return;
  answer.isSettled = true;
  answer.done(reply);
}
