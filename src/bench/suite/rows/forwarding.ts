import { slotOfKey } from "../../../model/slot.ts";
import { keyOfBinary } from "../../../model/key.ts";
import { alternate } from "../alternate.ts";
import { LOAD_CORE, SERVER_CORE } from "../cores.ts";
import { KvCluster } from "../kv-cluster.ts";
import type { KvNode } from "../kv-node.ts";
import type { LoadFigures } from "../load-figures.ts";
import { benchKey, preload } from "../preload.ts";
import { runRedisBenchmark } from "../redis-benchmark.ts";
import { defineRow, type Figure, type Row, type RowOutcome } from "../row.ts";
import type { Workbench } from "../workbench.ts";
import { runWrk } from "../wrk.ts";

interface Plan {
  readonly rounds: number;
  readonly seconds: number;
}

const KEY_COUNT = 10_000;
const VALUE_BYTES = 64;
const CONNECTIONS = 64;
const LIMITS = { direction: "at least", unit: "×", bar: 0.45, reach: 0.6 } as const;

/** P9: keys of one shard, asked of their own node and of another one; both nodes share the server core. */
export const FORWARDING: Row = defineRow<Plan>({
  id: "P9",
  name: "Forwarded GET",
  what: "GET at the wrong node, forwarded, vs at the right one",
  needs: ["redis-benchmark", "wrk"],
  full: { rounds: 5, seconds: 10 },
  quick: { rounds: 1, seconds: 1 },
  measure,
});

async function measure(bench: Workbench, plan: Plan): Promise<RowOutcome> {
  const cluster = await KvCluster.start(bench, { shardCount: 2, core: SERVER_CORE });
  const [right, wrong] = cluster.leaders;
  if (right === undefined || wrong === undefined) throw new Error("two nodes are needed");
  await preload(right.respPort, { keyCount: KEY_COUNT, valueBytes: VALUE_BYTES });
  await cluster.waitDrained();
  const keys = Array.from({ length: KEY_COUNT }, (_, index) => benchKey(index)).filter(isOfFirstShard);
  const overResp = async ({ respPort }: KvNode): Promise<LoadFigures> => {
    // redis-benchmark cannot be told which keys to draw from, and only half of them are the first shard's.
    const command = ["GET", keys[0] ?? ""];
    const load = { command, connectionCount: CONNECTIONS, pipeline: 1, keyCount: KEY_COUNT, valueBytes: VALUE_BYTES };
    return runRedisBenchmark(bench, { ...load, port: respPort, core: LOAD_CORE }, plan.seconds);
  };
  const requests = keys.map((key) => ({ method: "GET", path: `/v1/kv/${key}`, body: "" }));
  const overHttp = async ({ httpPort }: KvNode): Promise<LoadFigures> =>
    runWrk(bench, { port: httpPort, connectionCount: CONNECTIONS, requests, core: LOAD_CORE }, plan.seconds);
  const compare = async (label: string, load: (node: KvNode) => Promise<LoadFigures>): Promise<Figure> =>
    alternate(
      { label, ...LIMITS },
      {
        rounds: plan.rounds,
        say: (line) => bench.say(line),
        subject: { name: "forwarded", unit: "ops/s", measure: async () => rate(wrong, true, load) },
        peer: { name: "direct", unit: "ops/s", measure: async () => rate(right, false, load) },
      },
    );
  return { figures: [await compare("RESP", overResp), await compare("HTTP", overHttp)], faults: [], notes: [] };
}

/** The node must itself have counted that it forwarded everything, or nothing. */
async function rate(
  node: KvNode,
  isForwarding: boolean,
  load: (node: KvNode) => Promise<LoadFigures>,
): Promise<number> {
  const before = await node.metrics();
  const { opsPerSecond, operations } = await load(node);
  const after = await node.metrics();
  const difference = (name: string): number => after.value(name) - before.value(name);
  const forwarded = difference("kv_forwarded_operations_total");
  const errors = difference("kv_resp_errors_total");
  if (errors === 0 && (isForwarding ? forwarded >= operations : forwarded === 0)) return opsPerSecond;
  throw new Error(`of ${operations} operations ${forwarded} were forwarded and ${errors} failed`);
}

function isOfFirstShard(text: string): boolean {
  return slotOfKey(keyOfBinary(text)) % 2 === 0;
}
