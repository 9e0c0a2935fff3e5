import { measureInTurn, ratioFigure } from "../alternate.ts";
import { runBenchclient } from "../benchclient.ts";
import { KvCluster } from "../kv-cluster.ts";
import { preload } from "../preload.ts";
import { defineRow, type Figure, type Row, type RowOutcome } from "../row.ts";
import type { Workbench } from "../workbench.ts";

interface Plan {
  readonly rounds: number;
  readonly seconds: number;
}

const KEY_COUNT = 80_000;
const VALUE_BYTES = 64;
const CONNECTIONS_PER_SHARD = 64;
const SHARDS = 8;
const WORKLOADS = [
  { workload: "read", label: "GET", bar: 1.15, reach: 1 },
  { workload: "write", label: "SET", bar: 1.4, reach: 1 },
] as const;

/** P15: whether an operation costs more CPU in a cluster of many shards. */
export const MANY_SHARDS: Row = defineRow<Plan>({
  id: "P15",
  name: "CPU, 8 shards",
  what: "CPU seconds of the servers for a million operations with 8 shards, vs 1; direct routing, 64 connections per shard",
  needs: [],
  full: { rounds: 5, seconds: 10 },
  quick: { rounds: 1, seconds: 1 },
  measure,
});

async function measure(bench: Workbench, plan: Plan): Promise<RowOutcome> {
  const many = await KvCluster.start(bench, { shardCount: SHARDS, core: null });
  const one = await KvCluster.start(bench, { shardCount: 1, core: null });
  const load = async (cluster: KvCluster): Promise<void> => {
    await preload(cluster.first.respPort, { keyCount: KEY_COUNT, valueBytes: VALUE_BYTES });
    await cluster.waitDrained();
  };
  await Promise.all([load(many), load(one)]);
  // The first seconds of a node go to compiling it: eight of them would pay that eight times.
  for (const cluster of [many, one]) {
    for (const { workload } of WORKLOADS) await cpuPerMillion(bench, cluster, { workload, plan });
  }
  const figures: Figure[] = [];
  for (const { workload, label, bar, reach } of WORKLOADS) {
    const unit = "CPU s";
    const [subject, peer] = await measureInTurn(
      [
        { name: `${SHARDS} shards`, unit, measure: async () => cpuPerMillion(bench, many, { workload, plan }) },
        { name: "1 shard", unit, measure: async () => cpuPerMillion(bench, one, { workload, plan }) },
      ],
      { rounds: plan.rounds, say: (line) => bench.say(line) },
    );
    figures.push(ratioFigure({ label, direction: "at most", unit: "×", bar, reach }, subject, peer));
  }
  return { figures, faults: [], notes: [] };
}

/** What the nodes use until their trees have everything, so that work put off is counted too. */
async function cpuPerMillion(
  bench: Workbench,
  cluster: KvCluster,
  { workload, plan }: { readonly workload: "read" | "write"; readonly plan: Plan },
): Promise<number> {
  const cpuSeconds = (): number => cluster.nodes.reduce((sum, node) => sum + node.cpuSeconds, 0);
  const forwarded = async (): Promise<number> => {
    const all = await Promise.all(cluster.nodes.map(async (node) => node.metrics()));
    return all.reduce((sum, metrics) => sum + metrics.value("kv_forwarded_operations_total"), 0);
  };
  const forwardedBefore = await forwarded();
  const before = cpuSeconds();
  const { count } = await runBenchclient(bench, {
    httpPort: cluster.first.httpPort,
    workload,
    keyCount: KEY_COUNT,
    valueBytes: VALUE_BYTES,
    seconds: plan.seconds,
    connectionCount: CONNECTIONS_PER_SHARD,
    isDirect: true,
  });
  await cluster.waitDrained();
  const used = cpuSeconds() - before;
  const forwardedCount = (await forwarded()) - forwardedBefore;
  if (forwardedCount > 0) throw new Error(`${forwardedCount} operations went to the wrong node`);
  return used / (count / 1e6);
}
