import type { SeedJob } from "./run-seed.ts";
import { runSeed } from "./run-seed.ts";
import type { RunReport } from "./scenario.ts";

export interface ShrunkFailure {
  readonly job: SeedJob;
  readonly report: RunReport;
}

/**
 * Makes a failing seed easier to read: drops its faults one by one, then halves its workload, and keeps each step after which some
 * property is still violated. Returns the smallest failing run found (at least the one given).
 */
export function shrinkFailure(job: SeedJob): ShrunkFailure {
  let best: ShrunkFailure = { job, report: runSeed(job) };
  for (const fault of best.report.faults) {
    best = stillFailing({ ...best.job, without: [...best.job.without, fault] }) ?? best;
  }
  for (let halvings = 0; halvings < 5; halvings++) {
    const smaller = stillFailing({ ...best.job, workload: best.job.workload / 2 });
    if (smaller === undefined) break;
    best = smaller;
  }
  return best;
}

function stillFailing(job: SeedJob): ShrunkFailure | undefined {
  const report = runSeed(job);
  return report.violation === null ? undefined : { job, report };
}
