import type { FailureKind } from "./failure-count.ts";
import type { LatencyFigures } from "./latency-histogram.ts";
import type { LoadPlan } from "./load-plan.ts";
import type { LoadOutcome } from "./load-run.ts";

/** Operations of one kind. */
export interface OperationReport {
  /** Answered well. */
  readonly count: number;
  readonly failed: number;
  readonly perSecond: number;
  /** Of the well answered ones. */
  readonly latencyMs: LatencyFigures;
}

/** What a load came to: what `--json` prints. */
export interface LoadReport {
  readonly protocol: string;
  readonly workload: string;
  readonly distribution: string;
  readonly connections: number;
  readonly pipeline: number;
  readonly keys: number;
  readonly valueBytes: number;
  readonly seed: number;
  /** Operations a second that were asked for; null in a closed loop. */
  readonly rate: number | null;
  readonly seconds: number;
  readonly count: number;
  readonly opsPerSecond: number;
  readonly latencyMs: LatencyFigures;
  readonly operations: Readonly<Record<string, OperationReport>>;
  readonly failed: number;
  readonly firstFailure: string | null;
  readonly failures: Readonly<Record<string, FailureKind>>;
  readonly backlogMax: number;
  /** Operations that were due when an open loop ended, and were never sent: the rate is more than could be answered. */
  readonly neverSent: number;
  /** By how much the load generator itself was late, in an open loop. */
  readonly lateMs: { readonly p99: number; readonly max: number };
}

export function loadReportOf(plan: LoadPlan, outcome: LoadOutcome, connectionCount: number): LoadReport {
  const { statistics, seconds, backlogMax, backlogEnd } = outcome;
  const { failures, lateness } = statistics;
  const perSecond = (count: number): number => (seconds === 0 ? 0 : count / seconds);
  const operations: Record<string, OperationReport> = {};
  for (const [kind, { latencies, failed }] of statistics.byKind()) {
    const { count } = latencies;
    operations[kind] = { count, failed, perSecond: perSecond(count), latencyMs: latencies.figures() };
  }
  return {
    protocol: plan.protocol,
    workload: plan.workload,
    distribution: plan.distribution,
    connections: connectionCount,
    pipeline: plan.pipeline,
    keys: plan.keyCount,
    valueBytes: plan.valueBytes,
    seed: plan.seed,
    rate: plan.rate,
    seconds,
    count: statistics.answered,
    opsPerSecond: perSecond(statistics.answered),
    latencyMs: statistics.latencies().figures(),
    operations,
    failed: failures.total,
    firstFailure: failures.first,
    failures: Object.fromEntries(failures.byKind()),
    backlogMax,
    neverSent: backlogEnd,
    lateMs: { p99: lateness.percentile(99), max: lateness.figures().max },
  };
}
