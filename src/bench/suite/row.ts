import type { Spread } from "./statistics.ts";
import type { Workbench } from "./workbench.ts";

/** Full: what counts. Quick: the same steps, so short that the whole suite takes less than three minutes. */
export type Form = "full" | "quick";

/** What one server did: an absolute figure, which never stands without its peer's. */
export interface Side {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

/** What a figure is held against. */
export interface Bar {
  /** Short: "GET, 1 M keys". Empty when the row has only one figure. */
  readonly label: string;
  readonly direction: "at least" | "at most";
  /** "×" for ratios. */
  readonly unit: string;
  readonly bar: number;
  readonly reach: number;
}

/** One figure of a row, over all its rounds. */
export interface Figure extends Bar, Spread {
  readonly subject: Side;
  /** null where the bar is an absolute one. */
  readonly peer: Side | null;
}

export interface RowOutcome {
  readonly figures: readonly Figure[];
  /** Why the figures do not show what the row says. Any makes the row count for nothing. */
  readonly faults: readonly string[];
  /** What a reader should know besides. */
  readonly notes: readonly string[];
}

/** One line of targets: what is measured, with which programs, and how. */
export interface Row {
  /** "P1". */
  readonly id: string;
  /** Short, for charts. */
  readonly name: string;
  readonly what: string;
  /** Programs that must be installed besides Node. */
  readonly needs: readonly string[];
  readonly run: (bench: Workbench, form: Form) => Promise<RowOutcome>;
}

/** A row as its module states it: the same steps with a full and a quick plan. */
export interface RowDefinition<Plan> extends Omit<Row, "run"> {
  readonly full: Plan;
  readonly quick: Plan;
  readonly measure: (bench: Workbench, plan: Plan) => Promise<RowOutcome>;
}

export function defineRow<Plan>({ id, name, what, needs, full, quick, measure }: RowDefinition<Plan>): Row {
  return { id, name, what, needs, run: (bench, form) => measure(bench, form === "full" ? full : quick) };
}

/** Whether a figure is on the right side of `limit`. */
export function isReached({ direction, median }: Figure, limit: number): boolean {
  return direction === "at least" ? median >= limit : median <= limit;
}
