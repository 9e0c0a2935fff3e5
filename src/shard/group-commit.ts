import type { Timers } from "../base/clock.ts";
import type { Log } from "../log/log.ts";
import type { Sequence } from "../model/position.ts";

interface GroupCommitParts {
  readonly log: Log;
  readonly timers: Timers;
  readonly commitSequence: () => Sequence;
  readonly onWritten: (sequence: Sequence) => void;
  readonly onFlushed: (sequence: Sequence) => void;
}

/**
 * Gathers entries into batches: what queues up while a flush runs is the next batch. No timer, no artificial delay.
 *
 * Owns the entries between append and write. One flush runs at a time: a second one could not make the first one's entries
 * durable sooner, and batches grow by themselves when the disk is slow.
 */
export class GroupCommit {
  readonly #parts: GroupCommitParts;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #isScheduled = false;
  #isFlushing = false;
  #isStopped = false;
  #drained: Array<() => void> = [];

  constructor(parts: GroupCommitParts) {
    this.#parts = parts;
  }

  /** Bytes appended but not yet written. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Queues one encoded entry; it is written in this turn of the loop, or after the flush that is running. */
  add(entry: Buffer): void {
    this.#queue.push(entry);
    this.#queuedBytes += entry.length;
    if (this.#isFlushing || this.#isScheduled) return;
    this.#isScheduled = true;
    this.#parts.timers.soon(() => this.#start());
  }

  /** Drops what is not written, and calls `done` once no flush is running; what is queued until then is dropped as well. */
  drain(done: () => void): void {
    this.#drop();
    if (this.#isFlushing) this.#drained.push(done);
    else done();
  }

  stop(): void {
    this.#isStopped = true;
    this.#drop();
  }

  #drop(): void {
    this.#queue = [];
    this.#queuedBytes = 0;
  }

  #start(): void {
    this.#isScheduled = false;
    if (!this.#isFlushing && !this.#isStopped && this.#queue.length > 0) this.#writeBatch();
  }

  #writeBatch(): void {
    const { log } = this.#parts;
    const batch = this.#queue;
    this.#drop();
    this.#isFlushing = true;
    log.writeBatch(batch, { flushedSequence: log.durableSequence, commitSequence: this.#parts.commitSequence() });
    log.flush((sequence) => this.#onFlush(sequence));
    this.#parts.onWritten(log.lastSequence);
  }

  #onFlush(sequence: Sequence): void {
    this.#isFlushing = false;
    if (this.#isStopped) return;
    const drained = this.#drained;
    this.#drained = [];
    if (drained.length > 0) this.#drop();
    this.#parts.onFlushed(sequence);
    for (const done of drained) {
      this.#drop();
      done();
    }
    if (drained.length === 0 && this.#queue.length > 0) this.#writeBatch();
  }
}
