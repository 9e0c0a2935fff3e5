import { keyOfText } from "../../../model/key.ts";
import { slotOfKey } from "../../../model/slot.ts";
import { measureInTurn, ratioFigure } from "../alternate.ts";
import { LOAD_CORE, SERVER_CORE } from "../cores.ts";
import { KvCluster } from "../kv-cluster.ts";
import { benchKey } from "../preload.ts";
import { runRedisBenchmarkOnce } from "../redis-benchmark.ts";
import { defineRow, type Figure, type Row, type RowOutcome } from "../row.ts";
import type { Workbench } from "../workbench.ts";

interface Plan {
  readonly rounds: number;
  /** Of one measurement, over all shards. */
  readonly operations: number;
}

const VALUE = "v".repeat(64);
const CONNECTIONS_PER_SHARD = 64;
const SHARDS = 8;
const COMMANDS = [
  { command: "set", bar: 1.4, reach: 1 },
  { command: "get", bar: 1.15, reach: 1 },
] as const;

type CommandName = (typeof COMMANDS)[number]["command"];

/**
 * P15: whether an operation costs more CPU in a cluster of many shards. Its load comes from one `redis-benchmark` for each
 * shard, which knows no keys of one shard but a fixed one: a generator that kept all shards busy with many keys each would
 * need more CPU than it has, and shards that are not busy answer fewer requests a turn.
 */
export const MANY_SHARDS: Row = defineRow<Plan>({
  id: "P15",
  name: "CPU, 8 shards",
  what: "CPU seconds of the servers for a million operations with 8 shards, vs 1; direct routing, 64 connections per shard",
  needs: ["redis-benchmark"],
  full: { rounds: 5, operations: 800_000 },
  quick: { rounds: 1, operations: 80_000 },
  measure,
});

async function measure(bench: Workbench, plan: Plan): Promise<RowOutcome> {
  const many = await KvCluster.start(bench, { shardCount: SHARDS, core: SERVER_CORE });
  const one = await KvCluster.start(bench, { shardCount: 1, core: SERVER_CORE });
  // The first seconds of a node go to compiling it: eight of them would pay that eight times.
  for (const cluster of [many, one]) {
    for (const { command } of COMMANDS) await cpuPerMillion(bench, cluster, { command, plan });
  }
  const figures: Figure[] = [];
  for (const { command, bar, reach } of COMMANDS) {
    const unit = "CPU s";
    const [subject, peer] = await measureInTurn(
      [
        { name: `${SHARDS} shards`, unit, measure: async () => cpuPerMillion(bench, many, { command, plan }) },
        { name: "1 shard", unit, measure: async () => cpuPerMillion(bench, one, { command, plan }) },
      ],
      { rounds: plan.rounds, say: (line) => bench.say(line) },
    );
    const label = command.toUpperCase();
    figures.push(ratioFigure({ label, direction: "at most", unit: "×", bar, reach }, subject, peer));
  }
  return { figures, faults: [], notes: [] };
}

/** What the nodes use until their trees have everything, so that work put off is counted too. */
async function cpuPerMillion(
  bench: Workbench,
  cluster: KvCluster,
  { command, plan }: { readonly command: CommandName; readonly plan: Plan },
): Promise<number> {
  const cpuSeconds = (): number => cluster.nodes.reduce((sum, node) => sum + node.cpuSeconds, 0);
  const total = async (name: string): Promise<number> => {
    const all = await Promise.all(cluster.nodes.map(async (node) => node.metrics()));
    return all.reduce((sum, metrics) => sum + metrics.value(name), 0);
  };
  const shardCount = cluster.leaders.length;
  const operations = Math.ceil(plan.operations / shardCount);
  const forwardedBefore = await total("kv_forwarded_operations_total");
  const errorsBefore = await total("kv_resp_errors_total");
  const before = cpuSeconds();
  await Promise.all(
    cluster.leaders.map(async ({ respPort: port }, index) => {
      const key = keyOfShard(index, shardCount);
      const words = command === "set" ? ["SET", key, VALUE] : ["GET", key];
      const load = { port, command: words, connectionCount: CONNECTIONS_PER_SHARD, pipeline: 1, core: LOAD_CORE };
      await runRedisBenchmarkOnce(bench, { ...load, keyCount: 1, valueBytes: VALUE.length }, operations);
    }),
  );
  await cluster.waitDrained();
  const used = cpuSeconds() - before;
  const forwarded = (await total("kv_forwarded_operations_total")) - forwardedBefore;
  if (forwarded > 0) throw new Error(`${forwarded} operations went to the wrong node`);
  const errors = (await total("kv_resp_errors_total")) - errorsBefore;
  if (errors > 0) throw new Error(`${errors} commands failed`);
  return used / ((operations * shardCount) / 1e6);
}

/** The first of our keys that lives on this shard. */
function keyOfShard(shard: number, shardCount: number): string {
  for (let index = 0; ; index++) {
    const key = benchKey(index);
    if (slotOfKey(keyOfText(key)) % shardCount === shard) return key;
  }
}
