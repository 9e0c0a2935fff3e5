import type { Timer, Timers } from "../base/clock.ts";
import { LIMITS } from "../model/limits.ts";

/**
 * Decides when the tree takes in what the memtable holds: when a quarter of the memtable has gathered, or after five
 * seconds, one run at a time. Large runs make few page writes for each row; small ones bound the replay after a crash.
 */
export class ApplyPacer {
  readonly #timers: Timers;
  readonly #start: () => void;
  #isRunning = false;
  #isStopped = false;
  #timer: Timer | null = null;

  constructor(timers: Timers, start: () => void) {
    this.#timers = timers;
    this.#start = start;
  }

  /** Takes note that `unappliedBytes` wait in the memtable. */
  observe(unappliedBytes: number): void {
    if (this.#isRunning || this.#isStopped || unappliedBytes === 0) return;
    if (unappliedBytes >= LIMITS.applyRunBytes) this.#run();
    else this.#timer ??= this.#timers.after(LIMITS.applyDelayMs, () => this.#run());
  }

  /** Starts a run now, unless one is under way. */
  hurry(): void {
    if (!this.#isRunning && !this.#isStopped) this.#run();
  }

  /** A run has ended; `unappliedBytes` are left. */
  finished(unappliedBytes: number): void {
    this.#isRunning = false;
    this.observe(unappliedBytes);
  }

  /** No run is started any more, also when one that is under way ends. */
  stop(): void {
    this.#timer?.cancel();
    this.#isStopped = true;
  }

  #run(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#isRunning = true;
    this.#start();
  }
}
