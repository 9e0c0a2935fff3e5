import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TestCluster } from "./support/cluster.ts";
import { eventually, memberView, requireEqualCopies, shardView } from "./support/copies.ts";
import { canMount, SmallDisk } from "./support/small-disk.ts";
import type { TestNode } from "./support/test-node.ts";

const DISK_MB = 64;
const VALUE = "v".repeat(100_000);
/** More than the disk holds, so that a run that never fills it fails. */
const WRITES_MAX = 2000;

/** Null when the write was acknowledged, else what the node answered. */
async function write(node: TestNode, key: string): Promise<{ readonly code: string } | null> {
  const answer = await node.fetch(`/v1/kv/${key}`, { method: "PUT", body: `${key} ${VALUE}` });
  if (!answer.ok) return (await answer.json()) as { code: string };
  await answer.body?.cancel();
  return null;
}

async function rolesOf(cluster: TestCluster): Promise<{ readonly leader: TestNode; readonly replica: TestNode }> {
  return eventually("one of them leads", async () => {
    const [first, second] = cluster.nodes;
    assert(first !== undefined && second !== undefined);
    const { leader } = await shardView(first);
    if (leader === null) return undefined;
    return leader === first.name ? { leader: first, replica: second } : { leader: second, replica: first };
  });
}

async function isWhole(cluster: TestCluster): Promise<void> {
  for (const node of cluster.nodes) {
    await eventually("both members are in sync", async () => {
      return (await shardView(node)).in_sync.length === cluster.nodes.length || undefined;
    });
  }
}

describe(
  "a full disk, with a coordinator",
  { skip: canMount() ? false : "mounting a small file system needs root on Linux" },
  () => {
    test(
      "moves the leadership to a replica that has room, and nothing is lost (S4)",
      { timeout: 180_000 },
      async (t) => {
        const cluster = await TestCluster.create({ replication: "in-sync", coordinator: "embedded" });
        const disks = cluster.nodes.map((node) => new SmallDisk(node.dataDirectory, DISK_MB));
        t.after(async () => {
          await cluster.killAll();
          for (const disk of disks) disk.unmount();
          await cluster.dispose();
        });
        await cluster.startAll();
        await isWhole(cluster);
        const { leader, replica } = await rolesOf(cluster);
        const disk = disks[cluster.nodes.indexOf(leader)];
        const { pid } = leader;
        const acknowledged: string[] = [];
        disk?.fill();
        let refused: string | null = null;
        for (let i = 0; i < WRITES_MAX && refused === null; i++) {
          const problem = await write(leader, `k${i}`);
          if (problem === null) acknowledged.push(`k${i}`);
          else if (problem.code === "DISK_FULL") refused = `k${i}`;
        }
        assert.notEqual(refused, null, "the disk never got full");

        await eventually("the replica leads", async () => (await memberView(replica)).role === "leader" || undefined);
        await eventually("the leader says why it leads no longer", async () =>
          leader.output.includes("Leads no longer: the disk is full, and it handed over to") ? true : undefined,
        );
        for (let i = 0; i < 10; i++) {
          await eventually("writes are taken", async () =>
            (await write(leader, `after${i}`)) === null ? true : undefined,
          );
          acknowledged.push(`after${i}`);
        }
        for (const key of acknowledged) assert.equal(await replica.get(key), `${key} ${VALUE}`, key);
        assert.equal(await replica.get(refused ?? ""), null, "a refused write is not there");

        disk?.empty();
        await isWhole(cluster);
        await requireEqualCopies(cluster);
        assert.equal(leader.pid, pid, "without a restart");
        assert.ok(leader.isRunning, leader.output);
      },
    );
  },
);
