import { BoundedQueue } from "../base/bounded-queue.ts";
import type { Result } from "../model/operation.ts";
import type { Render, RenderResult } from "./command.ts";
import type { ReplyWriter } from "./reply-writer.ts";

/** The place of one reply among those of its connection. */
export interface ReplySlot {
  render: Render | null;
}

const COUNT_MAX = 1024;
/** Replies under way together, as far as their size can be guessed. */
const BYTES_MAX = 4_194_304;
/** Until replies have been seen: few are let under way, for they may all be large. */
const FIRST_GUESS_BYTES = 131_072;
const FORGET = 7 / 8;

/**
 * Replies of one connection leave in the order of its commands, whenever they come.
 *
 * Owns the places of those that are under way. How many there may be follows the size of the last replies, so that a client
 * which pipelines reads of large values holds a few of them in memory, and not a thousand.
 */
export class ReplyQueue {
  readonly #out: ReplyWriter;
  readonly #slots = new BoundedQueue<ReplySlot>(COUNT_MAX);
  #guessBytes = FIRST_GUESS_BYTES;

  constructor(out: ReplyWriter) {
    this.#out = out;
  }

  get count(): number {
    return this.#slots.count;
  }

  get hasRoom(): boolean {
    const { count } = this.#slots;
    return count === 0 || (count < COUNT_MAX && count * this.#guessBytes < BYTES_MAX);
  }

  /** A place behind all others. Only when there is room. */
  reserve(): ReplySlot {
    const slot: ReplySlot = { render: null };
    this.#slots.push(slot);
    return slot;
  }

  /** Fills a place; whatever is complete from the front on is written. */
  complete(slot: ReplySlot, render: Render): void {
    slot.render = render;
    this.#writeComplete();
  }

  /** As `complete`, for the usual case of a reply in its turn: nothing is kept for later. */
  completeResult(slot: ReplySlot, render: RenderResult, result: Result): void {
    if (this.#slots.peek() !== slot) {
      slot.render = (out) => render(result, out);
      return;
    }
    this.#slots.take();
    const before = this.#out.byteCount;
    render(result, this.#out);
    this.#guess(before);
    this.#writeComplete();
  }

  #writeComplete(): void {
    for (let first = this.#slots.peek(); first !== undefined && first.render !== null; first = this.#slots.peek()) {
      this.#slots.take();
      const before = this.#out.byteCount;
      first.render(this.#out);
      this.#guess(before);
    }
  }

  #guess(byteCountBefore: number): void {
    const bytes = this.#out.byteCount - byteCountBefore;
    const lower = this.#guessBytes * FORGET;
    this.#guessBytes = bytes > lower ? bytes : lower;
  }
}
