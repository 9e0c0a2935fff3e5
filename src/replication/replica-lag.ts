import type { Clock } from "../base/clock.ts";
import type { Sequence } from "../model/position.ts";
import { Freshness, type LeaderWord } from "./freshness.ts";
import type { Beacon } from "./read-lease.ts";

/** Where the leader's log ended, and when that was heard. */
interface HeardEnd {
  readonly logEnd: Sequence;
  readonly atMs: number;
}

/** Ends that are kept span more than the time behind with which a replica is still ready. */
const HEARD_INTERVAL_MS = 100;
const HEARD_MAX = 64;

/**
 * How far a replica is behind its leader, as far as it can know: against the log ends that it was told.
 *
 * Under load it never has all of the last one, because the leader's log grows while entries are under way. So it keeps earlier
 * ends: it was caught up when it heard of the newest end that it has reached since.
 */
export class ReplicaLag {
  readonly #clock: Clock;
  readonly #freshness: Freshness;
  /** Not reached yet, the oldest first. What is left out of it makes the lag longer, never shorter. */
  readonly #heard: HeardEnd[] = [];
  #leaderLogEnd: Sequence = 0;
  #caughtUpMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#freshness = new Freshness(clock);
    this.#caughtUpMs = clock.nowMs();
  }

  /** Where the leader's log ended when it was last heard of. */
  get leaderLogEnd(): Sequence {
    return this.#leaderLogEnd;
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
    this.#noteLogEnd(word.logEnd);
    if (isMatched) this.#freshness.onWord(word);
  }

  /** Everything up to `visible` can be read here, while entries flow; `isOpen`: also the beginning of the present leadership. */
  noteVisible(visible: Sequence, isOpen: boolean): void {
    this.#noteReached(visible);
    this.#freshness.onVisible(visible, isOpen);
  }

  onSession(): void {
    this.#heard.length = 0;
    this.#freshness.onSession();
  }

  /** The copy starts anew. */
  reset(): void {
    this.#heard.length = 0;
    this.#freshness.reset();
  }

  /** Entries and milliseconds behind. Without a stream (`isStreaming` false) the time since it was last caught up counts. */
  measure(visible: Sequence, isStreaming: boolean): { readonly entries: number; readonly ms: number } {
    const entries = Math.max(0, this.#leaderLogEnd - visible);
    const isCurrent = entries === 0 && isStreaming;
    return { entries, ms: isCurrent ? 0 : Math.round(this.#clock.nowMs() - this.#caughtUpMs) };
  }

  #noteLogEnd(logEnd: Sequence): void {
    this.#leaderLogEnd = logEnd;
    const atMs = this.#clock.nowMs();
    const last = this.#heard.at(-1);
    const isDue = last === undefined || atMs - last.atMs >= HEARD_INTERVAL_MS;
    if (isDue && this.#heard.length < HEARD_MAX) this.#heard.push({ logEnd, atMs });
  }

  #noteReached(visible: Sequence): void {
    const reached = this.#heard.findIndex(({ logEnd }) => logEnd > visible);
    const count = reached < 0 ? this.#heard.length : reached;
    const newest = this.#heard.splice(0, count).at(-1);
    if (visible >= this.#leaderLogEnd) this.#caughtUpMs = this.#clock.nowMs();
    else if (newest !== undefined) this.#caughtUpMs = newest.atMs;
  }
}
