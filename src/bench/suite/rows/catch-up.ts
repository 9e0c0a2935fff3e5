import { setTimeout as sleep } from "node:timers/promises";
import { ratioFigure } from "../alternate.ts";
import { type ClientLoad, runBenchclient } from "../benchclient.ts";
import { KvCluster } from "../kv-cluster.ts";
import { defineRow, type Row, type RowOutcome } from "../row.ts";
import { Sampler } from "../sampler.ts";
import type { Workbench } from "../workbench.ts";

interface Plan {
  readonly rounds: number;
  /** Load with a replica that follows, to compare the leader's latency with. */
  readonly calmSeconds: number;
  readonly stoppedSeconds: number;
  /** Load behind the stop, in which the replica must have caught up. */
  readonly patienceSeconds: number;
}

interface Round {
  readonly entriesPerSecond: number;
  readonly calmP99Ms: number;
  readonly p99Ms: number;
}

const RATE = 10_000;
const LEAD_SECONDS = 1;
const SAMPLE_INTERVAL_MS = 50;
/** Caught up: not further behind than the entries of 100 ms. */
const LAG_ENTRIES_MAX = RATE / 10;

/** P10: a replica that stood still under load, and how fast it is there again. */
export const CATCH_UP: Row = defineRow<Plan>({
  id: "P10",
  name: "Replica stopped",
  what: "Replica stopped (SIGSTOP) for 30 s under an open loop of 10,000 writes/s: its catch-up, entries/s ÷ 10,000",
  needs: [],
  full: { rounds: 5, calmSeconds: 15, stoppedSeconds: 30, patienceSeconds: 15 },
  quick: { rounds: 1, calmSeconds: 2, stoppedSeconds: 3, patienceSeconds: 3 },
  measure,
});

async function measure(bench: Workbench, plan: Plan): Promise<RowOutcome> {
  const cluster = await KvCluster.start(bench, { hasReplicas: true, core: null });
  const rounds: Round[] = [];
  for (let round = 1; round <= plan.rounds; round++) {
    const one = await measureRound(bench, cluster, plan);
    rounds.push(one);
    const latency = `leader's p99 ${one.p99Ms.toFixed(2)} ms, before ${one.calmP99Ms.toFixed(2)} ms`;
    bench.say(`  round ${round} of ${plan.rounds}: ${one.entriesPerSecond.toFixed(0)} entries/s, ${latency}`);
  }
  const values = (read: (round: Round) => number): number[] => rounds.map(read);
  const catchUp = { name: "catch-up", unit: "entries/s", values: values((round) => round.entriesPerSecond) };
  const load = { name: "load", unit: "entries/s", values: values(() => RATE) };
  const stopped = { name: "while stopped and catching up", unit: "ms", values: values((round) => round.p99Ms) };
  const calm = { name: "before", unit: "ms", values: values((round) => round.calmP99Ms) };
  return {
    figures: [
      ratioFigure({ label: "catch-up", direction: "at least", unit: "×", bar: 3, reach: 10 }, catchUp, load),
      ratioFigure({ label: "leader's p99", direction: "at most", unit: "×", bar: 2, reach: 2 }, stopped, calm),
    ],
    faults: [],
    notes: plan.stoppedSeconds < 30 ? [`the replica stood still for ${plan.stoppedSeconds} s only`] : [],
  };
}

async function measureRound(bench: Workbench, cluster: KvCluster, plan: Plan): Promise<Round> {
  const load: ClientLoad = {
    httpPort: cluster.first.httpPort,
    workload: "write",
    keyCount: 10_000,
    valueBytes: 64,
    seconds: plan.calmSeconds,
    connectionCount: 16,
    pipeline: 64,
    rate: RATE,
  };
  const calm = await runBenchclient(bench, load);
  await cluster.waitReplicated(false);
  const seconds = LEAD_SECONDS + plan.stoppedSeconds + plan.patienceSeconds;
  const loaded = runBenchclient(bench, { ...load, seconds });
  const [figures, entriesPerSecond] = await Promise.all([loaded, stopAndCatchUp(cluster, plan)]);
  await cluster.waitReplicated(false);
  await cluster.waitDrained();
  return { entriesPerSecond, calmP99Ms: calm.p99Ms, p99Ms: figures.p99Ms };
}

interface Progress {
  readonly atSeconds: number;
  readonly durableSequence: number;
  readonly lagEntries: number;
}

/** Entries that the replica flushed for each second from its going on until it was no more than 100 ms of load behind. */
async function stopAndCatchUp(cluster: KvCluster, plan: Plan): Promise<number> {
  await sleep(LEAD_SECONDS * 1000);
  cluster.firstReplica.signal("SIGSTOP");
  await sleep(plan.stoppedSeconds * 1000);
  const before = await readProgress(cluster, () => 0);
  if (before.lagEntries < RATE * plan.stoppedSeconds * 0.8) {
    throw new Error(`the stopped replica was only ${before.lagEntries} entries behind`);
  }
  cluster.firstReplica.signal("SIGCONT");
  const watch = new Sampler(SAMPLE_INTERVAL_MS, async (atSeconds) => readProgress(cluster, atSeconds));
  await sleep(plan.patienceSeconds * 900);
  const samples = await watch.stop();
  const there = samples.find(({ lagEntries }) => lagEntries <= LAG_ENTRIES_MAX);
  if (there === undefined) throw new Error(`the replica was still ${samples.at(-1)?.lagEntries ?? 0} entries behind`);
  return (there.durableSequence - before.durableSequence) / Math.max(there.atSeconds, SAMPLE_INTERVAL_MS / 1000);
}

async function readProgress({ first }: KvCluster, atSeconds: () => number): Promise<Progress> {
  const metrics = await first.metrics();
  return {
    atSeconds: atSeconds(),
    durableSequence: metrics.value("kv_replica_durable_sequence"),
    lagEntries: metrics.value("kv_replica_lag_entries"),
  };
}
