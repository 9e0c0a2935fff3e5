import type { Clock } from "../base/clock.ts";

/** What one leadership could not answer as it was asked to. */
export interface AnswerCounts {
  readonly unknownCount: number;
  readonly leaseRefusalCount: number;
}

export interface Outcomes {
  readonly unknownOutcomes: number;
  readonly leaseRefusals: number;
}

/** Operations per second of one member, over the time since it was last asked (at least a second). */
export class MemberStatistics {
  readonly #clock: Clock;
  #sinceMs: number;
  #reads = 0;
  #writes = 0;
  #rates = { readsPerSecond: 0, writesPerSecond: 0 };
  /** Reads that this copy answered without leading. */
  replicaReads = 0;
  /** The answers of the present leadership, or of the last one; null before the first. */
  #answers: AnswerCounts | null = null;
  #earlier: Outcomes = { unknownOutcomes: 0, leaseRefusals: 0 };

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.nowMs();
  }

  /** To be called often: counts of leaderships that are over are added up. */
  follow(answers: AnswerCounts): void {
    if (answers === this.#answers) return;
    this.#earlier = this.outcomes;
    this.#answers = answers;
  }

  get outcomes(): Outcomes {
    const { unknownOutcomes, leaseRefusals } = this.#earlier;
    const { unknownCount = 0, leaseRefusalCount = 0 } = this.#answers ?? {};
    return { unknownOutcomes: unknownOutcomes + unknownCount, leaseRefusals: leaseRefusals + leaseRefusalCount };
  }

  /** `counts` are those of the present leadership, null when this member does not lead. */
  rates(counts: { readonly reads: number; readonly writes: number } | null): {
    readonly readsPerSecond: number;
    readonly writesPerSecond: number;
  } {
    const nowMs = this.#clock.nowMs();
    const seconds = (nowMs - this.#sinceMs) / 1000;
    if (seconds < 1) return this.#rates;
    const reads = (counts?.reads ?? 0) + this.replicaReads;
    const writes = counts?.writes ?? 0;
    this.#rates = {
      readsPerSecond: Math.max(0, Math.round((reads - this.#reads) / seconds)),
      writesPerSecond: Math.max(0, Math.round((writes - this.#writes) / seconds)),
    };
    this.#sinceMs = nowMs;
    this.#reads = reads;
    this.#writes = writes;
    return this.#rates;
  }
}
