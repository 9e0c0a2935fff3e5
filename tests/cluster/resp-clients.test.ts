import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { hasProgram } from "../support/redis-process.ts";
import { RespClient } from "../support/resp-client.ts";
import { TestCluster } from "./support/cluster.ts";
import type { TestNode } from "./support/test-node.ts";

const run = promisify(execFile);
const withTools = { skip: hasProgram("redis-cli") ? false : "redis-cli and redis-benchmark are not installed" };

let cluster: TestCluster;
before(async () => {
  cluster = await TestCluster.create({ shardCount: 2, replicaCount: 1 });
  await cluster.startAll();
});
after(async () => cluster.dispose());

function respOf(node: TestNode): { address: string; host: string; port: number } {
  const address = cluster.config.topology.addressesOf(node.name)?.resp ?? "";
  const colon = address.lastIndexOf(":");
  return { address, host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
}

/** A key of the shard with this index. */
function keyOn(shard: number, name: string): string {
  const strange = cluster.config.topology.shards[shard]?.name;
  for (let i = 0; ; i++) {
    const key = `${name}:${i}`;
    const reply = cluster.strangerTo(key).shard !== strange;
    if (reply) return key;
  }
}

describe("clients made for Redis, unmodified, at any node of two shards", () => {
  test("ioredis: pipelines, transactions, scans, every node", async () => {
    for (const node of cluster.nodes) {
      const { host, port } = respOf(node);
      const client = new Redis({ host, port, maxRetriesPerRequest: 1 });
      try {
        await client.flushall();
        const pipeline = client.pipeline();
        for (let i = 0; i < 500; i++) pipeline.set(`io:${i}`, `value ${i}`).get(`io:${i}`).incr("io:count");
        const replies = (await pipeline.exec()) ?? [];
        assert.equal(replies.length, 1500);
        assert.deepEqual(replies[1], [null, "value 0"]);
        assert.deepEqual(replies.at(-1), [null, 500]);
        assert.equal((await client.mget(Array.from({ length: 500 }, (_, i) => `io:${i}`))).filter(Boolean).length, 500);
        const found = new Set<string>();
        for await (const keys of client.scanStream({ match: "io:*", count: 50 })) {
          for (const key of keys as string[]) found.add(key);
        }
        assert.equal(found.size, 501);
        const key = keyOn(1, "tx");
        assert.deepEqual(await client.multi().set(key, "1").incrby(key, 41).get(key).exec(), [
          [null, "OK"],
          [null, 42],
          [null, "42"],
        ]);
        assert.deepEqual(await client.getBuffer(key), Buffer.from("42"));
        assert.equal(await client.dbsize(), 502);
      } finally {
        client.disconnect();
      }
    }
  });

  test("node-redis, in RESP2 and RESP3: values, expiry, transactions, scans", async () => {
    for (const RESP of [2, 3] as const) {
      const { host, port } = respOf(cluster.nodes[3] ?? assert.fail("four nodes"));
      const client = createClient({ socket: { host, port }, RESP, name: "tester" });
      await client.connect();
      try {
        await client.flushAll();
        assert.equal(await client.set("nr", "1", { expiration: { type: "EX", value: 100 }, condition: "NX" }), "OK");
        assert.ok((await client.ttl("nr")) > 90);
        assert.equal(await client.incrByFloat("nr", 0.5), "1.5");
        await client.mSet({ a: "1", b: "2", c: "3" });
        assert.deepEqual(await client.mGet(["a", "b", "c", "none"]), ["1", "2", "3", null]);
        const replies = await client.multi().set("nr", "x").get("nr").exec();
        assert.deepEqual([...replies], ["OK", "x"]);
        const found: string[] = [];
        for await (const keys of client.scanIterator({ COUNT: 2 })) found.push(...keys);
        assert.deepEqual(found.sort(), ["a", "b", "c", "nr"]);
        assert.equal(await client.clientGetName(), "tester");
        assert.deepEqual(await client.configGet("appendonly"), {
          ...(await client.configGet("appendonly")),
          appendonly: "yes",
        });
      } finally {
        client.destroy();
      }
    }
  });

  test("redis-cli: commands, a scan of all keys, an error", withTools, async () => {
    const { host, port } = respOf(cluster.nodes[1] ?? assert.fail("four nodes"));
    const cli = async (...words: string[]): Promise<string> =>
      (await run("redis-cli", ["-h", host, "-p", String(port), ...words])).stdout.trim();
    assert.equal(await cli("FLUSHALL"), "OK");
    assert.equal(await cli("SET", "cli", "hello"), "OK");
    assert.equal(await cli("GET", "cli"), "hello");
    assert.equal(await cli("-3", "HGETALL", "x"), "ERR unknown command 'HGETALL', with args beginning with: 'x'");
    assert.equal(await cli("--scan"), "cli");
    assert.match(await cli("INFO", "server"), /redis_version:7/);
  });

  test("redis-benchmark: every command of ours that it knows, with and without pipelines", withTools, async (t) => {
    const { host, port } = respOf(cluster.nodes[0] ?? assert.fail("four nodes"));
    for (const pipelined of ["1", "32"]) {
      const words = [
        "-h",
        host,
        "-p",
        String(port),
        "-n",
        "4000",
        "-P",
        pipelined,
        "-q",
        "-r",
        "1000",
        "-t",
        "ping,set,get,incr,mset",
      ];
      const { stdout } = await run("redis-benchmark", words);
      const lines = stdout
        .replaceAll("\r", "\n")
        .split("\n")
        .filter((line) => line.includes("requests per second"));
      assert.equal(lines.length, 6, stdout);
      t.diagnostic(`-P ${pipelined}: ${lines.join("; ")}`);
    }
  });
});

describe("two shards behind one address", () => {
  test("what must be atomic across them is refused, and what is on one is done", async () => {
    const client = await RespClient.open(respOf(cluster.nodes[2] ?? assert.fail("four nodes")).address);
    const [one, two, more] = [keyOn(0, "x"), keyOn(1, "x"), keyOn(0, "y")];
    assert.equal(await client.ask("MSET", one, "1", two, "2"), "+OK\r\n");
    const crossSlot = "-CROSSSLOT Keys in request don't hash to the same slot\r\n";
    for (const words of [
      ["MSETNX", one, "1", two, "2"],
      ["RENAME", one, two],
      ["RENAMENX", one, two],
      ["COPY", one, two],
      ["WATCH", one, two],
    ]) {
      assert.equal(await client.ask(...words), crossSlot, words[0]);
    }
    assert.deepEqual(await client.askAll([["MULTI"], ["SET", one, "x"], ["SET", two, "x"], ["EXEC"]]), [
      "+OK\r\n",
      "+QUEUED\r\n",
      crossSlot,
      "-EXECABORT Transaction discarded because of previous errors.\r\n",
    ]);
    assert.equal(await client.ask("RENAME", one, more), "+OK\r\n");
    assert.equal(await client.ask("EXISTS", one, two, more, more), ":3\r\n");
    assert.equal(await client.ask("DEL", one, two, more), ":2\r\n");
    client.close();
  });

  test("a SCAN begun at one node goes on at another, and its cursor names that node", async () => {
    const clients = await Promise.all(cluster.nodes.map(async (node) => RespClient.open(respOf(node).address)));
    const [first] = clients;
    await first?.ask("FLUSHALL");
    await first?.askAll(Array.from({ length: 100 }, (_, index) => ["SET", `s:${index}`, "1"]));
    const seen: string[] = [];
    let cursor = "0";
    let turn = 0;
    do {
      const reply = (await clients[turn++ % clients.length]?.ask("SCAN", cursor, "COUNT", "7"))?.split("\r\n") ?? [];
      cursor = reply[2] ?? "0";
      for (let at = 5; at < reply.length - 1; at += 2) seen.push(reply[at] ?? "");
    } while (cursor !== "0");
    assert.equal(new Set(seen).size, 100);
    assert.equal(seen.length, 100);
    for (const client of clients) client.close();
  });

  test("WAIT counts replicas that have flushed, and gives up in time when one is gone", async () => {
    const client = await RespClient.open(respOf(cluster.nodes[0] ?? assert.fail("four nodes")).address);
    const [one, two] = [keyOn(0, "w"), keyOn(1, "w")];
    await client.askAll([
      ["SET", one, "1"],
      ["SET", two, "1"],
    ]);
    assert.equal(await client.ask("WAIT", "1", "5000"), ":1\r\n");
    const replica = cluster.members(1)[1] ?? assert.fail("a replica");
    await replica.kill();
    await client.ask("SET", two, "2");
    const startedMs = performance.now();
    assert.equal(await client.ask("WAIT", "1", "300"), ":0\r\n");
    assert.ok(performance.now() - startedMs < 3000);
    await replica.startReady();
    assert.equal(await client.ask("WAIT", "1", "10000"), ":1\r\n");
    client.close();
  });

  test("READONLY lets a replica answer", async () => {
    const leader = await RespClient.open(respOf(cluster.nodes[0] ?? assert.fail("four nodes")).address);
    const key = keyOn(0, "ro");
    await leader.askAll([
      ["SET", key, "1"],
      ["WAIT", "1", "5000"],
    ]);
    const replica = await RespClient.open(respOf(cluster.nodes[1] ?? assert.fail("four nodes")).address);
    assert.equal(await replica.ask("READONLY"), "+OK\r\n");
    for (let attempt = 0; (await replica.ask("GET", key)) !== "$1\r\n1\r\n"; attempt++) {
      assert.ok(attempt < 500, "the replica shows it in the end");
      await sleep(10);
    }
    assert.equal(await replica.ask("SET", key, "2"), "+OK\r\n");
    leader.close();
    replica.close();
  });
});
