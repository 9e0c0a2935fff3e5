import { SeededRandom } from "../../base/random.ts";
import { KvError } from "../../model/errors.ts";
import { formatHostPort } from "../../server/node-address.ts";
import { askLeaders } from "./cluster-leaders.ts";
import { type ConnectionTargets, openConnections, targetsOf } from "./connection-set.ts";
import { InsertOrder } from "./insert-order.ts";
import { keyChooser } from "./key-chooser.ts";
import { CLOSED_LOOP, openLoop } from "./load-pace.ts";
import type { LoadPlan } from "./load-plan.ts";
import { LoadProgress } from "./load-progress.ts";
import { loadReportOf } from "./load-report.ts";
import { type LoadOutcome, LoadRun, type LoadRunParts } from "./load-run.ts";
import { loadSummary } from "./load-summary.ts";
import { MixSource } from "./mix-source.ts";
import type { OperationSource } from "./operation-source.ts";
import { PreloadSource } from "./preload-source.ts";
import { Records } from "./records.ts";
import { workloadOf } from "./workload.ts";

/** What all phases of one load share. */
interface LoadScene {
  readonly plan: LoadPlan;
  readonly records: Records;
  readonly targets: ConnectionTargets;
  readonly say: (line: string) => void;
}

/** Loading wants throughput: at least so many writes under way on each connection. */
const PRELOAD_DEPTH_MIN = 32;

/** Runs a load and prints what it came to. Returns the exit code: 0, or 1 when operations failed. */
export async function runLoad(plan: LoadPlan): Promise<number> {
  const records = new Records(Buffer.from(plan.keyPrefix, "utf8").toString("latin1"), plan.valueBytes);
  const cluster = plan.isDirect ? await askLeaders(plan.nodes) : null;
  const say = (line: string): void => {
    if (!plan.asJson) console.log(line);
  };
  const scene = { plan, records, targets: targetsOf(plan, records, cluster), say };
  if (plan.isPreloading) await preload(scene);
  const connectionCount = plan.connectionCount * scene.targets.groups.length;
  say(describe(plan, connectionCount));
  const outcome = await runMix(scene);
  const report = loadReportOf(plan, outcome, connectionCount);
  if (plan.asJson) console.log(JSON.stringify(report));
  else for (const line of loadSummary(report)) say(line);
  return report.failed > 0 ? 1 : 0;
}

async function preload(scene: LoadScene): Promise<void> {
  const { plan, say } = scene;
  const source = new PreloadSource(scene.records, plan.keyCount);
  const depth = Math.max(plan.pipeline, PRELOAD_DEPTH_MIN);
  const progress = new LoadProgress("load", plan.keyCount, () => source.writtenCount);
  const { statistics, seconds } = await drive(scene, { source, progress, depth });
  if (source.writtenCount < plan.keyCount) {
    const done = `${source.writtenCount} of ${plan.keyCount} keys were loaded`;
    throw new KvError("UNREACHABLE", `${done}; the first failure: ${statistics.failures.first}`);
  }
  const rate = Math.round(plan.keyCount / Math.max(seconds, 0.001)).toLocaleString("en-US");
  say(`Loaded ${plan.keyCount.toLocaleString("en-US")} keys of ${plan.valueBytes} bytes, ${rate} a second`);
}

async function runMix(scene: LoadScene): Promise<LoadOutcome> {
  const { plan, records } = scene;
  const random = new SeededRandom(plan.seed);
  const inserts = new InsertOrder(plan.keyCount);
  const { distribution, theta, keyCount } = plan;
  const chooseKey = keyChooser({ distribution, theta, keyCount, random: random.fork("keys"), inserts });
  const { shares } = workloadOf(plan.workload, plan.readFraction);
  const source = new MixSource({ shares, chooseKey, inserts, records, random: random.fork("kinds") });
  const progress =
    plan.operationCount === null
      ? new LoadProgress(plan.workload, (plan.seconds ?? 0) * 1000, (run) => run.measuredMs)
      : new LoadProgress(plan.workload, plan.operationCount, (run) => run.statistics.answered);
  return drive(scene, {
    source,
    progress,
    depth: plan.pipeline,
    pace: plan.rate === null ? CLOSED_LOOP : openLoop(plan.rate),
    warmupMs: plan.warmupSeconds * 1000,
    durationMs: plan.seconds === null ? Infinity : plan.seconds * 1000,
    countMax: plan.operationCount ?? Infinity,
  });
}

/** Runs one phase over connections of its own. */
async function drive(
  { plan, records, targets }: LoadScene,
  phase: {
    readonly source: OperationSource;
    readonly progress: LoadProgress;
    readonly depth: number;
  } & Partial<LoadRunParts>,
): Promise<LoadOutcome> {
  const { progress, depth, ...parts } = phase;
  const run = new LoadRun({
    pace: CLOSED_LOOP,
    warmupMs: 0,
    durationMs: Infinity,
    countMax: Infinity,
    ...parts,
    groupOf: targets.groupOf,
    groupCount: targets.groups.length,
    timeoutMs: plan.timeoutSeconds * 1000,
    onProgress: () => progress.show(run),
  });
  const connections = openConnections(plan, { targets, records, owner: run, depth });
  try {
    return await run.run(connections);
  } catch (error) {
    if (!(error instanceof KvError) || error.code !== "UNREACHABLE") throw error;
    throw new KvError(
      "UNREACHABLE",
      `${error.message}; is a node running at ${plan.nodes.map(formatHostPort).join(", ")}?`,
    );
  } finally {
    progress.stop();
    for (const connection of connections) connection.close();
  }
}

function describe(plan: LoadPlan, connectionCount: number): string {
  const loop = plan.rate === null ? "closed loop" : `open loop, ${plan.rate.toLocaleString("en-US")} ops/s`;
  const extent =
    plan.operationCount === null ? `${plan.seconds} s` : `${plan.operationCount.toLocaleString("en-US")} operations`;
  const nodes = plan.isDirect ? "the leaders" : plan.nodes.map(formatHostPort).join(", ");
  const keys = `${plan.keyCount.toLocaleString("en-US")} keys ${plan.distribution}`;
  return `${plan.workload} over ${plan.protocol} to ${nodes} | ${loop} | ${connectionCount} connections × ${plan.pipeline} | ${keys} | ${plan.valueBytes} bytes | ${extent} | seed ${plan.seed}`;
}
