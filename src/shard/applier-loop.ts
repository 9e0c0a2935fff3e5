import type { Clock, Timer, Timers } from "../base/clock.ts";
import { KvError } from "../model/errors.ts";
import type { Sequence } from "../model/position.ts";
import { rowsOfChunk } from "../tree/tree-chunk.ts";
import type { Applier, ApplierListener, ImportBase, ImportedChunk } from "./applier.ts";
import type { LogApplier } from "./log-applier.ts";

const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 5000;

/** What the loop is made of. */
export interface ApplierLoopParts {
  readonly applier: LogApplier;
  readonly clock: Clock;
  readonly timers: Timers;
  /** How long to rest after a transaction that took so many milliseconds, so that reads get their share of the machine. */
  readonly restMs: (transactionMs: number) => number;
  readonly listener: ApplierListener;
}

interface Request {
  readonly run: () => void;
  readonly done: () => void;
}

/**
 * Decides what the applier does next: one transaction a turn, requests before the log.
 *
 * Owns the applier from the first call to `close`. A full disk is tried again with growing pauses and reported once;
 * anything else that goes wrong stops the loop for good and is fatal.
 */
export class ApplierLoop implements Applier {
  readonly #parts: ApplierLoopParts;
  readonly #requests: Request[] = [];
  #through: Sequence = 0;
  /** Whether an `applyThrough` has not been answered yet. */
  #isAsked = false;
  #isOver = false;
  #timer: Timer | null = null;
  /** Pause before the next try while the disk is full; 0 when it is not. */
  #retryMs = 0;

  constructor(parts: ApplierLoopParts) {
    this.#parts = parts;
  }

  applyThrough(sequence: Sequence): void {
    this.#through = Math.max(this.#through, sequence);
    this.#isAsked = true;
    this.#wake(0);
  }

  wipe(done: () => void): void {
    const wipe = (): void => {
      this.#parts.applier.wipe();
      this.#through = 0;
    };
    this.#request(wipe, done);
  }

  importChunk(imported: ImportedChunk, done: () => void): void {
    rowsOfChunk(imported.chunk, imported.afterKey);
    this.#request(() => this.#parts.applier.importChunk(imported), done);
  }

  setBase(base: ImportBase, done: () => void): void {
    const set = (): void => {
      this.#parts.applier.setBase(base);
      this.#through = base.sequence;
    };
    this.#request(set, done);
  }

  close(done: () => void): void {
    const close = (): void => {
      this.stop();
      this.#parts.applier.close();
    };
    if (this.#retryMs > 0) this.#dropAll();
    this.#request(close, done);
  }

  /** Stops where it is, between two transactions: a crash. Nothing is answered any more. */
  stop(): void {
    this.#isOver = true;
    this.#timer?.cancel();
  }

  /** What waits for room on the disk is not waited for: it is asked for again after the next start. */
  #dropAll(): void {
    this.#requests.length = 0;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #request(run: () => void, done: () => void): void {
    this.#requests.push({ run, done });
    this.#wake(0);
  }

  #wake(delayMs: number): void {
    if (this.#isOver || this.#timer !== null) return;
    this.#timer = this.#parts.timers.after(delayMs, () => {
      this.#timer = null;
      this.#turn();
    });
  }

  #turn(): void {
    const startMs = this.#parts.clock.nowMs();
    let tell: () => void;
    try {
      const request = this.#requests[0];
      if (request !== undefined) tell = this.#carryOut(request);
      else if (this.#isAsked) tell = this.#stepThroughLog();
      else return;
    } catch (error) {
      this.#handle(error);
      return;
    }
    this.#wake(this.#requests.length > 0 ? 0 : this.#parts.restMs(this.#parts.clock.nowMs() - startMs));
    // Last, and outside the try: what others make of the news is not the applier's failure.
    tell();
  }

  #carryOut(request: Request): () => void {
    request.run();
    this.#hasRoom();
    this.#requests.shift();
    return request.done;
  }

  #stepThroughLog(): () => void {
    const step = this.#parts.applier.step(this.#through);
    this.#hasRoom();
    if (step.didWrite && !step.endedRun) return () => {};
    // More may have been asked for since the run was planned; then it goes on, and answers again.
    this.#isAsked = step.appliedSequence < this.#through;
    return () => this.#parts.listener.onApplied(step.appliedSequence);
  }

  #hasRoom(): void {
    if (this.#retryMs === 0) return;
    this.#retryMs = 0;
    this.#parts.listener.onDiskFull(false);
  }

  #handle(error: unknown): void {
    if (!(error instanceof KvError) || error.code !== "DISK_FULL") {
      this.stop();
      this.#parts.listener.onFatal(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (this.#retryMs === 0) this.#parts.listener.onDiskFull(true);
    this.#retryMs = Math.min(RETRY_MS_MAX, Math.max(RETRY_MS_MIN, this.#retryMs * 2));
    this.#wake(this.#retryMs);
  }
}
