import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ChaosRun } from "../chaos-run.ts";
import type { Fault } from "../fault.ts";
import { requireUndisturbed } from "./pause.ts";

const LONG_S = 60;
const NOTICED_MS = 3000;
/** Longer than a leader waits for a commit: what it cannot commit is answered as unknown by then (rule K3). */
const UNDECIDED_MS = 6000;

/** Every process of the coordinator killed, and back after so many seconds. Nobody may notice. */
export function coordinatorDown(downS: number): Fault {
  return {
    kind: `coordinator killed, back after ${downS} s`,
    isLong: downS >= LONG_S,
    async inflict(run) {
      const { coordinator } = run.cluster;
      const kill = async (): Promise<void> => {
        await coordinator.killAll();
        await sleep(downS * 1000);
        run.injected(this.kind);
      };
      await requireUndisturbed(run, kill, async () => coordinator.startAll());
    },
  };
}

/** One member of etcd killed, or as many as make the rest useless. */
export function etcdMembersKilled(count: 1 | 2, downS: number): Fault {
  return {
    kind: count === 1 ? "kill -9 of etcd's leader" : "kill -9 of etcd's quorum",
    async inflict(run) {
      const { coordinator } = run.cluster;
      const dead: number[] = [];
      const kill = async (): Promise<void> => {
        const leader = await coordinator.findLeader();
        dead.push(leader);
        if (count === 2) dead.push((leader + 1) % coordinator.hosts.length);
        for (const index of dead) await coordinator.kill(index);
        await sleep(downS * 1000);
        run.injected(this.kind);
      };
      await requireUndisturbed(run, kill, async () => {
        await Promise.all(dead.splice(0).map(async (index) => coordinator.start(index)));
      });
    },
  };
}

/**
 * A replica dies while the coordinator is away: nobody may be removed from the set, so writes are refused, and go on when the
 * coordinator is back.
 */
export const coordinatorDownAndReplicaKilled: Fault = {
  kind: "coordinator killed, then a replica",
  async inflict(run) {
    const { coordinator } = run.cluster;
    const shard = run.anyShard();
    const replica = await run.replica(shard);
    await run.steady();
    await coordinator.killAll();
    await run.kill(replica);
    const goneMs = performance.now();
    await sleep(UNDECIDED_MS);
    run.injected(this.kind);
    if (run.load.log.firstAcknowledged(shard, goneMs) !== undefined) {
      throw new Error(`a write of ${shard} was acknowledged without its replica, although nobody could remove it`);
    }
    await bringBack(run, shard, "replica");
    run.start(replica);
  },
};

/** Measures how long writes wait for the coordinator that comes back, after a member died without it. */
async function bringBack(run: ChaosRun, shard: string, whose: "replica" | "leader"): Promise<void> {
  const backMs = performance.now();
  await run.cluster.coordinator.startAll();
  const waitedMs = await run.recovery(shard, backMs);
  run.measure(`coordinator back after a ${whose}'s death: next write acknowledged after, ms`, waitedMs);
}

/** A leader dies while the coordinator is away: nobody leads until it is back. */
export const coordinatorDownAndLeaderKilled: Fault = {
  kind: "coordinator killed, then a leader",
  async inflict(run) {
    const { coordinator } = run.cluster;
    const shard = run.anyShard();
    const leader = await run.leader(shard);
    await run.steady();
    await coordinator.killAll();
    await run.kill(leader);
    await sleep(NOTICED_MS);
    run.injected(this.kind);
    await bringBack(run, shard, "leader");
    run.start(leader);
  },
};

/** All documents gone: nobody goes by nothing (rule C5), until an operator has them made anew from what the nodes have seen. */
export const coordinatorWiped: Fault = {
  kind: "coordinator wiped and rebuilt",
  async inflict(run) {
    const { coordinator } = run.cluster;
    const shard = run.anyShard();
    await run.steady();
    await coordinator.killAll();
    coordinator.wipe();
    await coordinator.startAll();
    await sleep(NOTICED_MS);
    const fromMs = performance.now();
    run.say(`  ${(await run.cluster.kv(["coordinator", "rebuild"])).trim().replaceAll("\n", "; ")}`);
    run.injected(this.kind);
    run.measure("coordinator rebuilt: next write acknowledged after, ms", await run.recovery(shard, fromMs));
  },
};

/**
 * An old backup of the coordinator restored: its documents name a leadership that is over. Nobody goes by them (rule C5), until an
 * operator has them made anew.
 */
export const coordinatorRestored: Fault = {
  kind: "old backup of the coordinator restored",
  isLong: true,
  async inflict(run) {
    const { coordinator, directory } = run.cluster;
    const shard = run.anyShard();
    await run.steady();
    const copyOf = (index: number): string => join(directory, `coordinator-backup-${index}`);
    await coordinator.killAll();
    for (const index of coordinator.hosts.keys()) {
      cpSync(coordinator.dataDirectory(index), copyOf(index), { recursive: true });
    }
    await coordinator.startAll();
    const leader = await run.leader(shard);
    const killedMs = await run.kill(leader);
    await run.recovery(shard, killedMs);
    run.start(leader);
    await run.whole();
    await coordinator.killAll();
    for (const index of coordinator.hosts.keys()) {
      rmSync(coordinator.dataDirectory(index), { recursive: true });
      cpSync(copyOf(index), coordinator.dataDirectory(index), { recursive: true });
      rmSync(copyOf(index), { recursive: true });
    }
    await coordinator.startAll();
    await sleep(NOTICED_MS);
    const fromMs = performance.now();
    run.say(`  ${(await run.cluster.kv(["coordinator", "rebuild"])).trim().replaceAll("\n", "; ")}`);
    run.injected(this.kind);
    run.measure("coordinator rebuilt: next write acknowledged after, ms", await run.recovery(shard, fromMs));
  },
};
