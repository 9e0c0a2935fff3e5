import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../src/base/random.ts";
import { TestCluster } from "./support/cluster.ts";
import { requireEqualCopies } from "./support/copies.ts";
import { replayLine, runSeed } from "../support/run-seed.ts";
import { Traffic } from "./support/traffic.ts";

/** `npm run chaos:crash` sets it to the full count, on the shape of the shipped file. */
const KILLS = Number(process.env["KV_CHAOS_KILLS"] ?? 20);
const IS_FULL = KILLS > 20;
const SEED = runSeed();
const WRITES_PER_SECOND_MIN = 100;

for (const replication of ["async", "in-sync"] as const) {
  const name = `nothing acknowledged is missing after ${KILLS} times kill -9 under load, and once of all nodes (${replication})`;
  test(name, { timeout: IS_FULL ? 3_600_000 : 150_000 }, async (t) => {
    const shape = IS_FULL ? { shardCount: 4, replicaCount: 1 } : { shardCount: 2, replicaCount: 1 };
    const cluster = await TestCluster.start(t, { ...shape, replication });
    // Said before anything can go wrong.
    t.diagnostic(`to repeat it: ${replayLine(SEED, "tests/cluster/crash.test.ts")}`);
    const random = new SeededRandom(SEED);
    const addresses = cluster.nodes.map((node) => node.name);
    const traffic = Traffic.start(t, { addresses, seed: SEED, registerClients: 12, ledgerClients: 12, thinkMs: 15 });
    const rates: number[] = [];
    let leadersKilled = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const victim = cluster.nodes[random.below(cluster.nodes.length)];
      assert(victim !== undefined);
      // Sometimes the next one dies while the last one is still starting.
      if (random.next() < 0.8) await cluster.waitReady();
      rates.push(await traffic.reach(WRITES_PER_SECOND_MIN, IS_FULL ? 300_000 : 60_000));
      const { pid } = victim;
      await victim.kill();
      assert.throws(() => process.kill(pid, 0), "the process is gone");
      if (!victim.isReplica) leadersKilled++;
      victim.start();
    }
    assert.equal(rates.length, KILLS);
    assert(Math.min(...rates) >= WRITES_PER_SECOND_MIN, "there was traffic before every kill");
    assert(leadersKilled > 0 && leadersKilled < KILLS, "leaders and replicas were killed");

    await cluster.waitReady();
    rates.push(await traffic.reach(WRITES_PER_SECOND_MIN, IS_FULL ? 300_000 : 60_000));
    await cluster.killAll();
    await traffic.stop();
    await cluster.startAll();
    const last = cluster.nodes.at(-1);
    assert(last !== undefined);
    const verdict = await traffic.finishWell(last.name);
    const copies = await requireEqualCopies(cluster);
    assert(verdict.acknowledged > KILLS * 20, "the ledger holds enough to say something");
    t.diagnostic(
      `seed ${SEED}: ${KILLS} kills (${leadersKilled} of leaders) + all ${cluster.nodes.length}; writes/s before each: ` +
        `min ${Math.min(...rates)}, mean ${Math.round(rates.reduce((sum, rate) => sum + rate) / rates.length)}; ` +
        `${traffic.acknowledgedWrites} writes acknowledged, ${traffic.answeredReads} reads; ledger: ${verdict.acknowledged} acknowledged, ` +
        `${verdict.refused} refused, ${verdict.unknown} unknown, 0 missing, 0 resurrected; ` +
        `${copies.length} copies equal`,
    );
  });
}
