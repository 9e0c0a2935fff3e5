import type { PropertyViolation } from "./base/simulation.ts";
import type { TraceSink } from "./base/trace.ts";

/** What to run, besides what the seed decides. */
export interface RunOptions {
  readonly seed: number;
  readonly sink: TraceSink;
  /** Faults switched off, to find out which ones a failure needs. */
  readonly without: readonly string[];
  /** Share of the usual number of client operations, in (0, 1]. */
  readonly workload: number;
}

/** What one run came to. */
export interface RunReport {
  readonly seed: number;
  readonly violation: PropertyViolation | null;
  /** Equal for two runs exactly when they took the same course. */
  readonly traceHash: string;
  readonly eventCount: number;
  readonly virtualMs: number;
  /** Client operations that ended. */
  readonly operationCount: number;
  readonly faults: readonly string[];
  readonly markers: Readonly<Record<string, number>>;
}

/** A whole simulated world: everything is decided by the options, nothing by the machine it runs on. */
export interface Scenario {
  readonly name: string;
  /** Situations that must occur, over many seeds, or the simulation does not test what it is for. */
  readonly expectedMarkers: readonly string[];
  run(options: RunOptions): RunReport;
}
