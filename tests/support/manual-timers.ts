import type { Clock, Timer, Timers } from "../../src/base/clock.ts";

interface Pending {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/**
 * Time that moves only when a test says so. Calls due at one moment run in the order in which they were asked for; those of
 * `soon` come before any timer.
 */
export class ManualTimers implements Clock, Timers {
  #nowMs = 0;
  #order = 0;
  #pending: Pending[] = [];
  #soon: Array<() => void> = [];

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const pending: Pending = { atMs: this.#nowMs + delayMs, order: this.#order++, run };
    this.#pending.push(pending);
    return {
      cancel: () => {
        this.#pending = this.#pending.filter((other) => other !== pending);
      },
    };
  }

  soon(run: () => void): void {
    this.#soon.push(run);
  }

  /** Runs the next call, moving the clock to it; false when nothing is pending. */
  step(): boolean {
    const soon = this.#soon.shift();
    if (soon !== undefined) {
      soon();
      return true;
    }
    const next = this.#earliest();
    if (next === null) return false;
    this.#pending = this.#pending.filter((other) => other !== next);
    this.#nowMs = Math.max(this.#nowMs, next.atMs);
    next.run();
    return true;
  }

  /** Lets `durationMs` pass, with everything that falls due in it. */
  advance(durationMs: number): void {
    const endMs = this.#nowMs + durationMs;
    while (this.#soon.length > 0 || (this.#earliest()?.atMs ?? Infinity) <= endMs) this.step();
    this.#nowMs = endMs;
  }

  /** Forgets what is pending, as the death of a process does. */
  clear(): void {
    this.#pending = [];
    this.#soon = [];
  }

  #earliest(): Pending | null {
    let earliest: Pending | null = null;
    for (const pending of this.#pending) {
      const isEarlier =
        earliest === null ||
        pending.atMs < earliest.atMs ||
        (pending.atMs === earliest.atMs && pending.order < earliest.order);
      if (isEarlier) earliest = pending;
    }
    return earliest;
  }
}
