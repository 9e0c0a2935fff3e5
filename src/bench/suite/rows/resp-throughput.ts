import { alternate } from "../alternate.ts";
import { backlogFault, samplesOfLast, watchBacklog } from "../backlog-watch.ts";
import { LOAD_CORE, SERVER_CORE } from "../cores.ts";
import { KvCluster } from "../kv-cluster.ts";
import type { KvNode } from "../kv-node.ts";
import type { LoadFigures } from "../load-figures.ts";
import { RedisPeer } from "../peers/redis-peer.ts";
import { preload } from "../preload.ts";
import { type RespLoad, runRedisBenchmark } from "../redis-benchmark.ts";
import { defineRow, type Row, type RowOutcome } from "../row.ts";
import { ServerUse } from "../server-use.ts";
import type { Workbench } from "../workbench.ts";

interface Plan {
  readonly rounds: number;
  readonly seconds: number;
  /** Whether a run must be long enough to judge the log behind the tree. */
  readonly judgesBacklog: boolean;
}

interface Target {
  readonly id: string;
  readonly name: string;
  readonly what: string;
  readonly command: "set" | "get";
  readonly pipeline: number;
  readonly bar: number;
  readonly reach: number;
}

const KEY_COUNT = 10_000;
const VALUE_BYTES = 64;
const CONNECTIONS = 64;
const REDIS = "Redis, appendfsync always";

const TARGETS: readonly Target[] = [
  {
    id: "P1",
    name: "SET",
    what: "RESP SET, durable, no pipelining",
    command: "set",
    pipeline: 1,
    bar: 1.0,
    reach: 1.3,
  },
  {
    id: "P2",
    name: "SET, pipeline of 16",
    what: "RESP SET, durable, pipeline of 16",
    command: "set",
    pipeline: 16,
    bar: 1.2,
    reach: 2,
  },
  { id: "P3", name: "GET", what: "RESP GET, no pipelining", command: "get", pipeline: 1, bar: 1.0, reach: 1.1 },
  {
    id: "P4",
    name: "GET, pipeline of 16",
    what: "RESP GET, pipeline of 16",
    command: "get",
    pipeline: 16,
    bar: 0.7,
    reach: 1.0,
  },
];

/** P1 to P4: Redis' own benchmark against a node of one shard without replica, and against Redis. */
export const RESP_THROUGHPUT: readonly Row[] = TARGETS.map((target) =>
  defineRow<Plan>({
    id: target.id,
    name: target.name,
    what: `${target.what}, vs Redis`,
    needs: ["redis-server", "redis-benchmark"],
    full: { rounds: 5, seconds: 30, judgesBacklog: true },
    quick: { rounds: 1, seconds: 1, judgesBacklog: false },
    measure: async (bench, plan) => measure(bench, target, plan),
  }),
);

async function measure(bench: Workbench, target: Target, plan: Plan): Promise<RowOutcome> {
  const cluster = await KvCluster.start(bench, { core: SERVER_CORE });
  const kv = cluster.first;
  const redis = await RedisPeer.start(bench, SERVER_CORE);
  await preload(kv.respPort, { keyCount: KEY_COUNT, valueBytes: VALUE_BYTES });
  await preload(redis.port, { keyCount: KEY_COUNT, valueBytes: VALUE_BYTES });
  const load = (port: number): RespLoad => ({
    port,
    command: target.command,
    connectionCount: CONNECTIONS,
    pipeline: target.pipeline,
    keyCount: KEY_COUNT,
    valueBytes: VALUE_BYTES,
    core: LOAD_CORE,
  });
  const faults: string[] = [];
  const use = new ServerUse();
  const figure = await alternate(
    { label: "", direction: "at least", unit: "×", bar: target.bar, reach: target.reach },
    {
      rounds: plan.rounds,
      say: (line) => bench.say(line),
      subject: {
        name: "kv",
        unit: "ops/s",
        measure: async () => {
          const watch = watchBacklog(kv);
          const { opsPerSecond, seconds } = await use.during("kv", kv, async () =>
            measuredKv(kv, async () => runRedisBenchmark(bench, load(kv.respPort), plan.seconds)),
          );
          const fault = backlogFault(samplesOfLast(seconds, await watch.stop()), plan.judgesBacklog);
          if (fault !== null) {
            faults.push(fault);
            bench.say(`  not valid: ${fault}`);
          }
          // What the tree still has to take in must not cost Redis its core.
          await kv.waitDrained();
          return opsPerSecond;
        },
      },
      peer: {
        name: REDIS,
        unit: "ops/s",
        measure: async () => {
          const { opsPerSecond } = await use.during("Redis", redis, async () =>
            measuredRedis(redis, async () => runRedisBenchmark(bench, load(redis.port), plan.seconds)),
          );
          await redis.waitIdle();
          return opsPerSecond;
        },
      },
    },
  );
  await Promise.all([cluster.stop(), redis.stop()]);
  return { figures: [figure], faults: [...new Set(faults)], notes: use.notes() };
}

type Run = () => Promise<LoadFigures>;

/** The node must itself have counted the commands, and no error. */
async function measuredKv(kv: KvNode, run: Run): Promise<LoadFigures> {
  const read = async (): Promise<Counts> => {
    const metrics = await kv.metrics();
    return { commands: metrics.value("kv_resp_commands_total"), errors: metrics.value("kv_resp_errors_total") };
  };
  return counted("kv", read, run);
}

async function measuredRedis(redis: RedisPeer, run: Run): Promise<LoadFigures> {
  const read = async (): Promise<Counts> => ({
    commands: await redis.info("total_commands_processed"),
    errors: (await redis.info("total_error_replies")) + (await redis.info("keyspace_misses")),
  });
  return counted("redis", read, run);
}

interface Counts {
  readonly commands: number;
  readonly errors: number;
}

async function counted(name: string, read: () => Promise<Counts>, run: Run): Promise<LoadFigures> {
  const before = await read();
  const figures = await run();
  const after = await read();
  const commands = after.commands - before.commands;
  const errors = after.errors - before.errors;
  if (commands >= figures.operations && errors === 0) return figures;
  throw new Error(
    `${name} counted ${commands} commands and ${errors} errors or misses where ${figures.operations} were sent`,
  );
}
