import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { LIMITS } from "../../src/model/limits.ts";
import { ClientConnection } from "./support/client-connection.ts";
import { TestCluster } from "./support/cluster.ts";
import { eventually, requireEqualCopies, shardView } from "./support/copies.ts";
import type { TestNode } from "./support/test-node.ts";

const CLIENT_COUNT = 48;
const RESTARTS = 4;
const THINK_MS_MAX = 2;
const ATTEMPTS_MAX = 10;
const TICK_MS = 5;
/** A client that stands still for long may find its connection closed; it must not be taken for one whose request was lost. */
const LATE_MS = LIMITS.farewellMs / 4;
const ANSWERS_BEFORE = 400;

/**
 * Clients that send the next request soon after the last answer, each on one connection that it keeps as long as the node lets it; where
 * it is refused, or closed behind an answer, the client goes on at the next node. None has a connection that it does not use: what a
 * client sends on such a one may always meet its end.
 */
class StubbornClients {
  readonly lost: string[] = [];
  readonly faults: string[] = [];
  readonly #nodes: readonly TestNode[];
  readonly #acknowledged = new Map<string, string>();
  readonly #running: Promise<void>[] = [];
  readonly #settled = new Set<number>();
  #isStopping = false;
  #round = 0;
  answered = 0;
  /** When a node was told to stop last. */
  restartedMs = 0;
  /** How often an answer said that its connection closes. */
  sentAway = 0;
  #lateMsMax = 0;

  constructor(t: TestContext, nodes: readonly TestNode[]) {
    this.#nodes = nodes;
    t.after(async () => this.stop());
    for (let client = 0; client < CLIENT_COUNT; client++) this.#running.push(this.#run(client));
    this.#running.push(this.#watchTime());
  }

  get acknowledged(): ReadonlyMap<string, string> {
    return this.#acknowledged;
  }

  /** By how much this process was late at most since it was asked last. */
  takeLateMs(): number {
    const late = this.#lateMsMax;
    this.#lateMsMax = 0;
    return late;
  }

  /** Sends the clients to all nodes, so that each has some when it stops; resolves when all have had an answer there. */
  async spread(): Promise<void> {
    this.#round++;
    this.#settled.clear();
    await eventually("every client has its node", async () => this.#settled.size === CLIENT_COUNT || undefined);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#running);
  }

  async #run(client: number): Promise<void> {
    const connection = new ClientConnection();
    const key = `stubborn:${client}`;
    const path = `/v1/kv/${key}`;
    let at = client;
    for (let count = 0, round = this.#round; !this.#isStopping; count++) {
      if (round !== this.#round) {
        round = this.#round;
        at = client + round;
        connection.close();
      }
      const address = this.#nodes[at % this.#nodes.length]?.name ?? "";
      const body = count % 2 === 0 ? String(count) : undefined;
      const exchange = await connection.send(address, body === undefined ? { path } : { path, method: "PUT", body });
      if (exchange.kind === "refused") {
        at++;
        await sleep(TICK_MS);
      } else if (exchange.kind === "lost") {
        const atMs = Math.round(performance.now() - this.restartedMs);
        this.#acknowledged.delete(key);
        this.lost.push(`${atMs} ms: ${body === undefined ? "GET" : "PUT"} at ${address}: ${exchange.reason}`);
      } else {
        this.#note({ key, body, status: exchange.status, text: exchange.body.toString() });
        const isLast = exchange.headers["connection"] === "close";
        this.sentAway += Number(isLast);
        at += Number(isLast);
        if (round === this.#round) this.#settled.add(client);
        await sleep(Math.random() * THINK_MS_MAX);
      }
    }
    connection.close();
  }

  #note({ key, body, status, text }: { key: string; body: string | undefined; status: number; text: string }): void {
    this.answered++;
    const before = this.#acknowledged.get(key);
    const isRefused = status === 503 && text.includes('"outcome":"not_applied"');
    if (isRefused || (status === 404 && before === undefined)) return;
    if (status !== 200 && status !== 201) this.faults.push(`${status} ${text}`);
    else if (body !== undefined) this.#acknowledged.set(key, body);
    else if (before !== undefined && text !== before) this.faults.push(`${key} is ${text}, not ${before}`);
  }

  async #watchTime(): Promise<void> {
    while (!this.#isStopping) {
      const fromMs = performance.now();
      await sleep(TICK_MS);
      this.#lateMsMax = Math.max(this.#lateMsMax, performance.now() - fromMs - TICK_MS);
    }
  }
}

async function restart(cluster: TestCluster, node: TestNode): Promise<void> {
  assert.equal(await node.stop(), 0, node.output);
  await node.startReady();
  await eventually("both are in sync", async () => (await shardView(node)).in_sync.length === 2 || undefined);
  await cluster.waitReady();
}

test("clients with kept connections lose no answer when the node they talk to is told to stop", async (t) => {
  const cluster = await TestCluster.start(t, { coordinator: "embedded", replication: "in-sync" });
  const [first] = cluster.nodes;
  assert(first !== undefined);
  await eventually("both are in sync", async () => (await shardView(first)).in_sync.length === 2 || undefined);
  const clients = new StubbornClients(t, cluster.nodes);
  const late: number[] = [];
  for (let done = 0, attempt = 1; done < RESTARTS; attempt++) {
    await clients.spread();
    const { answered } = clients;
    await eventually("there is load", async () => clients.answered > answered + ANSWERS_BEFORE || undefined);
    const { leader } = await shardView(first);
    const isLeader = done % 2 === 0;
    const node = cluster.nodes.find(({ name }) => (name === leader) === isLeader);
    assert(node !== undefined);
    clients.takeLateMs();
    clients.restartedMs = performance.now();
    await restart(cluster, node);
    const lateMs = clients.takeLateMs();
    late.push(Math.round(lateMs));
    const wasLate = lateMs > LATE_MS && attempt < ATTEMPTS_MAX;
    if (!wasLate || clients.lost.length === 0) {
      const said = `this process was ${lateMs} ms late at most; ${node.name}, ${isLeader ? "the leader" : "a replica"}, was stopped:\n${node.output.slice(-3000)}`;
      assert.deepEqual(clients.lost, [], `requests without an answer: ${clients.lost.join("; ")}; ${said}`);
      done++;
    }
    clients.lost.length = 0;
  }
  await clients.stop();
  assert.deepEqual(clients.faults, []);
  assert(clients.sentAway > 0, "answers said that the connection closes");
  for (const [key, value] of clients.acknowledged) assert(Number(await first.get(key)) >= Number(value), key);
  await requireEqualCopies(cluster);
  t.diagnostic(
    `${clients.answered} answers, ${clients.sentAway} of them the last of their connection; late by ${late.join(", ")} ms`,
  );
});
