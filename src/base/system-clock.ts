import type { Clock, Timer, Timers } from "./clock.ts";

/** The machine's own time: CLOCK_MONOTONIC for durations, the wall clock for stamps. */
export class SystemClock implements Clock, Timers {
  nowMs(): number {
    return performance.now();
  }

  wallMs(): number {
    return Date.now();
  }

  after(delayMs: number, run: () => void): Timer {
    const handle = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(handle) };
  }

  soon(run: () => void): void {
    setImmediate(run);
  }
}
