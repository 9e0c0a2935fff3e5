import type { Reply, ReplyCallback } from "../model/operation.ts";
import type { Sequence } from "../model/position.ts";
import type { Beacon } from "./read-lease.ts";

/** An answer that is known but must not go out before what it depends on is safe. */
export interface PendingAnswer {
  readonly sequence: Sequence;
  readonly isWrite: boolean;
  /** Of a strict read: what must have been echoed before it goes out is newer than this beacon. */
  readonly after: Beacon | null;
  readonly deadlineMs: number;
  readonly reply: Reply;
  readonly done: ReplyCallback;
}

/** Places of answers that are gone before the rest is moved up. */
const GONE_MAX = 4096;

/**
 * Answers that wait for one position to be reached, in the order of the log, and in order of arrival within one entry.
 *
 * Owns the position, which never falls, and what waits behind it. Writes come in the order of the log, so that nearly all
 * are put at the end.
 */
export class AnswerQueue {
  #reached: Sequence;
  #answers: (PendingAnswer | null)[] = [];
  #head = 0;

  constructor(reached: Sequence) {
    this.#reached = reached;
  }

  get reached(): Sequence {
    return this.#reached;
  }

  /** `answer` must wait for something behind what is reached. */
  add(answer: PendingAnswer): void {
    const answers = this.#answers;
    const last = answers.length > this.#head ? answers.at(-1) : null;
    if (last === null || last === undefined || last.sequence <= answer.sequence) answers.push(answer);
    else answers.splice(this.#placeOf(answer.sequence), 0, answer);
  }

  /** Moves the position on and hands out what it passes, one after the other. */
  advance(reached: Sequence, settle: (answer: PendingAnswer) => void): void {
    if (reached > this.#reached) this.#reached = reached;
    for (let next = this.#first(); next !== null && next.sequence <= this.#reached; next = this.#first()) {
      this.#takeFirst();
      settle(next);
    }
  }

  /** Takes out, and returns, whatever `isOver` says of. */
  takeOut(isOver: (answer: PendingAnswer) => boolean): readonly PendingAnswer[] {
    const over: PendingAnswer[] = [];
    const kept: PendingAnswer[] = [];
    for (let at = this.#head; at < this.#answers.length; at++) {
      const answer = this.#answers[at] ?? null;
      if (answer !== null) (isOver(answer) ? over : kept).push(answer);
    }
    if (over.length === 0) return over;
    this.#answers = kept;
    this.#head = 0;
    return over;
  }

  #first(): PendingAnswer | null {
    return this.#answers[this.#head] ?? null;
  }

  #takeFirst(): void {
    this.#answers[this.#head++] = null;
    if (this.#head === this.#answers.length) {
      this.#answers.length = 0;
      this.#head = 0;
    } else if (this.#head >= GONE_MAX) {
      this.#answers = this.#answers.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Behind everything that waits for `sequence` or less. */
  #placeOf(sequence: Sequence): number {
    let low = this.#head;
    let high = this.#answers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#answers[middle]?.sequence ?? 0) <= sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
