import { setTimeout as sleep } from "node:timers/promises";
import type { ChaosRun } from "../chaos-run.ts";
import type { Fault } from "../fault.ts";
import type { Direction, LabHost } from "../lab/lab-network.ts";

type Place = "leader" | "replica" | "coordinator" | "clients";

/** Which place does not hear which, once or both ways. */
interface Cut {
  readonly from: Place;
  readonly to: Place;
  readonly isOneWay?: boolean;
}

const FLAP_MS_MIN = 200;
const FLAP_MS_RANGE = 4800;
const FLAPS = 5;
const LONG_MS = 10_000;

/** Cuts links between members, coordinator and clients for a while. */
export function partition(name: string, cuts: readonly Cut[], cutMs: number): Fault {
  return {
    kind: `${name} for ${cutMs} ms`,
    isLong: cutMs >= LONG_MS,
    async inflict(run) {
      const shard = run.anyShard();
      const directions = await directionsOf(run, shard, cuts);
      await run.steady();
      const before = run.cluster.network.droppedCount;
      const fromMs = performance.now();
      run.cut(directions);
      await sleep(cutMs);
      const dropped = run.cluster.network.droppedCount - before;
      run.heal();
      if (dropped === 0) throw new Error(`the cut of ${name} dropped nothing`);
      run.injected(this.kind);
      const recoveryMs = await run.recovery(shard, fromMs);
      await run.recovery(shard, performance.now());
      const span = { fromMs, toMs: performance.now() };
      const isSilentReplica = cuts.every(({ from, to }) => from !== "coordinator" && to !== "coordinator");
      const stallMs = run.load.log.longestStallMs(shard, span);
      run.say(`  ${dropped} packets dropped; next write after ${recoveryMs.toFixed(0)} ms`);
      if (isSilentReplica) run.measure("replica cut off: longest stall of writes, ms", stallMs);
      else run.measure(`${name}: longest stall of writes, ms`, stallMs);
    },
  };
}

/** Cuts and heals the link between leader and replica several times, for 0.2 to 5 s each. */
export const flapping: Fault = {
  kind: "flapping link between leader and replica",
  isLong: true,
  async inflict(run) {
    const shard = run.anyShard();
    await run.steady();
    const before = run.cluster.network.droppedCount;
    for (let flap = 0; flap < FLAPS; flap++) {
      run.cut(await directionsOf(run, shard, [{ from: "leader", to: "replica" }]));
      await sleep(FLAP_MS_MIN + run.random.below(FLAP_MS_RANGE));
      run.heal();
      await sleep(FLAP_MS_MIN + run.random.below(FLAP_MS_RANGE));
    }
    if (run.cluster.network.droppedCount === before) throw new Error("the flapping link dropped nothing");
    run.injected(this.kind);
    await run.recovery(shard, performance.now());
  },
};

/** Links that lose some of their packets: between members, and to the coordinator. */
export function lossy(lossPercent: number, forMs: number): Fault {
  return {
    kind: `links lose ${lossPercent} % of their packets for ${forMs} ms`,
    async inflict(run) {
      const shard = run.anyShard();
      const links = await directionsOf(run, shard, [
        { from: "leader", to: "replica" },
        { from: "leader", to: "coordinator" },
        { from: "replica", to: "coordinator" },
      ]);
      await run.steady();
      const before = run.cluster.network.droppedCount;
      const fromMs = performance.now();
      run.cut(links.map((link) => ({ ...link, lossPercent })));
      await sleep(forMs);
      const dropped = run.cluster.network.droppedCount - before;
      run.heal();
      if (dropped === 0) throw new Error("the lossy links lost nothing");
      run.injected(this.kind);
      await run.recovery(shard, performance.now());
      const span = { fromMs, toMs: performance.now() };
      run.say(`  ${dropped} packets lost`);
      run.measure("lossy links: longest stall of writes, ms", run.load.log.longestStallMs(shard, span));
    },
  };
}

async function directionsOf(run: ChaosRun, shard: string, cuts: readonly Cut[]): Promise<Direction[]> {
  const leader = await run.leader(shard);
  const others = run.cluster.members(shard).filter((node) => node !== leader);
  const places: Record<Place, readonly LabHost[]> = {
    leader: [run.cluster.hostOf(leader)],
    replica: others.map((node) => run.cluster.hostOf(node)),
    coordinator: run.cluster.coordinator.hosts,
    clients: [run.cluster.network.clients],
  };
  return cuts.flatMap(({ from, to, isOneWay = false }) =>
    places[from].flatMap((one) =>
      places[to].flatMap((other) => {
        const there = { from: one, to: other };
        return isOneWay ? [there] : [there, { from: other, to: one }];
      }),
    ),
  );
}
