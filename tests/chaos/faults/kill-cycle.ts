import { setTimeout as sleep } from "node:timers/promises";
import type { TestNode } from "../../cluster/support/test-node.ts";
import type { ChaosRun } from "../chaos-run.ts";
import type { Fault } from "../fault.ts";

const STALL_WINDOW_MS = 2500;
/** After a member's death its shard's other members must be at rest before they are killed in turn. */
const REST_MS = 300;

/**
 * For the figures: the leaders of so many shards killed at once, each back when its successor has acknowledged a write; then a
 * replica of each of these shards, back at once.
 */
export function killCycle(shardsAtOnce: number): Fault {
  return {
    kind: `kill -9 of ${shardsAtOnce} leaders, then of ${shardsAtOnce} replicas`,
    async inflict(run) {
      const names = run.cluster.config.topology.shards.map(({ name }) => name);
      const first = run.random.below(names.length);
      const shards = Array.from({ length: shardsAtOnce }, (_, at) => names[(first + at) % names.length] ?? "");
      await run.steady();
      await Promise.all(shards.map(async (shard) => killLeader(run, shard)));
      const restartedMs = performance.now();
      await run.whole();
      const joinedMs = performance.now();
      const tookMs = joinedMs - restartedMs;
      await sleep(REST_MS + tookMs);
      // Clients that pause between their writes leave gaps of their own: a stall says something beside those of as long a time.
      const calm = { fromMs: joinedMs + REST_MS, toMs: joinedMs + REST_MS + tookMs };
      for (const shard of shards) {
        const span = { fromMs: restartedMs, toMs: joinedMs };
        run.measure("member joins again: longest stall of writes, ms", run.load.log.longestStallMs(shard, span));
        run.measure("no fault, for as long: longest stall of writes, ms", run.load.log.longestStallMs(shard, calm));
      }
      await run.steady();
      await Promise.all(shards.map(async (shard) => killReplica(run, shard)));
      run.injected(this.kind);
    },
  };
}

/** For the figures: a leader killed every so often, back after 5 s; nobody waits for the cluster to be whole but that long. */
export function leaderKilledEvery(periodMs: number): Fault {
  return {
    kind: `kill -9 of a leader every ${periodMs / 1000} s`,
    async inflict(run) {
      const shard = run.anyShard();
      const leader = await run.leader(shard);
      await run.steady();
      const fromMs = await run.kill(leader);
      await sleep(5000);
      run.start(leader);
      run.measure("leader killed: next write acknowledged after, ms", await run.recovery(shard, fromMs));
      run.injected(this.kind);
      await sleep(Math.max(0, fromMs + periodMs - performance.now()));
      const { writes } = run.load.log.counts({ fromMs, toMs: performance.now() });
      const count = writes.ok + writes.notApplied + writes.unknown;
      run.measure("writes of unknown outcome, per 10,000", (10_000 * writes.unknown) / count);
    },
  };
}

async function killLeader(run: ChaosRun, shard: string): Promise<void> {
  const leader: TestNode = await run.leader(shard);
  const killedMs = await run.kill(leader);
  run.measure("leader killed: next write acknowledged after, ms", await run.recovery(shard, killedMs));
  run.start(leader);
}

async function killReplica(run: ChaosRun, shard: string): Promise<void> {
  const replica = await run.replica(shard);
  const fromMs = await run.kill(replica);
  await sleep(STALL_WINDOW_MS);
  const span = { fromMs, toMs: fromMs + STALL_WINDOW_MS };
  run.measure("replica killed: longest stall of writes, ms", run.load.log.longestStallMs(shard, span));
  run.start(replica);
}
