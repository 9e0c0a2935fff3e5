/** A time in which no write of a shard was acknowledged. */
export interface Outage {
  readonly shard: string;
  /** Since the load began. */
  readonly fromSeconds: number;
  readonly seconds: number;
}

/** Shorter pauses are a slow flush, a collection of garbage, or a replica that was missed and given up. */
const OUTAGE_MS_MIN = 500;
/** For each shard: a load that meets more than these has another problem. */
const OUTAGES_MAX = 100;

/** Watches one shard's acknowledgements for gaps. Times are milliseconds of one clock. */
export class OutageWatch {
  readonly shard: string;
  readonly #beganMs: number;
  readonly #outages: Outage[] = [];
  #lastMs: number;

  constructor(shard: string, beganMs: number) {
    this.shard = shard;
    this.#beganMs = beganMs;
    this.#lastMs = beganMs;
  }

  acknowledged(nowMs: number): void {
    const gapMs = nowMs - this.#lastMs;
    if (gapMs >= OUTAGE_MS_MIN && this.#outages.length < OUTAGES_MAX) {
      this.#outages.push({ shard: this.shard, fromSeconds: this.#secondsOf(this.#lastMs), seconds: gapMs / 1000 });
    }
    this.#lastMs = nowMs;
  }

  /** Those that are over, in their order. */
  get ended(): readonly Outage[] {
    return this.#outages;
  }

  /** The outage under way; null when there is none. */
  current(nowMs: number): Outage | null {
    const gapMs = nowMs - this.#lastMs;
    if (gapMs < OUTAGE_MS_MIN) return null;
    return { shard: this.shard, fromSeconds: this.#secondsOf(this.#lastMs), seconds: gapMs / 1000 };
  }

  /** All of them, with one that lasts until `endMs` when nothing was acknowledged up to there. */
  outagesUntil(endMs: number): readonly Outage[] {
    this.acknowledged(Math.max(endMs, this.#lastMs));
    return this.#outages;
  }

  #secondsOf(ms: number): number {
    return (ms - this.#beganMs) / 1000;
  }
}
