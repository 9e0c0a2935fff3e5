import { setTimeout as sleep } from "node:timers/promises";
import type { ChaosRun } from "../chaos-run.ts";
import type { Fault } from "../fault.ts";
import type { TestNode } from "../../cluster/support/test-node.ts";

type Victims = "leader" | "replica" | "both";

/** A stall is looked for this long after a replica's death. */
const STALL_WINDOW_MS = 3000;

/** `kill -9` of members of a shard, which start again after so many seconds. */
export function crash(victims: Victims, restartAfterS: number, length: { readonly isLong?: boolean } = {}): Fault {
  const { isLong = false } = length;
  return {
    kind: `kill -9 of ${victims === "both" ? "leader and replica" : `the ${victims}`}, back after ${restartAfterS} s`,
    isLong,
    async inflict(run) {
      const shard = run.anyShard();
      const leader = await run.leader(shard);
      const others = run.cluster.members(shard).filter((node) => node !== leader);
      const replica = run.pick(others);
      const dead = victims === "both" ? [leader, ...others] : [victims === "leader" ? leader : replica];
      await run.steady();
      const killedMs = await run.kill(...dead);
      run.injected(this.kind);
      await sleep(restartAfterS * 1000);
      for (const node of dead) run.start(node);
      await measureRecovery(run, { shard, victims, killedMs, restartAfterS });
    },
  };
}

/** `kill -9` of members of several shards at once, all back after 1 s. */
export const crashOfEverybody: Fault = {
  kind: "kill -9 of every node",
  async inflict(run) {
    const nodes: readonly TestNode[] = run.cluster.nodes;
    await run.steady();
    await run.kill(...nodes);
    run.injected(this.kind);
    await sleep(1000);
    for (const node of nodes) run.start(node);
  },
};

async function measureRecovery(
  run: ChaosRun,
  at: { shard: string; victims: Victims; killedMs: number; restartAfterS: number },
): Promise<void> {
  const { shard, victims, killedMs, restartAfterS } = at;
  if (victims === "replica") {
    await sleep(Math.max(0, killedMs + STALL_WINDOW_MS - performance.now()));
    const span = { fromMs: killedMs, toMs: killedMs + STALL_WINDOW_MS };
    run.measure("replica killed: longest stall of writes, ms", run.load.log.longestStallMs(shard, span));
    return;
  }
  const recoveryMs = await run.recovery(shard, killedMs);
  if (victims === "both") run.measure("leader and replica killed: next write acknowledged after, ms", recoveryMs);
  else if (restartAfterS >= 5) run.measure("leader killed: next write acknowledged after, ms", recoveryMs);
  else run.measure("leader killed and back soon: next write acknowledged after, ms", recoveryMs);
}
