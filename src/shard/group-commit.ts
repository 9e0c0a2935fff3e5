import type { Timers } from "../base/clock.ts";
import { EntryBatch } from "../log/entry-batch.ts";
import type { Log } from "../log/log.ts";
import type { Entry } from "../model/entry.ts";
import type { Sequence } from "../model/position.ts";

interface GroupCommitParts {
  readonly log: Log;
  readonly timers: Timers;
  readonly commitSequence: () => Sequence;
  /** How long the next batch is held back, in milliseconds: 0 while the tree keeps up. */
  readonly delayMs: () => number;
  readonly onWritten: (sequence: Sequence) => void;
  readonly onFlushed: (sequence: Sequence) => void;
}

/** Turns of the loop that a batch waits for more at most, as long as each brings some. */
const TURNS_MAX = 8;
/** A batch of this size is worth a flush of its own. */
const WORTHWHILE_BYTES = 16_384;
/** Room that a batch begins with at most: a large one need not be followed by another. */
const GUESS_BYTES_MAX = 262_144;

/**
 * Gathers entries into batches: what queues up while a flush runs is the next batch, with what comes in the next few turns of
 * the loop. No timer and no artificial delay, but where the tree falls behind: then batches are held back, so that writers slow
 * down before they have to be refused.
 *
 * Owns the entries between append and write. One flush runs at a time: a second one could not make the first one's entries
 * durable sooner, and batches grow by themselves when the disk is slow.
 */
export class GroupCommit {
  readonly #parts: GroupCommitParts;
  #batch = new EntryBatch();
  #isScheduled = false;
  #isFlushing = false;
  #isStopped = false;
  #drained: Array<() => void> = [];

  constructor(parts: GroupCommitParts) {
    this.#parts = parts;
  }

  /** Bytes appended but not yet written. */
  get queuedBytes(): number {
    return this.#batch.entryBytes;
  }

  /** Queues one entry; it is written a few turns of the loop later at most, or after the flush that is running. */
  add(entry: Entry): void {
    this.#batch.add(entry);
    this.#schedule();
  }

  /** As `add`, of an entry as it lies in another log. */
  addEncoded(entry: Buffer): void {
    this.#batch.addEncoded(entry);
    this.#schedule();
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

  #schedule(): void {
    if (this.#isFlushing || this.#isScheduled) return;
    this.#isScheduled = true;
    const { timers } = this.#parts;
    const delayMs = this.#parts.delayMs();
    if (delayMs === 0) timers.soon(() => this.#startWhenCalm(TURNS_MAX, 0));
    else timers.after(delayMs, () => this.#start());
  }

  /**
   * Clients that have just been answered send their next requests in the turns that follow: while each turn brings some, they are
   * waited for: fewer flushes for as many writes, where it is the processor that limits them.
   */
  #startWhenCalm(turnsLeft: number, bytesBefore: number): void {
    const { queuedBytes } = this;
    const isCalm = queuedBytes === bytesBefore || queuedBytes >= WORTHWHILE_BYTES || turnsLeft === 0;
    if (isCalm) this.#start();
    else this.#parts.timers.soon(() => this.#startWhenCalm(turnsLeft - 1, queuedBytes));
  }

  /** The next batch is likely to be about as large as the last. */
  #drop(): void {
    if (!this.#batch.isEmpty) this.#batch = new EntryBatch(Math.min(this.#batch.entryBytes, GUESS_BYTES_MAX));
  }

  #start(): void {
    this.#isScheduled = false;
    if (!this.#isFlushing && !this.#isStopped && !this.#batch.isEmpty) this.#writeBatch();
  }

  #writeBatch(): void {
    const { log } = this.#parts;
    const batch = this.#batch;
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
    if (drained.length === 0 && !this.#batch.isEmpty) this.#schedule();
  }
}
