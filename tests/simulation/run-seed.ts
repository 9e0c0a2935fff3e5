import { clearMutants, plantMutant } from "../../src/base/mutants.ts";
import type { TraceSink } from "./base/trace.ts";
import type { RunReport } from "./scenario.ts";
import { scenarioByName } from "./scenarios.ts";

/** One run, as it is asked for across process borders. */
export interface SeedJob {
  readonly scenario: string;
  readonly seed: number;
  readonly without: readonly string[];
  readonly workload: number;
  /** Planted bugs (replication.md §3), such as "M01". */
  readonly mutants: readonly string[];
}

/** Runs one seed here. What the scenario throws becomes its violation: a defect of the simulator or of the product's start. */
export function runSeed(job: SeedJob, sink: TraceSink = null): RunReport {
  const { seed, without, workload } = job;
  for (const mutant of job.mutants) plantMutant(mutant);
  try {
    return scenarioByName(job.scenario).run({ seed, sink, without, workload });
  } catch (error) {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return failedReport(seed, { property: "a run throws nothing", detail, atMs: 0 });
  } finally {
    clearMutants();
  }
}

/** The report of a run that did not get far enough to make one. */
export function failedReport(seed: number, violation: NonNullable<RunReport["violation"]>): RunReport {
  const nothing = { traceHash: "", eventCount: 0, virtualMs: 0, operationCount: 0, faults: [], markers: {} };
  return { seed, violation, ...nothing };
}
