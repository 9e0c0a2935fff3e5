/** The unit of recording: 10 nanoseconds, so that even a latency of a microsecond is known to 1 %. */
const UNITS_PER_MS = 100_000;
/** Each power of two is cut into this many buckets of one width: half a width is at most 1/256 of a value. */
const BUCKETS_PER_OCTAVE = 128;
const OCTAVE_SHIFT = 7;
const LARGE_SHIFT = 16;
const LARGE_MIN = 2 ** 31;
/** 2⁴⁷ units are 16 days; whatever takes longer counts as that. */
const UNITS_MAX = 2 ** 47 - 1;
const BUCKET_COUNT = (47 - OCTAVE_SHIFT - 1) * BUCKETS_PER_OCTAVE + 2 * BUCKETS_PER_OCTAVE;

/** Latencies in milliseconds; all 0 where there are none. */
export interface LatencyFigures {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
  readonly p9999: number;
  readonly max: number;
}

/**
 * Counts latencies in buckets whose width grows with the value (the idea of HdrHistogram): 42 KiB whatever is recorded,
 * percentiles within 0.4 %, the maximum and the mean exact.
 *
 * A recording is a few arithmetic operations and no allocation; the runtime's own histogram costs a call out of JavaScript.
 */
export class LatencyHistogram {
  readonly #counts: Float64Array = new Float64Array(BUCKET_COUNT);
  #count = 0;
  #sumMs = 0;
  #minMs = Infinity;
  #maxMs = 0;

  get count(): number {
    return this.#count;
  }

  record(ms: number): void {
    const bucket = bucketOf(ms * UNITS_PER_MS);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count += 1;
    this.#sumMs += ms;
    if (ms < this.#minMs) this.#minMs = ms;
    if (ms > this.#maxMs) this.#maxMs = ms;
  }

  add(other: LatencyHistogram): void {
    for (let bucket = 0; bucket < BUCKET_COUNT; bucket++) {
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) + (other.#counts[bucket] ?? 0);
    }
    this.#count += other.#count;
    this.#sumMs += other.#sumMs;
    this.#minMs = Math.min(this.#minMs, other.#minMs);
    this.#maxMs = Math.max(this.#maxMs, other.#maxMs);
  }

  /** The smallest latency that at least `percent` of all recorded ones do not exceed; 0 when there are none. */
  percentile(percent: number): number {
    // The rounding undoes what 99.9 / 100 · 1000 = 999.0000000000001 would add.
    const rank = Math.max(1, Math.ceil(Number(((percent / 100) * this.#count).toFixed(6))));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKET_COUNT; bucket++) {
      seen += this.#counts[bucket] ?? 0;
      if (seen >= rank) return Math.min(this.#maxMs, Math.max(this.#minMs, middleOf(bucket) / UNITS_PER_MS));
    }
    return 0;
  }

  figures(): LatencyFigures {
    return {
      mean: this.#count === 0 ? 0 : this.#sumMs / this.#count,
      p50: this.percentile(50),
      p90: this.percentile(90),
      p95: this.percentile(95),
      p99: this.percentile(99),
      p999: this.percentile(99.9),
      p9999: this.percentile(99.99),
      max: this.#maxMs,
    };
  }
}

function bucketOf(units: number): number {
  if (units < LARGE_MIN) return smallBucketOf(units > 0 ? units | 0 : 0);
  return smallBucketOf(Math.floor(Math.min(units, UNITS_MAX) / 2 ** LARGE_SHIFT)) + LARGE_SHIFT * BUCKETS_PER_OCTAVE;
}

/** Up to two octaves' worth of values each have a bucket of their own; from there on 128 buckets share an octave. */
function smallBucketOf(units: number): number {
  if (units < 2 * BUCKETS_PER_OCTAVE) return units;
  const shift = 31 - Math.clz32(units) - OCTAVE_SHIFT;
  return shift * BUCKETS_PER_OCTAVE + (units >>> shift);
}

function middleOf(bucket: number): number {
  if (bucket < 2 * BUCKETS_PER_OCTAVE) return bucket + 0.5;
  const shift = Math.floor(bucket / BUCKETS_PER_OCTAVE) - 1;
  return (bucket - shift * BUCKETS_PER_OCTAVE + 0.5) * 2 ** shift;
}
