import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TestCluster } from "./support/cluster.ts";
import { eventually, memberView, requireEqualCopies } from "./support/copies.ts";
import { canMount, SmallDisk } from "./support/small-disk.ts";
import { Traffic } from "./support/traffic.ts";

const DISK_MB = 64;
const LARGER_MB = 512;
const WRITES_PER_SECOND_MIN = 50;

describe(
  "a full disk under load",
  { skip: canMount() ? false : "mounting a small file system needs root on Linux" },
  () => {
    test(
      "a leader's clients lose nothing and see nothing refused; a larger disk is used without a restart",
      { timeout: 120_000 },
      async (t) => {
        const cluster = await TestCluster.create({ replication: "in-sync" });
        const [leader, replica] = cluster.nodes;
        assert(leader !== undefined && replica !== undefined);
        const disk = new SmallDisk(leader.dataDirectory, DISK_MB);
        t.after(async () => {
          await cluster.killAll();
          disk.unmount();
          await cluster.dispose();
        });
        await cluster.startAll();
        const { pid } = leader;
        const addresses = cluster.nodes.map((node) => node.name);
        const load = { registerClients: 8, ledgerClients: 12, valueBytesMax: 60_000 };
        const traffic = Traffic.start(t, { addresses, seed: 3, ...load });
        await traffic.reach(WRITES_PER_SECOND_MIN);
        disk.fill();
        await eventually("writes are refused", async () =>
          (traffic.refusals.get("DISK_FULL") ?? 0) > 50 ? true : undefined,
        );
        await eventually("the node says that it is read-only", async () => {
          return (await memberView(leader)).read_only_reason ?? undefined;
        });
        const { answeredReads } = traffic;
        await eventually("reads go on", async () => traffic.answeredReads - answeredReads > 10 || undefined);
        disk.resize(LARGER_MB);
        const startedMs = performance.now();
        await traffic.reach(WRITES_PER_SECOND_MIN);
        const recoveredMs = performance.now() - startedMs;
        assert.equal(leader.pid, pid);
        assert(leader.isRunning, "without a restart");
        await traffic.stop();
        const verdict = await traffic.finishWell(replica.name);
        await leader.kill();
        await leader.startReady();
        await traffic.finishWell(leader.name);
        await requireEqualCopies(cluster);
        t.diagnostic(
          `${traffic.refusals.get("DISK_FULL")} refused for the disk; ${verdict.acknowledged} acknowledged, 0 missing; ` +
            `writes went on ${recoveredMs.toFixed(0)} ms after the disk grew`,
        );
      },
    );
  },
);
