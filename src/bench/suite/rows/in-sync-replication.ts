import { alternate, type Contestant } from "../alternate.ts";
import { KvCluster } from "../kv-cluster.ts";
import { runRedisBenchmark } from "../redis-benchmark.ts";
import { defineRow, type Row, type RowOutcome } from "../row.ts";
import { Sampler } from "../sampler.ts";
import type { Workbench } from "../workbench.ts";

interface Plan {
  readonly rounds: number;
  readonly seconds: number;
  /** Whether the trees come to rest before the other pair is measured. */
  readonly drains: boolean;
}

const KEY_COUNT = 10_000;
const VALUE_BYTES = 64;
const CONNECTIONS = 64;
const LAG_INTERVAL_MS = 50;
const LAG_MS_MAX = 100;

/** P8: what it costs to wait for the replica's flush. */
export const IN_SYNC_REPLICATION: Row = defineRow<Plan>({
  id: "P8",
  name: "SET, in-sync",
  what: "RESP SET, durable, in-sync with one replica, vs async with one",
  needs: ["redis-benchmark"],
  full: { rounds: 5, seconds: 15, drains: true },
  quick: { rounds: 1, seconds: 1, drains: false },
  measure,
});

async function measure(bench: Workbench, plan: Plan): Promise<RowOutcome> {
  const faults = new Set<string>();
  const lags: number[] = [];
  const contestant = async (replication: "in-sync" | "async"): Promise<Contestant> => {
    const cluster = await KvCluster.start(bench, { hasReplicas: true, replication, core: null });
    return {
      name: replication,
      unit: "ops/s",
      measure: async () => {
        const { rate, lagMs } = await measureOnce(bench, cluster, plan.seconds);
        lags.push(lagMs);
        if (lagMs >= LAG_MS_MAX) faults.add(`${replication} ended with a lag of ${lagMs.toFixed(0)} ms`);
        await cluster.waitReplicated(replication === "in-sync");
        if (plan.drains) await cluster.waitDrained();
        return rate;
      },
    };
  };
  const figure = await alternate(
    { label: "", direction: "at least", unit: "×", bar: 0.6, reach: 0.8 },
    {
      rounds: plan.rounds,
      say: (line) => bench.say(line),
      subject: await contestant("in-sync"),
      peer: await contestant("async"),
    },
  );
  const notes = [`largest lag of a replica at the end of a run: ${Math.max(...lags).toFixed(0)} ms`];
  return { figures: [figure], faults: [...faults], notes };
}

async function measureOnce(
  bench: Workbench,
  cluster: KvCluster,
  seconds: number,
): Promise<{ readonly rate: number; readonly lagMs: number }> {
  // Asked while the load goes on: right after its end there would soon be no lag to see.
  const watch = new Sampler(LAG_INTERVAL_MS, async () => {
    const metrics = await cluster.first.metrics();
    return metrics.value("kv_replica_lag_seconds") * 1000;
  });
  const load = {
    port: cluster.first.respPort,
    command: "set",
    connectionCount: CONNECTIONS,
    pipeline: 1,
    keyCount: KEY_COUNT,
    valueBytes: VALUE_BYTES,
    core: null,
  } as const;
  const before = await cluster.first.metrics();
  const { opsPerSecond } = await runRedisBenchmark(bench, load, seconds);
  const lags = await watch.stop();
  const after = await cluster.first.metrics();
  const errors = after.value("kv_resp_errors_total") - before.value("kv_resp_errors_total");
  if (errors > 0) throw new Error(`${errors} commands failed`);
  return { rate: opsPerSecond, lagMs: Math.max(...lags.slice(-3)) };
}
