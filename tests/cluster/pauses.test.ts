import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TestCluster } from "./support/cluster.ts";
import { eventually, memberView, requireEqualCopies } from "./support/copies.ts";
import { runKv } from "./support/program.ts";
import type { TestNode } from "./support/test-node.ts";
import { Traffic } from "./support/traffic.ts";

const WRITES_PER_SECOND_MIN = 100;
/** Around the limits of a session, and beyond them. */
const PAUSES_MS = [400, 2500] as const;

function isStopped(node: TestNode): boolean {
  return /^\d+ \(.*\) T /s.test(readFileSync(`/proc/${node.pid}/stat`, "latin1"));
}

for (const replication of ["async", "in-sync"] as const) {
  const name = `a leader or a replica that stands still and goes on loses nothing and answers nothing stale (${replication})`;
  test(name, { timeout: 120_000, skip: process.platform !== "linux" }, async (t) => {
    const cluster = await TestCluster.start(t, { shardCount: 2, replication });
    const addresses = cluster.nodes.map((node) => node.name);
    const traffic = Traffic.start(t, { addresses, seed: 7, registerClients: 10, ledgerClients: 10 });
    let pauses = 0;
    for (const pauseMs of PAUSES_MS) {
      for (const victim of cluster.members(pauses % 2)) {
        await traffic.reach(WRITES_PER_SECOND_MIN);
        victim.signal("SIGSTOP");
        await eventually("it stands still", async () => isStopped(victim) || undefined);
        await sleep(pauseMs);
        assert(isStopped(victim), "nobody woke it");
        victim.signal("SIGCONT");
        pauses++;
      }
    }
    await traffic.reach(WRITES_PER_SECOND_MIN);
    await traffic.stop();
    const verdict = await traffic.finishWell(addresses[0] ?? "");
    await requireEqualCopies(cluster);
    for (const node of cluster.nodes) {
      assert.equal((await memberView(node)).role, node.isReplica ? "replica" : "leader");
    }
    assert(verdict.acknowledged > 200);
    t.diagnostic(
      `${pauses} pauses; ${verdict.acknowledged} acknowledged, ${verdict.refused} refused, ${verdict.unknown} unknown`,
    );
  });
}

test(
  "a leader that stood still while another was promoted acknowledges nothing that is lost, and follows (in-sync)",
  { timeout: 90_000, skip: process.platform !== "linux" },
  async (t) => {
    const cluster = await TestCluster.start(t, { shardCount: 2, replication: "in-sync" });
    const [leader, replica] = cluster.nodes;
    assert(leader !== undefined && replica !== undefined);
    const addresses = cluster.nodes.map((node) => node.name);
    // Reads are left out: until it meets the new leader, a resumed one may answer old values (rule T6).
    const traffic = Traffic.start(t, { addresses, seed: 11, registerClients: 0, ledgerClients: 24 });
    await traffic.reach(WRITES_PER_SECOND_MIN);
    leader.signal("SIGSTOP");
    const words = ["promote", "--shard", leader.shard, "--node", replica.name, "--config-file", cluster.configFile];
    const { exitCode, stdout, stderr } = await runKv(words);
    assert.equal(exitCode, 0, stdout + stderr + replica.output);
    assert.match(stdout, /make sure that it is stopped/);
    await sleep(1000);
    assert(isStopped(leader));
    leader.signal("SIGCONT");
    const resumedMs = performance.now();
    await eventually("the old leader follows", async () => {
      const { role, ready } = await memberView(leader);
      return role === "replica" && ready === true ? true : undefined;
    });
    const followsMs = performance.now() - resumedMs;
    await traffic.reach(WRITES_PER_SECOND_MIN);
    await traffic.stop();
    const verdict = await traffic.finishWell(leader.name);
    assert.equal((await memberView(replica)).role, "leader");
    await requireEqualCopies(cluster);
    t.diagnostic(
      `it followed after ${followsMs.toFixed(0)} ms; ${verdict.acknowledged} acknowledged, ${verdict.unknown} unknown, 0 missing`,
    );
  },
);
