import type { Clock } from "../base/clock.ts";
import type { Sequence } from "../model/position.ts";
import { Freshness, type LeaderWord } from "./freshness.ts";
import type { Beacon } from "./read-lease.ts";

/** How far a replica is behind its leader, as far as it can know: against the last log end that it was told. */
export class ReplicaLag {
  readonly #clock: Clock;
  readonly #freshness: Freshness;
  #caughtUpMs: number;
  /** Where the leader's log ended when it was last heard of. */
  leaderLogEnd: Sequence = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#freshness = new Freshness(clock);
    this.#caughtUpMs = clock.nowMs();
  }

  /** How old what is shown here may be, by what the leader proved; infinite when it proved nothing (rule R8). */
  get staleMs(): number {
    return Math.max(0, this.#clock.nowMs() - this.#freshness.freshAtMs);
  }

  /** A frame with this echo is about to be sent. */
  onEcho(beacon: Beacon): void {
    this.#freshness.onEcho(beacon);
  }

  /** A message of the leader. Only while its log and this one are known to match does it say anything about this copy. */
  heard(word: LeaderWord & { readonly logEnd: Sequence }, isMatched: boolean): void {
    this.leaderLogEnd = word.logEnd;
    if (isMatched) this.#freshness.onWord(word);
  }

  /** Everything up to `visible` can be read here, while entries flow; `isOpen`: also the beginning of the present leadership. */
  noteVisible(visible: Sequence, isOpen: boolean): void {
    if (visible >= this.leaderLogEnd) this.#caughtUpMs = this.#clock.nowMs();
    this.#freshness.onVisible(visible, isOpen);
  }

  onSession(): void {
    this.#freshness.onSession();
  }

  /** The copy starts anew. */
  reset(): void {
    this.#freshness.reset();
  }

  /** Entries and milliseconds behind. Without a stream (`isStreaming` false) the time since it was last caught up counts. */
  measure(visible: Sequence, isStreaming: boolean): { readonly entries: number; readonly ms: number } {
    const entries = Math.max(0, this.leaderLogEnd - visible);
    const isCurrent = entries === 0 && isStreaming;
    return { entries, ms: isCurrent ? 0 : Math.round(this.#clock.nowMs() - this.#caughtUpMs) };
  }
}
