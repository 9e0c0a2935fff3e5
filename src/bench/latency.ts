import { createHistogram, type RecordableHistogram } from "node:perf_hooks";

const NS_PER_MS = 1_000_000;
const PERCENTILES = [50, 90, 95, 99, 99.9] as const;

/** Latencies in milliseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly mean: number;
  readonly min: number;
  readonly max: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
}

/** Gathers latencies in a histogram (HDR, 3 digits) of constant size. */
export class Latencies {
  readonly #histogram: RecordableHistogram = createHistogram({ figures: 3 });

  record(ms: number): void {
    this.#histogram.record(Math.max(1, Math.round(ms * NS_PER_MS)));
  }

  add(other: Latencies): void {
    this.#histogram.add(other.#histogram);
  }

  summary(): LatencySummary {
    const histogram = this.#histogram;
    const [p50, p90, p95, p99, p999] = PERCENTILES.map((percent) => histogram.percentile(percent) / NS_PER_MS);
    const isEmpty = histogram.count === 0;
    return {
      count: histogram.count,
      mean: isEmpty ? 0 : histogram.mean / NS_PER_MS,
      min: isEmpty ? 0 : histogram.min / NS_PER_MS,
      max: histogram.max / NS_PER_MS,
      p50: p50 ?? 0,
      p90: p90 ?? 0,
      p95: p95 ?? 0,
      p99: p99 ?? 0,
      p999: p999 ?? 0,
    };
  }
}

/** Milliseconds as the small system prints durations: `812µs`, `1.24ms`, `2.05s`. */
export function formatDuration(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)}s`;
  return ms >= 1 ? `${ms.toFixed(2)}ms` : `${Math.round(ms * 1000)}µs`;
}
