import type { ChildProcess } from "node:child_process";
import { fork } from "node:child_process";
import type { SeedJob } from "./run-seed.ts";
import { failedReport } from "./run-seed.ts";
import type { RunReport } from "./scenario.ts";

export interface RunSeedsOptions extends Omit<SeedJob, "seed"> {
  readonly first: number;
  readonly count: number;
  readonly workers: number;
  /** No further seed is begun after this many failures; those under way are finished. */
  readonly failuresMax: number;
  /** How long one run may take in real time; a run that hangs is a failure. */
  readonly seedTimeoutMs: number;
  readonly onReport?: (report: RunReport, doneCount: number) => void;
}

/** What many runs came to, together. */
export interface SeedsSummary {
  readonly runCount: number;
  readonly failures: readonly RunReport[];
  readonly eventCount: number;
  readonly operationCount: number;
  readonly virtualMs: number;
  readonly wallMs: number;
  /** Hits by marker, over all runs. */
  readonly markers: ReadonlyMap<string, number>;
  /** How many runs had each fault. */
  readonly faults: ReadonlyMap<string, number>;
}

/** Runs `count` seeds from `first` on, spread over worker processes. */
export async function runSeeds(options: RunSeedsOptions): Promise<SeedsSummary> {
  const run = new SeedsRun(options);
  const workers = Array.from({ length: Math.min(options.workers, options.count) }, () => run.work());
  await Promise.all(workers);
  return run.summary();
}

class SeedsRun {
  readonly #options: RunSeedsOptions;
  readonly #startedMs = performance.now();
  readonly #failures: RunReport[] = [];
  readonly #markers: Map<string, number> = new Map();
  readonly #faults: Map<string, number> = new Map();
  #next: number;
  #runCount = 0;
  #eventCount = 0;
  #operationCount = 0;
  #virtualMs = 0;

  constructor(options: RunSeedsOptions) {
    this.#options = options;
    this.#next = options.first;
  }

  /** One worker's life: a seed after the other in a process of its own, replaced when it dies or hangs. */
  async work(): Promise<void> {
    const { first, count, failuresMax } = this.#options;
    let child = startWorker();
    while (this.#next < first + count && this.#failures.length < failuresMax) {
      const seed = this.#next++;
      const report = await this.#runIn(child, seed);
      this.#add(report);
      if (child.exitCode === null && child.signalCode === null) continue;
      child = startWorker();
    }
    child.disconnect();
  }

  summary(): SeedsSummary {
    return {
      runCount: this.#runCount,
      failures: [...this.#failures].sort((a, b) => a.seed - b.seed),
      eventCount: this.#eventCount,
      operationCount: this.#operationCount,
      virtualMs: this.#virtualMs,
      wallMs: performance.now() - this.#startedMs,
      markers: this.#markers,
      faults: this.#faults,
    };
  }

  #runIn(child: ChildProcess, seed: number): Promise<RunReport> {
    const { scenario, without, workload, mutants, seedTimeoutMs } = this.#options;
    return new Promise((resolve) => {
      const finish = (report: RunReport): void => {
        clearTimeout(timer);
        child.removeAllListeners();
        resolve(report);
      };
      const timer = setTimeout(() => child.kill("SIGKILL"), seedTimeoutMs);
      child.once("message", (report) => finish(report as unknown as RunReport));
      child.once("exit", (code, signal) => {
        const detail = `The process of the run ended with ${signal ?? code}, at most after ${seedTimeoutMs} ms`;
        finish(failedReport(seed, { property: "a run comes to an end", detail, atMs: 0 }));
      });
      const job: SeedJob = { scenario, seed, without, workload, mutants };
      child.send(job);
    });
  }

  #add(report: RunReport): void {
    this.#runCount++;
    this.#eventCount += report.eventCount;
    this.#operationCount += report.operationCount;
    this.#virtualMs += report.virtualMs;
    if (report.violation !== null) this.#failures.push(report);
    for (const [name, hits] of Object.entries(report.markers)) {
      this.#markers.set(name, (this.#markers.get(name) ?? 0) + hits);
    }
    for (const fault of report.faults) this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + 1);
    this.#options.onReport?.(report, this.#runCount);
  }
}

function startWorker(): ChildProcess {
  return fork(new URL("./simulate-worker.ts", import.meta.url), { serialization: "advanced" });
}
