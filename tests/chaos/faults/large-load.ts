import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { programCommand, RunningProgram } from "../../cluster/support/program.ts";
import type { TestNode } from "../../cluster/support/test-node.ts";
import type { ChaosRun } from "../chaos-run.ts";
import type { Fault } from "../fault.ts";

const VALUE_BYTES = 65_536;
const PREFIX = "large:";
const HEAL_WAIT_MS = 300_000;
const MEGABYTE = 1_000_000;

/** The part of benchclient's JSON that is looked at. */
interface LoadFigures {
  readonly opsPerSecond: number;
  readonly failed: number;
  readonly count: number;
}

/** No fault yet: so many megabytes in every shard together, for those that follow. */
export function filled(megabytes: number): Fault {
  return {
    kind: `${megabytes} MB of values`,
    async inflict(run) {
      await writeLarge(run, `${PREFIX}a:`, megabytes);
      run.injected(this.kind);
    },
  };
}

/** A replica is cut off while so much is written, then heals by the log. */
export function healedByLog(megabytes: number): Fault {
  return {
    kind: `${megabytes} MB written while the replica is cut off`,
    async inflict(run) {
      const shard = run.cluster.shardName(0);
      const leader = run.cluster.hostOf(await run.leader(shard));
      const replica = run.cluster.hostOf(await run.replica(shard));
      const before = run.cluster.network.droppedCount;
      run.cut([
        { from: leader, to: replica },
        { from: replica, to: leader },
      ]);
      await writeLarge(run, `${PREFIX}b:`, megabytes);
      if (run.cluster.network.droppedCount === before) throw new Error("the cut dropped nothing");
      run.heal();
      run.injected(this.kind);
      run.measure(`healed by the log, ${megabytes} MB behind: in sync after, ms`, await run.whole(HEAL_WAIT_MS));
    },
  };
}

/** A replica comes back with an empty directory and copies everything. */
export function healedBySnapshot(megabytes: number): Fault {
  return {
    kind: `a replica copies ${megabytes} MB`,
    async inflict(run) {
      const replica = await run.replica(run.cluster.shardName(0));
      await run.kill(replica);
      rmSync(replica.dataDirectory, { recursive: true });
      run.start(replica);
      await untilReachable(run, replica);
      run.injected(this.kind);
      const ms = await run.whole(HEAL_WAIT_MS);
      run.measure(`copied ${megabytes} MB: in sync after, ms`, ms);
      run.measure("copied, MB a second", (megabytes * 1000) / ms);
    },
  };
}

/** No fault at all, for so long, at seven tenths of what the cluster can do on a million keys: nobody may lose its office. */
export function steadyLoad(seconds: number): Fault {
  return {
    kind: `70 % of the maximum load for ${seconds} s`,
    async inflict(run) {
      const keys = ["--keys", "1000000", "--key-prefix", "steady:", "--workload", "ycsb-a", "--connections", "16"];
      const most = await benchmark(run, [...keys, "--load", "--duration", "15", "--pipeline", "4"]);
      const rate = String(Math.floor(0.7 * most.opsPerSecond));
      const epochs = await run.epochs();
      run.say(`  at most ${most.opsPerSecond.toFixed(0)} operations/s; now ${rate} for ${seconds} s; epochs ${epochs}`);
      const steady = await benchmark(run, [...keys, "--rate", rate, "--duration", String(seconds), "--pipeline", "4"]);
      const now = await run.epochs();
      run.injected(this.kind);
      run.measure("steady load: operations", steady.count);
      run.measure("steady load: failed operations", steady.failed);
      run.measure("steady load: event-loop delay p99.9 of the worst node, ms", await worstLoopDelayMs(run));
      if (now !== epochs) throw new Error(`a leadership changed without a fault: ${epochs} → ${now}`);
    },
  };
}

async function writeLarge(run: ChaosRun, prefix: string, megabytes: number): Promise<void> {
  const count = Math.ceil((megabytes * MEGABYTE) / VALUE_BYTES);
  const size = ["--keys", String(count), "--value-bytes", String(VALUE_BYTES), "--key-prefix", prefix];
  await benchmark(run, [...size, "--load", "--ops", "1", "--connections", "4"]);
}

/** benchclient beside the other clients. */
async function benchmark(run: ChaosRun, words: readonly string[]): Promise<LoadFigures> {
  const addresses = run.cluster.nodes.map(({ name }) => name).join();
  const command = programCommand("src/bench/benchclient.ts", ["--addr", addresses, "--direct", "--json", ...words]);
  const program = new RunningProgram([...run.cluster.network.clients.wrapper, ...command], {});
  await program.exited;
  try {
    return JSON.parse(program.output) as LoadFigures;
  } catch {
    throw new Error(`benchclient: ${program.output}`);
  }
}

async function untilReachable(run: ChaosRun, node: TestNode): Promise<void> {
  while ((await run.view(node)) === null) await sleep(20);
}

async function worstLoopDelayMs(run: ChaosRun): Promise<number> {
  const delays = await Promise.all(
    run.cluster.nodes.map(async (node) => {
      const text = await (await node.fetch("/metrics")).text();
      return Number(/^kv_event_loop_delay_seconds\{[^}]*quantile="0\.999"[^}]*\} ([\d.e+-]+)$/m.exec(text)?.[1]) * 1000;
    }),
  );
  return Math.max(...delays);
}
