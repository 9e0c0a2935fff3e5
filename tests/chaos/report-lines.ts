import type { ScenarioReport } from "./run-scenario.ts";

/** What a scenario came to, for people. */
export function reportLines(report: ScenarioReport): string[] {
  const { verdict, counts, measures, injected, seconds, operationsPerSecond } = report;
  const faultCount = Object.values(injected).reduce((sum, count) => sum + count, 0);
  const { reads, writes } = counts;
  const writeCount = writes.ok + writes.notApplied + writes.unknown;
  return [
    `${faultCount} faults of ${Object.keys(injected).length} kinds in ${seconds.toFixed(0)} s under ${operationsPerSecond.toFixed(0)} operations/s`,
    `  reads: ${reads.ok} ok, ${reads.notApplied} refused, ${reads.unknown} lost; writes: ${writes.ok} ok, ${writes.notApplied} refused, ` +
      `${writes.unknown} unknown (${((100 * writes.unknown) / Math.max(1, writeCount)).toFixed(2)} %)`,
    ...Object.entries(measures).map(([name, values]) => `  ${name}: ${distributionText(values)}`),
    `  0 of ${verdict.acknowledged} ledger writes missing, 0 of ${verdict.refused} refused ones visible, ${verdict.unknown} unknown; ` +
      `${verdict.operations} operations linearizable, ${verdict.orderedAnswers} in the order of their logs; copies equal; ` +
      `${verdict.settledByRepetition} settled by sending them again, ${verdict.tokenReads} reads with tokens; ` +
      `converged after ${verdict.convergedAfterMs.toFixed(0)} ms`,
  ];
}

/** `p50 12, p99 40, max 41 (n = 3)`, whole numbers. */
export function distributionText(values: readonly number[]): string {
  const figures = [0.5, 0.99].map((part) => `p${part * 100} ${quantile(values, part).toFixed(0)}`);
  return `${figures.join(", ")}, max ${Math.max(...values).toFixed(0)} (n = ${values.length})`;
}

/** The smallest value that at least this part of the values does not exceed. */
function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
}
