/** What several rounds came to: the one in the middle, and the outermost. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The middle of the values; between the two middle ones when their number is even; 0 of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? 0) + high) / 2;
}

/** Throws when there is no value: a row without a round is a fault of the row. */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new Error("no round was measured");
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** The smallest value that at least `share` (0 to 1) of the values do not exceed; 0 of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}
