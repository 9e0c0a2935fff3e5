import { fileURLToPath } from "node:url";
import { absoluteFigure } from "../alternate.ts";
import { type ClientLoad, runBenchclient } from "../benchclient.ts";
import { KvCluster } from "../kv-cluster.ts";
import { defineRow, type Row, type RowOutcome } from "../row.ts";
import { median, quantile } from "../statistics.ts";
import type { Workbench } from "../workbench.ts";

interface Plan {
  readonly rounds: number;
  readonly seconds: number;
}

const CONNECTIONS = 64;
const PROBES_PER_SECOND = 50;
const PROBES_SHARE_MIN = 0.5;

/** P11: how long after a write's answer the replica shows it, at half of the load that the pair can take. */
export const VISIBILITY: Row = defineRow<Plan>({
  id: "P11",
  name: "Commit to visible on the replica, p99",
  what: "From the leader's commit to visibility on the replica, 50 % of maximum write load, p99",
  needs: [],
  full: { rounds: 5, seconds: 20 },
  quick: { rounds: 1, seconds: 2 },
  measure,
});

async function measure(bench: Workbench, plan: Plan): Promise<RowOutcome> {
  const cluster = await KvCluster.start(bench, { hasReplicas: true, core: null });
  const load: ClientLoad = {
    httpPort: cluster.first.httpPort,
    workload: "write",
    keyCount: 10_000,
    valueBytes: 64,
    seconds: plan.seconds,
    connectionCount: CONNECTIONS,
  };
  const maximum = await runBenchclient(bench, load);
  await cluster.waitReplicated(false);
  const p99s: number[] = [];
  const p50s: number[] = [];
  for (let round = 1; round <= plan.rounds; round++) {
    const rate = maximum.opsPerSecond / 2;
    const [, delaysMs] = await Promise.all([
      runBenchclient(bench, { ...load, rate, pipeline: 16 }),
      probe(bench, cluster, plan.seconds),
    ]);
    p99s.push(quantile(delaysMs, 0.99));
    p50s.push(quantile(delaysMs, 0.5));
    bench.say(
      `  round ${round} of ${plan.rounds}: p99 ${quantile(delaysMs, 0.99).toFixed(2)} ms, ${delaysMs.length} probes`,
    );
    await cluster.waitReplicated(false);
  }
  const bar = { label: "", direction: "at most", unit: "ms", bar: 20, reach: 5 } as const;
  const notes = [
    `load: ${Math.round(maximum.opsPerSecond / 2)} writes/s, half of what the pair took in a closed loop; median delay ${median(p50s).toFixed(2)} ms`,
  ];
  return { figures: [absoluteFigure(bar, { name: "kv", unit: "ms", values: p99s })], faults: [], notes };
}

async function probe(bench: Workbench, cluster: KvCluster, seconds: number): Promise<number[]> {
  const program = fileURLToPath(new URL("../visibility-probe.ts", import.meta.url));
  const numbers = [cluster.first.respPort, cluster.firstReplica.respPort, seconds, PROBES_PER_SECOND];
  const printed = await bench.run({
    name: "visibility-probe",
    program: process.execPath,
    parameters: [...process.execArgv, program, ...numbers.map(String)],
    core: null,
  });
  const delays: unknown = JSON.parse(printed);
  if (!Array.isArray(delays)) throw new Error(`the probe printed ${printed.slice(0, 200)}`);
  const delaysMs = delays.filter((delay): delay is number => typeof delay === "number");
  if (delaysMs.length < seconds * PROBES_PER_SECOND * PROBES_SHARE_MIN) {
    throw new Error(`only ${delaysMs.length} probes in ${seconds} s`);
  }
  return delaysMs;
}
