import type { Figure, Form, RowOutcome } from "./row.ts";
import { isReached } from "./row.ts";

/** What one row came to, as it is kept: see docs/benchmarks/results.json. */
export interface RowResult extends RowOutcome {
  readonly id: string;
  readonly name: string;
  readonly what: string;
  readonly form: Form;
  /** When it was measured (ISO 8601), how long that took, and of which commit. */
  readonly date: string;
  readonly seconds: number;
  readonly commit: string;
}

/** Where and with what it was measured. Nothing that names the machine. */
export interface Surroundings {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly disk: string;
  readonly node: string;
  readonly redis: string;
  readonly etcd: string;
  readonly wrk: string;
}

/** The file of results: `schema` says how to read it. */
export interface ResultFile {
  readonly schema: string;
  readonly surroundings: Surroundings;
  readonly rows: readonly RowResult[];
}

export const SCHEMA: string =
  "rows: one for each target. form: full or quick. figures: median, min and max over the rounds, of the ratio subject to peer (unit ×) or of the absolute value; " +
  "bar must be reached (direction: at least or at most), reach is the goal; subject and peer: medians of the absolute figures. faults: why the row is not valid; " +
  "seconds: how long the row took. surroundings: machine and versions of the newest run.";

export type Mark = "goal reached" | "reached" | "MISSED" | "not valid";

/** A row is as good as its worst figure; one with faults is not valid, whatever its figures. */
export function markOf({ figures, faults }: RowOutcome): Mark {
  if (faults.length > 0 || figures.length === 0) return "not valid";
  if (!figures.every((figure) => isReached(figure, figure.bar))) return "MISSED";
  return figures.every((figure) => isReached(figure, figure.reach)) ? "goal reached" : "reached";
}

/**
 * Puts new rows in place of old ones. A quick row never replaces a full one: those are told apart and given back as
 * `notKept`. Rows that did not run stay as they are, with their date and form.
 */
export function mergeResults(
  old: readonly RowResult[],
  fresh: readonly RowResult[],
): { readonly rows: readonly RowResult[]; readonly notKept: readonly string[] } {
  const rows = new Map(old.map((row) => [row.id, row]));
  const notKept: string[] = [];
  for (const row of fresh) {
    if (row.form === "quick" && rows.get(row.id)?.form === "full") notKept.push(row.id);
    else rows.set(row.id, row);
  }
  const number = (id: string): number => Number(id.slice(1));
  return { rows: [...rows.values()].sort((a, b) => number(a.id) - number(b.id)), notKept };
}

/** "1.32 ×", "0.84 s": three digits that count. */
export function formatFigure(value: number, unit: string): string {
  return `${formatNumber(value)} ${unit}`;
}

export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-US");
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** "≥ 1.2", "≤ 3 s". */
export function formatLimit({ direction, unit }: Figure, limit: number): string {
  return `${direction === "at least" ? "≥" : "≤"} ${limit}${unit === "×" ? "" : ` ${unit}`}`;
}
