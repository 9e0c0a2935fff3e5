import { alternate } from "../alternate.ts";
import { countTreeRuns, watchBacklog } from "../backlog-watch.ts";
import { type ClientLoad, runBenchclient } from "../benchclient.ts";
import { KvCluster } from "../kv-cluster.ts";
import { preload } from "../preload.ts";
import { defineRow, type Row, type RowOutcome } from "../row.ts";
import { median } from "../statistics.ts";
import { TreeFeeder } from "../tree-feeder.ts";
import type { Workbench } from "../workbench.ts";

interface Plan {
  readonly rounds: number;
  readonly seconds: number;
  readonly keyCount: number;
  readonly treeRunsMin: number;
}

const VALUE_BYTES = 256;
const CONNECTIONS = 64;
/** With these values a quarter of the memtable, which starts a run of the tree, gathers in three to four seconds. */
const FEED_ROWS_PER_SECOND = 10_000;
const LOAD_SHARE = 0.3;

/** P14: readers while the tree is written and the log trimmed, and readers while nothing else goes on. */
export const TREE_WRITES: Row = defineRow<Plan>({
  id: "P14",
  name: "p99 of GET while the tree is written",
  what: "p99 of RESP GET while the tree is written and the log trimmed, vs idle; open loop at 30 % of maximum",
  needs: [],
  full: { rounds: 5, seconds: 20, keyCount: 1_000_000, treeRunsMin: 3 },
  quick: { rounds: 1, seconds: 6, keyCount: 50_000, treeRunsMin: 1 },
  measure,
});

async function measure(bench: Workbench, plan: Plan): Promise<RowOutcome> {
  const { keyCount } = plan;
  const { first: node } = await KvCluster.start(bench, { core: null });
  await preload(node.respPort, { keyCount, valueBytes: VALUE_BYTES });
  await node.waitDrained();
  const load: ClientLoad = {
    httpPort: node.httpPort,
    workload: "read",
    keyCount,
    valueBytes: VALUE_BYTES,
    seconds: Math.min(10, plan.seconds / 2),
    connectionCount: CONNECTIONS,
  };
  const maximum = await runBenchclient(bench, load);
  const rate = maximum.opsPerSecond * LOAD_SHARE;
  const openLoop = { ...load, seconds: plan.seconds, rate, pipeline: 16 };
  const faults = new Set<string>();
  const fed: number[] = [];
  const lateness: number[] = [];
  const figure = await alternate(
    { label: "", direction: "at most", unit: "×", bar: 2, reach: 1.2 },
    {
      rounds: plan.rounds,
      say: (line) => bench.say(line),
      subject: {
        name: "tree written",
        unit: "ms",
        measure: async () => {
          const feeder = await TreeFeeder.start(node.respPort, {
            keyCount,
            valueBytes: VALUE_BYTES,
            rowsPerSecond: FEED_ROWS_PER_SECOND,
          });
          const watch = watchBacklog(node);
          const figures = await runBenchclient(bench, openLoop);
          const treeRuns = countTreeRuns(await watch.stop());
          fed.push(await feeder.stop());
          lateness.push(figures.lateP99Ms);
          if (treeRuns < plan.treeRunsMin) faults.add(`the tree was written only ${treeRuns} times in a run`);
          await node.waitDrained();
          return figures.p99Ms;
        },
      },
      peer: {
        name: "idle",
        unit: "ms",
        measure: async () => {
          const figures = await runBenchclient(bench, openLoop);
          return figures.p99Ms;
        },
      },
    },
  );
  const notes = [
    `${Math.round(rate)} GETs a second; meanwhile ${Math.round(median(fed))} random rows of ${VALUE_BYTES} bytes a second went into a store of ${keyCount.toLocaleString("en-US")} keys; the load generator itself was late by ${median(lateness).toFixed(2)} ms (p99)`,
  ];
  return { figures: [figure], faults: [...faults], notes };
}
