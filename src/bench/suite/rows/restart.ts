import { setTimeout as sleep } from "node:timers/promises";
import { LIMITS } from "../../../model/limits.ts";
import { absoluteFigure } from "../alternate.ts";
import { HOST } from "../cores.ts";
import { KvCluster } from "../kv-cluster.ts";
import type { KvNode } from "../kv-node.ts";
import { preload } from "../preload.ts";
import { defineRow, type Row, type RowOutcome } from "../row.ts";
import type { Workbench } from "../workbench.ts";

interface Plan {
  readonly rounds: number;
  readonly keyCount: number;
  /** How long the log is given to get ahead of the tree. */
  readonly fillSecondsMax: number;
}

const VALUE_BYTES = 64;
const SAMPLE_INTERVAL_MS = 25;
/** As good as full: a sample seldom meets the very maximum. */
const FULL_SHARE = 0.9;
/** What must be waiting for the tree for the round to say anything about a restart. */
const BACKLOG_BYTES_MIN = LIMITS.applyRunBytes;

/** P12: `kill -9` when the log is as far ahead of the tree as the node lets it get, and start again. */
export const RESTART: Row = defineRow<Plan>({
  id: "P12",
  name: "Restart, 1 M keys",
  what: "Restart after kill -9 with 1 M keys and the log as far ahead of the tree as it may be: time to ready",
  needs: ["redis-benchmark"],
  full: { rounds: 5, keyCount: 1_000_000, fillSecondsMax: 40 },
  quick: { rounds: 1, keyCount: 100_000, fillSecondsMax: 3 },
  measure,
});

async function measure(bench: Workbench, plan: Plan): Promise<RowOutcome> {
  const { first: node } = await KvCluster.start(bench, { core: null });
  await preload(node.respPort, { keyCount: plan.keyCount, valueBytes: VALUE_BYTES });
  const seconds: number[] = [];
  const backlogs: number[] = [];
  const faults: string[] = [];
  for (let round = 1; round <= plan.rounds; round++) {
    await node.waitDrained();
    const backlog = await fillAndKill(bench, node, plan);
    const startedMs = performance.now();
    node.restart();
    await node.waitReady();
    seconds.push((performance.now() - startedMs) / 1000);
    backlogs.push(backlog.bytes);
    if (backlog.bytes < BACKLOG_BYTES_MIN) faults.push(`only ${mebibytes(backlog.bytes)} waited for the tree`);
    await checkNothingLost(node, backlog, plan);
    bench.say(
      `  round ${round} of ${plan.rounds}: ready after ${seconds.at(-1)?.toFixed(2)} s, ${mebibytes(backlog.bytes)} ahead`,
    );
  }
  const bar = { label: "", direction: "at most", unit: "s", bar: 3, reach: 1 } as const;
  const notes = [
    `${plan.keyCount.toLocaleString("en-US")} keys; when killed, ${mebibytes(Math.min(...backlogs))} to ${mebibytes(Math.max(...backlogs))} of at most ${mebibytes(LIMITS.memtableBytesMax)} waited for the tree`,
  ];
  return { figures: [absoluteFigure(bar, { name: "kv", unit: "s", values: seconds })], faults, notes };
}

interface Backlog {
  readonly bytes: number;
  readonly durableSequence: number;
}

/** Writes flat out until what the tree lacks is at its maximum, or the largest that was seen comes again, and kills the node then. */
async function fillAndKill(bench: Workbench, node: KvNode, plan: Plan): Promise<Backlog> {
  const load = startFlood(bench, node, plan.keyCount);
  const startedMs = performance.now();
  let largest = 0;
  for (;;) {
    const metrics = await node.metrics();
    const bytes = metrics.value("kv_shard_memtable_bytes");
    largest = Math.max(largest, bytes);
    const isFull = bytes >= FULL_SHARE * LIMITS.memtableBytesMax;
    const isLate = performance.now() - startedMs > plan.fillSecondsMax * 1000;
    if (isFull || (isLate && bytes >= FULL_SHARE * largest)) {
      await node.kill();
      // It lost its server and has nothing more to do.
      await load.kill();
      return { bytes, durableSequence: metrics.value("kv_shard_durable_sequence") };
    }
    await sleep(SAMPLE_INTERVAL_MS);
  }
}

function startFlood(bench: Workbench, node: KvNode, keyCount: number): ReturnType<Workbench["start"]> {
  const parameters = [
    ["-h", HOST],
    ["-p", String(node.respPort)],
    ["-t", "set"],
    ["-c", "64"],
    ["-P", "64"],
    ["-r", String(keyCount)],
    ["-d", String(VALUE_BYTES)],
    ["-n", "2000000000"],
    ["-q"],
  ].flat();
  return bench.start({ name: "redis-benchmark", program: "redis-benchmark", parameters, core: null });
}

async function checkNothingLost(node: KvNode, backlog: Backlog, plan: Plan): Promise<void> {
  const metrics = await node.metrics();
  if (metrics.value("kv_shard_last_sequence") < backlog.durableSequence) throw new Error("entries were lost");
  if (metrics.value("kv_shard_keys") < plan.keyCount) throw new Error("keys were lost");
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
