import { type Contestant, measureInTurn, ratioFigure } from "../alternate.ts";
import { backlogFault, countTreeRuns, samplesOfLast, watchBacklog } from "../backlog-watch.ts";
import { KvCluster } from "../kv-cluster.ts";
import type { KvNode } from "../kv-node.ts";
import { preload } from "../preload.ts";
import { runRedisBenchmark } from "../redis-benchmark.ts";
import { type Bar, defineRow, type Figure, type Row, type RowOutcome } from "../row.ts";
import type { Workbench } from "../workbench.ts";

interface Plan {
  readonly rounds: number;
  readonly seconds: number;
  /** The first is what the others are held against. */
  readonly keyCounts: readonly number[];
  /** Runs must be sustained: so many tree runs, and a log that does not outgrow the tree. */
  readonly treeRunsMin: number;
  /** Whether each store's tree comes to rest before the next is measured. */
  readonly drains: boolean;
}

interface Limits {
  readonly bar: number;
  readonly reach: number;
}

const VALUE_BYTES = 64;
const CONNECTIONS = 64;
const COMMANDS = ["get", "set"] as const;

type Command = (typeof COMMANDS)[number];

/** Of the second store and of the third. */
const LIMITS: Readonly<Record<Command, readonly Limits[]>> = {
  get: [
    { bar: 0.8, reach: 0.95 },
    { bar: 0.6, reach: 0.8 },
  ],
  set: [
    { bar: 0.8, reach: 0.95 },
    { bar: 0.5, reach: 0.8 },
  ],
};

/** P7: the same load over stores of different sizes. */
export const GROWTH: Row = defineRow<Plan>({
  id: "P7",
  name: "Many keys",
  what: "Growth of cost: RESP with many keys in the store, vs few",
  needs: ["redis-benchmark"],
  full: { rounds: 5, seconds: 60, keyCounts: [10_000, 1_000_000, 10_000_000], treeRunsMin: 5, drains: true },
  quick: { rounds: 1, seconds: 1, keyCounts: [10_000, 50_000, 100_000], treeRunsMin: 0, drains: false },
  measure,
});

interface Store {
  readonly name: string;
  readonly keyCount: number;
  readonly node: KvNode;
}

async function measure(bench: Workbench, plan: Plan): Promise<RowOutcome> {
  bench.say(`  loading ${plan.keyCounts.map(shortCount).join(", ")} keys`);
  const stores = await Promise.all(plan.keyCounts.map(async (keyCount) => loadStore(bench, keyCount)));
  const faults = new Set<string>();
  const figures: Figure[] = [];
  for (const command of COMMANDS) {
    const contestants = stores.map((store) => contestant(bench, { plan, command, store, faults }));
    const [few, ...more] = await measureInTurn(contestants, { rounds: plan.rounds, say: (line) => bench.say(line) });
    more.forEach((many, index) => figures.push(ratioFigure(barOf(command, many.name, index), many, few)));
  }
  return { figures, faults: [...faults], notes: [] };
}

async function loadStore(bench: Workbench, keyCount: number): Promise<Store> {
  const { first: node } = await KvCluster.start(bench, { core: null });
  await preload(node.respPort, { keyCount, valueBytes: VALUE_BYTES });
  await node.waitDrained();
  return { name: shortCount(keyCount), keyCount, node };
}

function contestant(
  bench: Workbench,
  parts: { readonly plan: Plan; readonly command: Command; readonly store: Store; readonly faults: Set<string> },
): Contestant {
  const { plan, command, store, faults } = parts;
  const { node, keyCount, name } = store;
  const load = { port: node.respPort, command, connectionCount: CONNECTIONS, pipeline: 1, keyCount };
  return {
    name: `${name} keys`,
    unit: "ops/s",
    measure: async () => {
      const watch = watchBacklog(node);
      const before = await node.metrics();
      const result = await runRedisBenchmark(bench, { ...load, valueBytes: VALUE_BYTES, core: null }, plan.seconds);
      const samples = samplesOfLast(result.seconds, await watch.stop());
      const after = await node.metrics();
      const errors = after.value("kv_resp_errors_total") - before.value("kv_resp_errors_total");
      if (errors > 0) throw new Error(`${errors} commands failed with ${name} keys`);
      if (command === "set") {
        const fault = backlogFault(samples, plan.treeRunsMin > 0);
        if (fault !== null) faults.add(`SET with ${name} keys: ${fault}`);
        const treeRuns = countTreeRuns(samples);
        if (treeRuns < plan.treeRunsMin) faults.add(`SET with ${name} keys: the tree was written ${treeRuns} times`);
        if (plan.drains) await node.waitDrained();
      }
      return result.opsPerSecond;
    },
  };
}

function barOf(command: Command, name: string, index: number): Bar {
  const limits = LIMITS[command][index];
  if (limits === undefined) throw new Error(`there is no bar for ${name}`);
  return { label: `${command.toUpperCase()}, ${name}`, direction: "at least", unit: "×", ...limits };
}

function shortCount(count: number): string {
  return count >= 1_000_000 ? `${count / 1_000_000} M` : `${count / 1000} k`;
}
