import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { TestCluster } from "./support/cluster.ts";
import { eventually, shardView } from "./support/copies.ts";
import type { TestNode } from "./support/test-node.ts";

interface Setting {
  readonly cluster: TestCluster;
  /** Of the first shard. */
  readonly leader: TestNode;
  readonly replica: TestNode;
  /** A node of the other shard. */
  readonly stranger: TestNode;
}

async function start(t: TestContext): Promise<Setting> {
  const cluster = await TestCluster.start(t, { shardCount: 2, replication: "in-sync", coordinator: "embedded" });
  const [leader, replica] = cluster.members(0);
  const [stranger] = cluster.members(1);
  assert(leader !== undefined && replica !== undefined && stranger !== undefined);
  return { cluster, leader, replica, stranger };
}

/** A key of the first shard. */
function keyOfFirst(cluster: TestCluster, prefix: string): string {
  const { topology } = cluster.config;
  for (let i = 0; ; i++) {
    const key = `${prefix}-${i}`;
    if (cluster.strangerTo(key).shard !== topology.shards[0]?.name) return key;
  }
}

test("a write with an Idempotency-Key happens once, through any node, and over the loss of a leader", async (t) => {
  const { cluster, leader, replica, stranger } = await start(t);
  const key = keyOfFirst(cluster, "count");
  const increment = async (node: TestNode, id: string): Promise<{ value: number; version: number }> => {
    const headers = { "Idempotency-Key": id, "Content-Type": "application/json" };
    return eventually(`${node.name} increments`, async () => {
      const answer = await node.fetch(`/v1/kv/${key}/increment`, { method: "POST", body: '{"by":1}', headers });
      return answer.status === 200 ? ((await answer.json()) as { value: number; version: number }) : undefined;
    });
  };
  const first = await increment(stranger, "a");
  assert.deepEqual(await increment(leader, "a"), first);
  assert.deepEqual(await increment(replica, "a"), first);
  await leader.kill();
  assert.deepEqual(await increment(stranger, "a"), first, "the new leader remembers it");
  assert.equal((await increment(replica, "b")).value, 2);
  await leader.startReady();
  await cluster.killAll();
  for (const node of cluster.nodes) node.start({ startedTogether: true });
  await cluster.waitReady();
  assert.deepEqual(await increment(leader, "a"), first, "so does a cluster that started again");
  const headers = { "Idempotency-Key": "a", "Content-Type": "application/json" };
  const reused = { method: "POST", body: '{"by":2}', headers };
  assert.equal((await stranger.ask(`/v1/kv/${key}/increment`, reused)).status, 422);
  assert.equal(await stranger.get(key), "2");
});

test("who sends back its KV-Token reads its own writes from replicas, and over the loss of a leader", async (t) => {
  const { cluster, leader, replica, stranger } = await start(t);
  const key = keyOfFirst(cluster, "own");
  const roles = new Set<string | null>();
  let token = "";
  const writeAndRead = async (writer: TestNode, reader: TestNode, value: string): Promise<void> => {
    const written = await writer.ask(`/v1/kv/${key}`, { method: "PUT", body: value });
    assert.ok(written.ok, await written.text());
    token = written.headers.get("kv-token") ?? "";
    const read = await reader.ask(`/v1/kv/${key}?consistency=eventual`, { headers: { "KV-Token": token } });
    assert.equal(await read.text(), value);
    roles.add(read.headers.get("kv-role"));
  };
  for (let i = 0; i < 50; i++) await writeAndRead(i % 2 === 0 ? stranger : leader, replica, `value ${i}`);
  assert.ok(roles.has("replica"), "some are answered by the replica itself");
  await leader.kill();
  const after = await eventually("the token is honoured by the new leader", async () => {
    const read = await stranger.fetch(`/v1/kv/${key}?consistency=eventual`, { headers: { "KV-Token": token } });
    return read.status === 200 ? read : undefined;
  });
  assert.equal(await after.text(), "value 49");
  const forged = token.replace(/\d+$/, "9007199254740991");
  const refused = await eventually("what is not held is refused", async () => {
    const read = await replica.fetch(`/v1/kv/${key}`, { headers: { "KV-Token": forged } });
    return read.status === 503 ? undefined : read;
  });
  assert.equal(refused.status, 409);
});

test("a strict read is answered by a leader that its replicas still follow, and by one that is alone in its set", async (t) => {
  const { cluster, leader, replica, stranger } = await start(t);
  const key = keyOfFirst(cluster, "strict");
  await stranger.put(key, "x");
  const strict = `/v1/kv/${key}?consistency=strict`;
  const answers = await Promise.all(Array.from({ length: 50 }, async () => stranger.ask(strict)));
  for (const answer of answers) assert.deepEqual([await answer.text(), answer.headers.get("kv-role")], ["x", "leader"]);
  await replica.kill();
  await eventually("the replica is out of the set", async () => {
    const { in_sync } = await shardView(leader);
    return in_sync.length === 1 ? true : undefined;
  });
  assert.equal(await (await stranger.ask(strict)).text(), "x");
});

test("a replica says how old what it shows may be, and answers within the bound that was asked for", async (t) => {
  const { cluster, leader, replica } = await start(t);
  const key = keyOfFirst(cluster, "lag");
  await leader.put(key, "x");
  const writtenAt = performance.now();
  const bounded = async (maxLagMs: number): Promise<{ role: string | null; lagMs: number }> => {
    const ageMs = performance.now() - writtenAt;
    const read = await replica.ask(`/v1/kv/${key}?consistency=eventual&max_lag_ms=${maxLagMs}`);
    const answer = { role: read.headers.get("kv-role"), lagMs: Number(read.headers.get("kv-lag-ms")) };
    // Only a state that says of itself that it may be older than the write may lack it.
    if (read.status !== 200) {
      const what = `${read.status}, ${answer.lagMs} ms, ${ageMs} ms after the write`;
      assert.ok(read.status === 404 && answer.lagMs >= ageMs, what);
    }
    return answer;
  };
  assert.deepEqual(await bounded(0), { role: "leader", lagMs: 0 });
  let answeredHere = 0;
  for (let i = 0; i < 30; i++) {
    const { role, lagMs } = await bounded(2000);
    assert.ok(lagMs <= 2000);
    if (role === "replica") answeredHere++;
  }
  assert.ok(answeredHere > 0);
});
