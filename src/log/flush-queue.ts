import type { DiskFile } from "../base/disk.ts";
import { mutant } from "../base/mutants.ts";
import type { Sequence } from "../model/position.ts";

/**
 * Flushes a log's files, one round at a time, and owns its durable position.
 *
 * A round flushes every file written since the round before began, in the order of writing, and reports the last sequence
 * written when it began: only that is *contained* in it (M92). Calls made while a round runs share the next one. An error is
 * handed to `onError`; then no round starts and nobody is called any more: the kernel may have dropped the pages, and a
 * second attempt would succeed without them (S3, M65).
 */
export class FlushQueue {
  readonly #onError: (error: Error) => void;
  #durableSequence: Sequence;
  #writtenSequence: Sequence;
  readonly #written = new Set<DiskFile>();
  #waiting: Array<(durableSequence: Sequence) => void> = [];
  #isRunning = false;

  constructor(durableSequence: Sequence, onError: (error: Error) => void) {
    this.#durableSequence = durableSequence;
    this.#writtenSequence = durableSequence;
    this.#onError = onError;
  }

  get durableSequence(): Sequence {
    return this.#durableSequence;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Takes note of a write that returned. */
  wrote(file: DiskFile, lastSequence: Sequence): void {
    this.#written.add(file);
    this.#writtenSequence = lastSequence;
  }

  /** Flushes all that was written; `active` is flushed even when it has nothing new. */
  flush(active: DiskFile, done: (durableSequence: Sequence) => void): void {
    this.#written.add(active);
    this.#waiting.push(done);
    if (!this.#isRunning) this.#startRound();
  }

  /** The file is going to be closed; what it holds is flushed or void. */
  forget(file: DiskFile): void {
    this.#written.delete(file);
  }

  /** Flushes those of `files` that have something new. Blocking; throws the disk's error. */
  flushNow(files: readonly DiskFile[]): void {
    for (const file of files) if (this.#written.has(file)) file.flushNow();
  }

  /** Everything was flushed by other means, or the log was cut: both positions are `sequence` now. */
  reset(sequence: Sequence): void {
    this.#written.clear();
    this.#writtenSequence = sequence;
    this.#durableSequence = sequence;
  }

  #startRound(): void {
    const files = [...this.#written];
    const through = this.#writtenSequence;
    const callers = this.#waiting;
    this.#written.clear();
    this.#waiting = [];
    this.#isRunning = true;
    this.#flushFiles(files, () => {
      this.#isRunning = false;
      const durable = mutant("M92") ? this.#writtenSequence : through;
      this.#durableSequence = durable;
      for (const caller of callers) caller(durable);
      if (this.#waiting.length > 0 && !this.#isRunning) this.#startRound();
    });
  }

  #flushFiles(files: readonly DiskFile[], done: () => void): void {
    const [file, ...others] = files;
    if (file === undefined) {
      done();
      return;
    }
    file.flush((error) => {
      if (error === null) this.#flushFiles(others, done);
      else if (mutant("M65")) this.#flushFiles(files, done);
      else this.#onError(error);
    });
  }
}
