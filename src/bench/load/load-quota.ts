import type { LoadPace } from "./load-pace.ts";

export interface LoadQuotaParts {
  readonly pace: LoadPace;
  /** Load before the measuring begins. */
  readonly warmupMs: number;
  /** How long operations are started after the warm-up; Infinity: until `countMax` were, or the source has no more. */
  readonly durationMs: number;
  /** Operations after the warm-up. */
  readonly countMax: number;
}

/** How long after the end a scheduled load goes on sending what was due before. */
const DRAIN_MS_MAX = 2000;
/** What is due exactly at the end belongs to the time behind it. */
const JUST_BEFORE_MS = 0.001;

/**
 * How many operations may start, and when.
 *
 * Owns the counts of operations drawn and started. What is due and not started is the backlog: a number and never a list, so
 * that a server that stalls costs no memory. Times are milliseconds of one clock, handed in.
 */
export class LoadQuota {
  readonly #parts: LoadQuotaParts;
  #beganMs = 0;
  #stoppedMs = Infinity;
  #dueMax = Infinity;
  /** Drawn and not given back; those from the end of the warm-up on are counted apart. */
  #drawnCount = 0;
  #measuredCount = 0;
  #startedCount = 0;

  constructor(parts: LoadQuotaParts) {
    this.#parts = parts;
  }

  begin(nowMs: number): void {
    const { pace, warmupMs, countMax } = this.#parts;
    this.#beganMs = nowMs;
    if (countMax !== Infinity) this.#dueMax = pace.dueBy(warmupMs - JUST_BEFORE_MS) + countMax;
  }

  /** Nothing becomes due any more. */
  stop(nowMs: number): void {
    this.#stoppedMs = nowMs;
  }

  /** What starts from here on is measured. */
  get measureFromMs(): number {
    return this.#beganMs + this.#parts.warmupMs;
  }

  /** Whether the time for new operations is over; a schedule may still have some to send that were due before. */
  hasEnded(nowMs: number): boolean {
    return nowMs >= this.#endMs();
  }

  /** Due and not started; none in a closed loop. */
  backlog(nowMs: number): number {
    return this.#parts.pace.isScheduled ? this.#dueCount(nowMs) - this.#startedCount : 0;
  }

  mayDraw(nowMs: number): boolean {
    if (this.#measuredCount >= this.#parts.countMax) return false;
    if (!this.#parts.pace.isScheduled) return !this.hasEnded(nowMs);
    return this.#drawnCount < this.#dueCount(nowMs) && nowMs < this.#endMs() + DRAIN_MS_MAX;
  }

  /** Counts an operation as drawn and returns when it was meant to start. */
  draw(nowMs: number): number {
    const startMs = this.#beganMs + this.#parts.pace.startOf(this.#drawnCount, nowMs - this.#beganMs);
    this.#drawnCount += 1;
    if (startMs >= this.measureFromMs) this.#measuredCount += 1;
    return startMs;
  }

  /** Takes back the last draw. */
  giveBack(startMs: number): void {
    this.#drawnCount -= 1;
    if (startMs >= this.measureFromMs) this.#measuredCount -= 1;
  }

  start(): void {
    this.#startedCount += 1;
  }

  /** When the next operation of a schedule is meant to start. */
  nextStartMs(): number {
    return this.#beganMs + this.#parts.pace.startOf(this.#drawnCount, 0);
  }

  /** Whether nothing more will start. */
  isUsedUp(nowMs: number): boolean {
    const { pace, countMax } = this.#parts;
    if (nowMs >= this.#endMs() + (pace.isScheduled ? DRAIN_MS_MAX : 0)) return true;
    if (pace.isScheduled) return this.#startedCount >= this.#dueCount(Infinity);
    return this.#measuredCount >= countMax && this.#startedCount === this.#drawnCount;
  }

  #endMs(): number {
    return Math.min(this.#stoppedMs, this.measureFromMs + this.#parts.durationMs);
  }

  #dueCount(nowMs: number): number {
    const untilMs = Math.min(nowMs, this.#endMs() - JUST_BEFORE_MS);
    return Math.min(this.#dueMax, this.#parts.pace.dueBy(untilMs - this.#beganMs));
  }
}
