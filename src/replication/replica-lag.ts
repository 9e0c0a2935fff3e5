import type { Clock } from "../base/clock.ts";
import type { Sequence } from "../model/position.ts";

/** How far a replica is behind its leader, as far as it can know: against the last log end that it was told. */
export class ReplicaLag {
  readonly #clock: Clock;
  #caughtUpMs: number;
  /** Where the leader's log ended when it was last heard of. */
  leaderLogEnd: Sequence = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#caughtUpMs = clock.nowMs();
  }

  /** Everything up to `visible` can be read here, while entries flow. */
  noteVisible(visible: Sequence): void {
    if (visible >= this.leaderLogEnd) this.#caughtUpMs = this.#clock.nowMs();
  }

  /** Entries and milliseconds behind. Without a stream (`isStreaming` false) the time since it was last caught up counts. */
  measure(visible: Sequence, isStreaming: boolean): { readonly entries: number; readonly ms: number } {
    const entries = Math.max(0, this.leaderLogEnd - visible);
    const isCurrent = entries === 0 && isStreaming;
    return { entries, ms: isCurrent ? 0 : Math.round(this.#clock.nowMs() - this.#caughtUpMs) };
  }
}
