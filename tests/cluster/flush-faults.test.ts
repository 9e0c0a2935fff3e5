import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { TestCluster } from "./support/cluster.ts";
import { ClientConnection } from "./support/client-connection.ts";
import { requireEqualCopies } from "./support/copies.ts";
import { straceMissing, SystemCallFault } from "./support/strace.ts";
import type { TestNode } from "./support/test-node.ts";
import { Traffic } from "./support/traffic.ts";

const DELAY_MS = 400;
const DELAY = `fdatasync:delay_enter=${DELAY_MS * 1000}`;
const FAILURE = "fdatasync:error=EIO";
/** The first flush of each thread fails, and any that tried again would succeed without the pages that were dropped. */
const FAILURE_ONCE = `${FAILURE}:when=1`;
const WRITERS = 8;
const WRITES_EACH = 4;
const QUICK_ATTEMPTS = 5;

interface Timed {
  readonly status: number;
  readonly ms: number;
}

async function timed(node: TestNode, run: (connection: ClientConnection) => Promise<number>): Promise<Timed> {
  const connection = new ClientConnection();
  const startedMs = performance.now();
  const status = await run(connection);
  connection.close();
  return { status, ms: performance.now() - startedMs };
}

async function timedPut(node: TestNode, key: string, query = ""): Promise<Timed> {
  return timed(node, async (connection) => {
    const exchange = await connection.send(node.name, { method: "PUT", path: `/v1/kv/${key}${query}`, body: key });
    return exchange.kind === "answer" ? exchange.status : 0;
  });
}

async function timedGet(node: TestNode, key: string): Promise<Timed> {
  return timed(node, async (connection) => {
    const exchange = await connection.send(node.name, { path: `/v1/kv/${key}` });
    return exchange.kind === "answer" ? exchange.status : 0;
  });
}

/** The quickest of a few: one may have met a machine that stood still. */
async function quickest(run: () => Promise<Timed>): Promise<Timed> {
  const times: Timed[] = [];
  for (let count = 0; count < QUICK_ATTEMPTS; count++) times.push(await run());
  const [first] = times.sort((a, b) => a.ms - b.ms);
  assert(first !== undefined && (first.status === 200 || first.status === 201), JSON.stringify(times));
  return first;
}

/** Writes from several clients at once, at all phases of the running flush. */
async function writeMany(node: TestNode, prefix: string): Promise<Timed[]> {
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    const times: Timed[] = [];
    await sleep(writer * 37);
    for (let count = 0; count < WRITES_EACH; count++) times.push(await timedPut(node, `${prefix}:${writer}:${count}`));
    return times;
  });
  return (await Promise.all(writers)).flat();
}

function requireSlow(times: readonly Timed[]): void {
  for (const { status, ms } of times) {
    assert.equal(status, 201);
    assert(ms >= DELAY_MS, `no answer came before a flush of ${DELAY_MS} ms could have returned: ${ms.toFixed(0)} ms`);
  }
}

describe("a disk whose flush is slow or fails", { skip: straceMissing() }, () => {
  test(
    "no write is answered before the leader's flush has returned; reads stay fast",
    { timeout: 60_000 },
    async (t) => {
      const cluster = await TestCluster.start(t);
      const [leader, replica] = cluster.nodes;
      assert(leader !== undefined && replica !== undefined);
      await leader.put("old", "old");
      const before = await writeMany(leader, "before");
      assert(Math.min(...before.map(({ ms }) => ms)) < DELAY_MS / 2, "without the fault flushes are quick");
      const fault = await SystemCallFault.inject(leader.pid, DELAY, cluster.directory);
      const reads: number[] = [];
      const writing = writeMany(leader, "slow");
      const progress = { isWriting: true };
      const written = writing.finally(() => (progress.isWriting = false));
      while (progress.isWriting) {
        reads.push((await timedGet(leader, "old")).ms);
        await sleep(10);
      }
      const writes = await written;
      requireSlow(writes);
      assert.equal(writes.length, WRITERS * WRITES_EACH);

      // What is read must be on disk as well: a read of what is being written waits for it.
      let waitedMs = 0;
      for (let attempt = 0; waitedMs <= DELAY_MS / 4 && attempt < QUICK_ATTEMPTS; attempt++) {
        const pending = timedPut(leader, `pending:${attempt}`);
        await sleep(100);
        const read = await timedGet(leader, `pending:${attempt}`);
        // Should this process have stood still meanwhile, the read came too late to have to wait.
        waitedMs = read.ms;
        assert.equal(read.status, 200);
        requireSlow([await pending]);
      }
      assert(waitedMs > DELAY_MS / 4, `a read of an unflushed write was answered after ${waitedMs.toFixed(0)} ms`);
      const hits = await fault.detach();
      reads.sort((a, b) => a - b);
      const [median = 0, worst = 0] = [reads[reads.length >> 1], reads.at(-1)];
      assert(reads.length >= 20 && median < DELAY_MS / 4, `${reads.length} reads, the median ${median.toFixed(0)} ms`);
      await requireEqualCopies(cluster);
      t.diagnostic(
        `${writes.length} writes ${Math.min(...writes.map(({ ms }) => ms)).toFixed(0)}–${Math.max(...writes.map(({ ms }) => ms)).toFixed(0)} ms, ` +
          `${reads.length} reads p50 ${median.toFixed(1)} ms, max ${worst.toFixed(0)} ms; ${hits} flushes delayed`,
      );
    },
  );

  test("an in-sync write waits for the replica's flush; durability=async does not", { timeout: 60_000 }, async (t) => {
    const cluster = await TestCluster.start(t, { replication: "in-sync" });
    const [leader, replica] = cluster.nodes;
    assert(leader !== undefined && replica !== undefined);
    assert((await quickest(() => timedPut(leader, "before"))).ms < DELAY_MS);
    const fault = await SystemCallFault.inject(replica.pid, DELAY, cluster.directory);
    const writes = await writeMany(leader, "slow");
    requireSlow(writes);
    const own = await quickest(() => timedPut(leader, "own", "?durability=async"));
    assert(own.ms < DELAY_MS, `the leader's own flush is quick: ${own.ms.toFixed(0)} ms`);
    const hits = await fault.detach();
    await requireEqualCopies(cluster);
    t.diagnostic(
      `${writes.length} writes, the quickest ${Math.min(...writes.map(({ ms }) => ms)).toFixed(0)} ms; ${hits} flushes delayed`,
    );
  });

  for (const replication of ["async", "in-sync"] as const) {
    const name = `a leader whose flush fails answers no ok, ends, and misses nothing acknowledged after its restart (${replication})`;
    test(name, { timeout: 60_000 }, async (t) => {
      const cluster = await TestCluster.start(t, { replication });
      const [leader, replica] = cluster.nodes;
      assert(leader !== undefined && replica !== undefined);
      const addresses = cluster.nodes.map((node) => node.name);
      const traffic = Traffic.start(t, { addresses, seed: 17, registerClients: 6, ledgerClients: 6 });
      const rate = await traffic.reach(100);
      const fault = await SystemCallFault.inject(leader.pid, FAILURE, cluster.directory);
      const exitCode = await leader.exited();
      assert.notEqual(exitCode, 0, leader.output);
      assert.notEqual(exitCode, null, "it ends by itself");
      const hits = await fault.detach();
      assert.match(leader.output, /storage failed/);
      await leader.startReady();
      await traffic.reach(100);
      await traffic.stop();
      const verdict = await traffic.finishWell(replica.name);
      assert(verdict.acknowledged > 50);
      await requireEqualCopies(cluster);
      t.diagnostic(
        `${rate} writes/s before; exit code ${exitCode}; ${hits} flushes failed; ${JSON.stringify({ ...verdict })}`,
      );
    });
  }

  test(
    "a write whose flush fails is never answered ok and never flushed again: the node ends (M65)",
    { timeout: 60_000 },
    async (t) => {
      const cluster = await TestCluster.start(t, { replicaCount: 0 });
      const [leader] = cluster.nodes;
      assert(leader !== undefined);
      await leader.put("kept", "kept");
      const fault = await SystemCallFault.inject(leader.pid, FAILURE_ONCE, cluster.directory);
      const writes = await Promise.all(
        Array.from({ length: 20 }, async (_, count) => timedPut(leader, `lost:${count}`)),
      );
      for (const { status } of writes) assert(status === 0 || status >= 500, `answered ${status}`);
      assert.notEqual(await leader.exited(), 0);
      await fault.detach();
      await leader.startReady();
      assert.equal(await leader.get("kept"), "kept");
    },
  );
});
