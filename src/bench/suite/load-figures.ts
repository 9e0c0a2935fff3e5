/** What one run of a load generator came to. Failed requests never get this far: they are an error. */
export interface LoadFigures {
  readonly opsPerSecond: number;
  readonly seconds: number;
  readonly operations: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}
