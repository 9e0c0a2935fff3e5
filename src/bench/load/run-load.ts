import { SeededRandom } from "../../base/random.ts";
import { formatHostPort } from "../../server/node-address.ts";
import { askCluster } from "./cluster-shards.ts";
import { targetsOf } from "./connection-set.ts";
import { InsertOrder } from "./insert-order.ts";
import { keyChooser } from "./key-chooser.ts";
import { CLOSED_LOOP, openLoop } from "./load-pace.ts";
import type { LoadPlan } from "./load-plan.ts";
import { LoadProgress } from "./load-progress.ts";
import { loadReportOf } from "./load-report.ts";
import type { LoadOutcome } from "./load-run.ts";
import { type LoadScene, preload, recordsOf, runPhase } from "./load-scene.ts";
import { loadSummary } from "./load-summary.ts";
import { MixSource } from "./mix-source.ts";
import { workloadOf } from "./workload.ts";

/** Runs a load and prints what it came to. Returns the exit code: 0, or 1 when operations failed. */
export async function runLoad(plan: LoadPlan): Promise<number> {
  const records = recordsOf(plan);
  const shards = plan.isDirect ? await askCluster(plan.nodes) : null;
  const say = (line: string): void => {
    if (!plan.asJson) console.log(line);
  };
  const scene = { plan, records, targets: targetsOf(plan, records, shards), say };
  if (plan.isPreloading) await preload(scene);
  const connectionCount = plan.connectionCount * scene.targets.groups.length;
  say(describe(plan, connectionCount));
  const report = loadReportOf(plan, await runMix(scene), connectionCount);
  if (plan.asJson) console.log(JSON.stringify(report));
  else for (const line of loadSummary(report)) say(line);
  return report.failed > 0 ? 1 : 0;
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
  return runPhase(scene, {
    source,
    progress,
    depth: plan.pipeline,
    pace: plan.rate === null ? CLOSED_LOOP : openLoop(plan.rate),
    warmupMs: plan.warmupSeconds * 1000,
    durationMs: plan.seconds === null ? Infinity : plan.seconds * 1000,
    countMax: plan.operationCount ?? Infinity,
  });
}

function describe(plan: LoadPlan, connectionCount: number): string {
  const keys = `${plan.keyCount.toLocaleString("en-US")} keys ${plan.distribution}`;
  const parts = [
    `${plan.workload} over ${plan.protocol} to ${plan.isDirect ? "the leaders" : plan.nodes.map(formatHostPort).join(", ")}`,
    plan.rate === null ? "closed loop" : `open loop, ${plan.rate.toLocaleString("en-US")} ops/s`,
    `${connectionCount} connections × ${plan.pipeline}`,
    `${keys}, ${plan.valueBytes} bytes`,
    plan.operationCount === null ? `${plan.seconds} s` : `${plan.operationCount.toLocaleString("en-US")} operations`,
    `seed ${plan.seed}`,
  ];
  return parts.join(" | ");
}
