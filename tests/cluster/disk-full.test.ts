import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { NodeDisk } from "../../src/base/node-disk.ts";
import { TestCluster } from "./support/cluster.ts";
import { eventually, memberView, requireEqualCopies } from "./support/copies.ts";
import { canMount, SmallDisk } from "./support/small-disk.ts";
import type { TestNode } from "./support/test-node.ts";

const DISK_MB = 64;
const VALUE_BYTES = 100_000;
const SMALL_VALUE_BYTES = 500;
/** More than the disk holds, so that a run that never fills it fails. */
const WRITES_MAX = 2000;

interface Setting {
  readonly cluster: TestCluster;
  readonly leader: TestNode;
  readonly replica: TestNode;
  readonly disk: SmallDisk;
}

/** A pair of nodes, one of which has its data on a small disk. */
async function startPair(context: TestContext, onSmallDisk: "leader" | "replica"): Promise<Setting> {
  const cluster = await TestCluster.create({ replicaCount: 1, replication: "async" });
  const [leader, replica] = cluster.nodes;
  assert(leader !== undefined && replica !== undefined);
  const disk = new SmallDisk((onSmallDisk === "leader" ? leader : replica).dataDirectory, DISK_MB);
  context.after(async () => {
    await cluster.killAll();
    disk.unmount();
    await cluster.dispose();
  });
  await cluster.startAll();
  return { cluster, leader, replica, disk };
}

/** Keys that begin with "small" have values that fit what large ones leave of a segment. */
function valueOf(key: string): string {
  return key.padEnd(key.startsWith("small") ? SMALL_VALUE_BYTES : VALUE_BYTES, ".");
}

interface Problem {
  readonly code: string;
  readonly outcome: string;
}

/** Writes one key: null when it was acknowledged, else the problem that the node answered. */
async function write(node: TestNode, key: string): Promise<Problem | null> {
  const answer = await node.fetch(`/v1/kv/${key}`, { method: "PUT", body: valueOf(key) });
  if (answer.ok) {
    await answer.body?.cancel();
    return null;
  }
  assert.equal(answer.status, 503);
  return (await answer.json()) as Problem;
}

/** Writes until the node refuses; returns the keys that were acknowledged and the one that was not. */
async function writeUntilRefused(node: TestNode, prefix: string): Promise<{ acknowledged: string[]; refused: string }> {
  const acknowledged: string[] = [];
  for (let i = 0; i < WRITES_MAX; i++) {
    const key = `${prefix}${i}`;
    const problem = await write(node, key);
    if (problem === null) {
      acknowledged.push(key);
      continue;
    }
    assert.equal(problem.code, "DISK_FULL");
    assert.equal(problem.outcome, "not_applied");
    return { acknowledged, refused: key };
  }
  throw new Error("the disk never got full");
}

async function requireRead(node: TestNode, keys: readonly string[]): Promise<void> {
  for (const key of keys) assert.equal(await node.get(key), valueOf(key), `${key} through ${node.name}`);
}

describe("a full disk", { skip: canMount() ? false : "mounting a small file system needs root on Linux" }, () => {
  test("a leader refuses writes definitely, serves reads, and goes on by itself when space returns", async (context) => {
    const { cluster, leader, replica, disk } = await startPair(context, "leader");
    const { pid } = leader;
    const before: string[] = [];
    for (let i = 0; i < 20; i++) {
      assert.equal(await write(leader, `before${i}`), null);
      before.push(`before${i}`);
    }
    disk.fill();
    const { acknowledged, refused } = await writeUntilRefused(leader, "during");
    const small = await writeUntilRefused(leader, "small");
    acknowledged.push(...small.acknowledged);
    assert.equal((await write(replica, "forwarded"))?.code, "DISK_FULL", "the same through another node");
    assert.equal((await write(leader, "again"))?.code, "DISK_FULL");
    const reason = await eventually("the leader says that it is read-only", async () => {
      return (await memberView(leader)).read_only_reason ?? undefined;
    });
    assert.match(reason, /room/);
    await requireRead(leader, [...before, ...acknowledged]);
    assert.equal(await leader.get(refused), null, "a refused write is not there");

    disk.empty();
    await eventually("writes go on", async () => ((await write(leader, "after")) === null ? true : undefined), 30_000);
    assert.equal(leader.pid, pid, "without a restart");
    assert.ok(leader.isRunning);
    await requireRead(replica, [...before, ...acknowledged, "after"]);
    const isGone = async (): Promise<void> => {
      for (const key of [refused, small.refused, "forwarded", "again"]) {
        assert.equal(await leader.get(key), null, `${key} was refused`);
      }
    };
    await isGone();

    await leader.kill();
    await leader.startReady();
    await requireRead(leader, [...before, ...acknowledged, "after"]);
    await isGone();
    await requireEqualCopies(cluster);
  });

  test("a replica waits and catches up when space returns; its leader is not disturbed", async (context) => {
    const { cluster, leader, replica, disk } = await startPair(context, "replica");
    const { pid } = replica;
    assert.equal(await write(leader, "before"), null);
    disk.fill();
    const keys: string[] = [];
    for (let i = 0; i < 120; i++) {
      assert.equal(await write(leader, `during${i}`), null, "the leader goes on");
      keys.push(`during${i}`);
    }
    await eventually(
      "the replica stands still",
      async () => ((await memberView(replica)).lag_entries ?? 0) > 0 || undefined,
    );
    assert.ok(replica.isRunning, replica.output);
    disk.empty();
    await requireEqualCopies(cluster);
    assert.equal(replica.pid, pid, "without a restart");
    await requireRead(replica, ["before", ...keys]);
  });

  test("the file of a node's state is replaced even when nothing is free", (context) => {
    const directory = mkdtempSync(join(tmpdir(), "kv-full-"));
    const small = new SmallDisk(directory, 1);
    context.after(() => {
      small.unmount();
      rmSync(directory, { recursive: true });
    });
    const disk = new NodeDisk();
    const path = join(directory, "node.json");
    disk.replaceFile(path, Buffer.alloc(2000, "a"));
    small.fill();
    assert.throws(() => disk.replaceFile(join(directory, "other"), Buffer.alloc(2000)), { code: "ENOSPC" });
    for (let i = 0; i < 20; i++) {
      const content = Buffer.alloc(2000 + i, "b");
      disk.replaceFile(path, content);
      assert.deepEqual(disk.readFile(path), content);
    }
  });
});
