import type { LatencySummary } from "./latency.ts";

/** What the load generator is told. */
export interface PutLoad {
  readonly server: "kv" | "etcd";
  readonly host: string;
  readonly port: number;
  readonly connectionCount: number;
  readonly keyCount: number;
  readonly valueBytes: number;
  /** Load before the measuring begins. */
  readonly warmSeconds: number;
  readonly seconds: number;
}

/** What it answers, as JSON on standard output. */
export interface PutLoadReport {
  readonly putsPerSecond: number;
  readonly failed: number;
  readonly firstFailure: string | null;
  readonly latencyMs: LatencySummary;
}
