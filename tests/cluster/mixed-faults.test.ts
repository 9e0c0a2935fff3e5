import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SeededRandom } from "../../src/base/random.ts";
import { TestCluster } from "./support/cluster.ts";
import { replayLine, runSeed } from "../support/run-seed.ts";
import { eventually, memberView, requireEqualCopies, shardView, knowsItIsInSync } from "./support/copies.ts";
import { runKv } from "./support/program.ts";
import type { TestNode } from "./support/test-node.ts";
import { Traffic } from "./support/traffic.ts";

/** `npm run chaos:mix` sets it higher. */
const STEPS = Number(process.env["KV_CHAOS_STEPS"] ?? 8);
const SEED = runSeed();
const WRITES_PER_SECOND_MIN = 100;

type Fault = "kill" | "pause" | "failover" | "handover" | "wipe" | "kill-two" | "kill-all";

const FAULTS: readonly Fault[] = ["failover", "kill", "handover", "pause", "kill-two", "wipe", "failover", "kill-all"];

/** Faults on the one shard of a cluster, one after the other, each healed by what an operator would do. */
class FaultDriver {
  readonly #cluster: TestCluster;
  readonly #random: SeededRandom;

  constructor(cluster: TestCluster, random: SeededRandom) {
    this.#cluster = cluster;
    this.#random = random;
  }

  async inflict(fault: Fault): Promise<void> {
    const leader = await this.#leader();
    const replicas = this.#cluster.nodes.filter((node) => node !== leader);
    const replica = this.#pick(replicas);
    const anyone = this.#pick(this.#cluster.nodes);
    switch (fault) {
      case "kill":
        return this.#killForAWhile([anyone]);
      case "kill-two":
        return this.#killForAWhile([leader, replica]);
      case "kill-all":
        return this.#killForAWhile(this.#cluster.nodes);
      case "pause":
        anyone.signal("SIGSTOP");
        await sleep(200 + this.#random.below(2500));
        anyone.signal("SIGCONT");
        return;
      case "wipe":
        await replica.kill();
        rmSync(replica.dataDirectory, { recursive: true });
        replica.start();
        return;
      case "handover":
        return this.#promote(replica);
      case "failover":
        await leader.kill();
        await this.#promote(replica);
        await sleep(this.#random.below(1000));
        leader.start();
    }
  }

  /** Until every member is ready and counted in the in-sync set. */
  async healed(): Promise<void> {
    await eventually("every member is ready and in sync", async () => {
      const [node] = this.#cluster.nodes;
      assert(node !== undefined);
      const { members, in_sync, leader } = await shardView(node);
      const isWhole = members.every(({ reachable, ready }) => reachable && ready === true);
      return isWhole && leader !== null && in_sync.length === members.length ? true : undefined;
    });
    // A member that has just been added hears of it with one of the next heartbeats; until then it must not be promoted.
    await eventually("every member knows that it is in sync", async () => {
      return this.#cluster.nodes.every((node) => knowsItIsInSync(node)) || undefined;
    });
  }

  async #killForAWhile(nodes: readonly TestNode[]): Promise<void> {
    await Promise.all(nodes.map(async (node) => node.kill()));
    await sleep(this.#random.below(1500));
    for (const node of nodes) {
      node.start();
      await sleep(this.#random.below(400));
    }
  }

  async #promote(node: TestNode): Promise<void> {
    const words = ["promote", "--shard", node.shard, "--node", node.name, "--config-file", this.#cluster.configFile];
    const { exitCode, stdout, stderr } = await runKv(words);
    assert.equal(exitCode, 0, `${stdout}${stderr}\n${node.output}`);
  }

  async #leader(): Promise<TestNode> {
    for (const node of this.#cluster.nodes) {
      if ((await memberView(node)).role === "leader") return node;
    }
    throw new Error("nobody leads");
  }

  #pick(nodes: readonly TestNode[]): TestNode {
    const node = nodes[this.#random.below(nodes.length)];
    assert(node !== undefined);
    return node;
  }
}

test(
  `${STEPS} faults of all kinds under load lose nothing and show nothing stale (in-sync)`,
  { timeout: 60_000 + STEPS * 30_000 },
  async (t) => {
    const cluster = await TestCluster.start(t, { replicaCount: 2, replication: "in-sync" });
    const random = new SeededRandom(SEED);
    const addresses = cluster.nodes.map((node) => node.name);
    const traffic = Traffic.start(t, { addresses, seed: SEED, registerClients: 12, ledgerClients: 12 });
    const driver = new FaultDriver(cluster, random);
    const inflicted: Fault[] = [];
    try {
      for (let step = 0; step < STEPS; step++) {
        await traffic.reach(WRITES_PER_SECOND_MIN);
        const fault = FAULTS[step < FAULTS.length ? step : random.below(FAULTS.length)] ?? "kill";
        inflicted.push(fault);
        await driver.inflict(fault);
        // What follows must be able to count on everybody again, or a promotion is rightly refused.
        await driver.healed();
      }
      await traffic.reach(WRITES_PER_SECOND_MIN);
      await traffic.stop();
      const verdict = await traffic.finishWell(addresses[1] ?? "");
      await requireEqualCopies(cluster);
      assert(verdict.acknowledged > STEPS * 20);
      t.diagnostic(
        `seed ${SEED}: ${verdict.acknowledged} acknowledged, ${verdict.refused} refused, ${verdict.unknown} unknown, 0 missing`,
      );
    } catch (error) {
      console.log(`after ${inflicted.join(", ")}:`, error);
      for (const node of cluster.nodes) console.log(`--- ${node.name}\n${node.output}`);
      const replay = replayLine(SEED, "tests/cluster/mixed-faults.test.ts");
      throw new Error(`after ${inflicted.join(", ")}; to repeat it: ${replay}`, { cause: error });
    }
  },
);
