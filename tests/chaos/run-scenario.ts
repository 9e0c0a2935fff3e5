import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SeededRandom } from "../../src/base/random.ts";
import { SmallDisk } from "../cluster/support/small-disk.ts";
import type { TestNode } from "../cluster/support/test-node.ts";
import { ChaosRun } from "./chaos-run.ts";
import type { Fault } from "./fault.ts";
import { folderOutside } from "./lab/enter-lab.ts";
import type { CoordinatorKind } from "./lab/lab-coordinator.ts";
import { LabCluster } from "./lab/lab-cluster.ts";
import { ChaosLoad } from "./load/chaos-load.ts";
import type { EndingCounts } from "./load/load-log.ts";
import type { Scenario } from "./scenario.ts";
import { judge, type Verdict } from "./verdict.ts";

export interface ScenarioOptions {
  readonly seconds: number;
  readonly coordinator: CoordinatorKind;
  readonly seed: number;
  /** Mean pause of a client between two requests. */
  readonly thinkMs: number;
  readonly say: (line: string) => void;
  /** Keeps what all processes printed, also when nothing went wrong. */
  readonly keepsOutput: boolean;
  /** Mistakes planted in every node: the run should fail. */
  readonly mutants: readonly string[];
}

/** What a scenario came to that broke no promise. */
export interface ScenarioReport {
  readonly scenario: string;
  readonly coordinator: CoordinatorKind;
  readonly seed: number;
  readonly seconds: number;
  readonly injected: Readonly<Record<string, number>>;
  readonly operationsPerSecond: number;
  readonly counts: EndingCounts;
  readonly measures: Readonly<Record<string, readonly number[]>>;
  readonly verdict: Verdict;
}

/** From here on a run has time for faults that take long. */
const LONG_RUN_S = 100;

/**
 * Runs one scenario in this lab: a cluster, its load, faults one after the other until the time is over and each kind was injected,
 * then the verdict. Throws when a promise was broken, a fault could not be injected, or the cluster did not become whole
 * again; what all processes printed is then in the file that the message names.
 */
export async function runScenario(scenario: Scenario, options: ScenarioOptions): Promise<ScenarioReport> {
  const { coordinator, seed, seconds } = options;
  // With the time of the nodes' own lines, so that both can be read beside each other.
  const journal: string[] = [];
  const say = (line: string): void => {
    journal.push(`${Date.now()} ${line}`);
    options.say(line);
  };
  const disks = new Map<string, SmallDisk>();
  const cluster = await LabCluster.start({
    coordinator,
    shardCount: scenario.shardCount,
    memberCount: scenario.memberCount,
    mutants: options.mutants,
    prepareDirectory: (path) => {
      if (scenario.diskMb !== undefined) disks.set(path, new SmallDisk(path, scenario.diskMb));
    },
  });
  const load = new ChaosLoad(cluster, { seed, thinkMs: options.thinkMs });
  const run = new ChaosRun({ cluster, load, random: new SeededRandom(seed), isLong: seconds >= LONG_RUN_S, say });
  const diskOf = (node: TestNode): SmallDisk => {
    const disk = disks.get(node.dataDirectory);
    if (disk === undefined) throw new Error(`${node.name} has no small disk`);
    return disk;
  };
  const faults = scenario
    .faults({ coordinator, seconds, diskOf })
    .filter(({ isLong }) => seconds >= LONG_RUN_S || isLong !== true);
  const startedMs = performance.now();
  try {
    await inflictAll(run, faults, startedMs + seconds * 1000);
    const verdict = await judge(run);
    if (options.keepsOutput) say(keepOutput(cluster, journal, `${scenario.name}-${seed}`));
    return reportOf(run, { scenario, options, startedMs, verdict });
  } catch (error) {
    const path = keepOutput(cluster, journal, `${scenario.name}-${seed}`);
    throw new Error(`${scenario.name}, seed ${seed}, coordinator ${coordinator}; see ${path}`, { cause: error });
  } finally {
    await load.stop();
    for (const node of cluster.nodes) await node.kill();
    for (const disk of disks.values()) disk.unmount();
    await cluster.dispose();
  }
}

/** Each kind once, in the order of the list; then, while there is time, in random order. */
async function inflictAll(run: ChaosRun, faults: readonly Fault[], endMs: number): Promise<void> {
  for (let count = 0; count < faults.length || performance.now() < endMs; count++) {
    const fault = faults[count] ?? run.pick(faults);
    await run.whole();
    await run.steady();
    run.say(fault.kind);
    await fault.inflict(run);
    run.measure("whole again after, ms", await run.whole());
  }
  for (const { kind } of faults) {
    if ((run.injectedCounts.get(kind) ?? 0) === 0) throw new Error(`${kind}: was never verified to have happened`);
  }
}

function reportOf(
  run: ChaosRun,
  parts: { scenario: Scenario; options: ScenarioOptions; startedMs: number; verdict: Verdict },
): ScenarioReport {
  const { scenario, options, startedMs, verdict } = parts;
  const seconds = (performance.now() - startedMs) / 1000;
  return {
    scenario: scenario.name,
    coordinator: options.coordinator,
    seed: options.seed,
    seconds,
    injected: Object.fromEntries(run.injectedCounts),
    operationsPerSecond: run.load.log.count / seconds,
    counts: run.load.log.counts({ fromMs: startedMs, toMs: performance.now() }),
    measures: Object.fromEntries(run.measures),
    verdict,
  };
}

function keepOutput(cluster: LabCluster, journal: readonly string[], name: string): string {
  const folder = join(folderOutside(), "kv-chaos-failures");
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}.log`);
  writeFileSync(path, [...journal, cluster.allOutput].join("\n"));
  return path;
}
