import { formatDuration } from "../latency.ts";
import type { LatencyFigures } from "./latency-histogram.ts";
import type { LoadReport } from "./load-report.ts";

const HEADINGS = ["operation", "count", "ops/s", "mean", "p50", "p90", "p95", "p99", "p99.9", "p99.99", "max"];
/** An open loop that is this late by itself measures itself. */
const LATE_MS_TOLERATED = 5;

/** The lines that tell a person what a load came to. In the title of the failures `{}` stands for their number. */
export function loadSummary(report: LoadReport, failureTitle = "✘ {} operations failed:"): string[] {
  const kinds = Object.entries(report.operations).map(([kind, { count, perSecond, latencyMs }]) =>
    tableRow(spaced(kind), { count, perSecond, latencyMs }),
  );
  const { count, opsPerSecond: perSecond, latencyMs } = report;
  if (kinds.length > 1) kinds.push(tableRow("together", { count, perSecond, latencyMs }));
  return [...alignedTable([HEADINGS, ...kinds]), ...rateLines(report), ...failureLines(report, failureTitle)];
}

function rateLines({ rate, backlogMax, neverSent, lateMs }: LoadReport): string[] {
  if (rate === null) return [];
  const lines = [
    `Asked for ${amount(rate)} ops/s; latency counts from when an operation was meant to start. Backlog at most ${amount(backlogMax)} operations.`,
  ];
  if (neverSent > 0) {
    lines.push(`✘ ${amount(neverSent)} operations were due and never sent: the rate is more than could be answered`);
  }
  if (lateMs.p99 > LATE_MS_TOLERATED) {
    lines.push(
      `✘ the load generator itself was late (p99 ${formatDuration(lateMs.p99)}): give it a processor core of its own`,
    );
  }
  return lines;
}

function failureLines({ failed, failures }: LoadReport, title: string): string[] {
  if (failed === 0) return [];
  const kinds = Object.entries(failures).map(
    ([code, { count, first }]) => `  ${amount(count)} × ${code}, the first: ${first}`,
  );
  return [title.replace("{}", amount(failed)), ...kinds];
}

function tableRow(
  name: string,
  figures: { readonly count: number; readonly perSecond: number; readonly latencyMs: LatencyFigures },
): string[] {
  const { mean, p50, p90, p95, p99, p999, p9999, max } = figures.latencyMs;
  const latencies = [mean, p50, p90, p95, p99, p999, p9999, max].map(formatDuration);
  return [name, amount(figures.count), amount(figures.perSecond), ...latencies];
}

/** The first column ends apart, all others below each other. */
function alignedTable(rows: readonly (readonly string[])[]): string[] {
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  "),
  );
}

/** `readModifyWrite` as `read modify write`. */
function spaced(kind: string): string {
  return kind.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function amount(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}
