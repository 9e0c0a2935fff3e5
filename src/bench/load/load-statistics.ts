import { FailureCount } from "./failure-count.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import { OPERATION_KINDS, type OperationKind } from "./workload.ts";

/** What came of the operations of one kind. */
export interface KindStatistics {
  readonly latencies: LatencyHistogram;
  failed: number;
}

/** Gathers the results of all connections: in one thread they can share the histograms. */
export class LoadStatistics {
  readonly failures: FailureCount = new FailureCount();
  /** By how much requests were late although a connection was free: the load generator's own share. */
  readonly lateness: LatencyHistogram = new LatencyHistogram();
  readonly #kinds = new Map<OperationKind, KindStatistics>();
  #answered = 0;

  get answered(): number {
    return this.#answered;
  }

  succeeded(kind: OperationKind, ms: number): void {
    this.#answered += 1;
    this.#of(kind).latencies.record(ms);
  }

  failed(kind: OperationKind, code: string, text: string): void {
    this.#of(kind).failed += 1;
    this.failures.add(code, text);
  }

  /** Of the kinds that were met, in a fixed order. */
  byKind(): ReadonlyMap<OperationKind, KindStatistics> {
    const kinds = new Map<OperationKind, KindStatistics>();
    for (const kind of OPERATION_KINDS) {
      const statistics = this.#kinds.get(kind);
      if (statistics !== undefined) kinds.set(kind, statistics);
    }
    return kinds;
  }

  /** All kinds together. */
  latencies(): LatencyHistogram {
    const all = new LatencyHistogram();
    for (const { latencies } of this.#kinds.values()) all.add(latencies);
    return all;
  }

  #of(kind: OperationKind): KindStatistics {
    const known = this.#kinds.get(kind);
    if (known !== undefined) return known;
    const made = { latencies: new LatencyHistogram(), failed: 0 };
    this.#kinds.set(kind, made);
    return made;
  }
}
