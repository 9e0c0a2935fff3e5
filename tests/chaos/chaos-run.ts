import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { SeededRandom } from "../../src/base/random.ts";
import type { ShardView } from "../cluster/support/copies.ts";
import type { StartOptions, TestNode } from "../cluster/support/test-node.ts";
import type { LabCluster } from "./lab/lab-cluster.ts";
import type { Direction } from "./lab/lab-network.ts";
import type { ChaosLoad } from "./load/chaos-load.ts";

const VIEW_TIMEOUT_MS = 2000;
const POLL_MS = 50;
const LEADER_WAIT_MS = 30_000;
const WHOLE_WAIT_MS = 90_000;
const RECOVERY_WAIT_MS = 60_000;
const OK_PER_SECOND_MIN = 100;
const RATE_WAIT_MS = 60_000;

/** What faults act on: the cluster, its clients, and what was found out. */
export interface ChaosRunParts {
  readonly cluster: LabCluster;
  readonly load: ChaosLoad;
  readonly random: SeededRandom;
  /** It has time, and the machine for itself: then the strictest demands hold. */
  readonly isLong: boolean;
  /** Prints what happens as it happens. */
  readonly say: (line: string) => void;
}

/**
 * One run of a scenario: the hands with which faults are injected, and the record of them.
 *
 * Invariant: a node is down or paused only because a fault said so; one that ended by itself fails the run (`requireExpected`).
 */
export class ChaosRun {
  readonly cluster: LabCluster;
  readonly load: ChaosLoad;
  readonly random: SeededRandom;
  readonly isLong: boolean;
  readonly #say: (line: string) => void;
  readonly #startedMs: number = performance.now();
  readonly #injected: Map<string, number> = new Map();
  readonly #measures: Map<string, number[]> = new Map();
  readonly #down: Set<TestNode> = new Set();
  readonly #paused: Set<TestNode> = new Set();

  constructor({ cluster, load, random, isLong, say }: ChaosRunParts) {
    this.cluster = cluster;
    this.load = load;
    this.random = random;
    this.isLong = isLong;
    this.#say = say;
  }

  get injectedCounts(): ReadonlyMap<string, number> {
    return this.#injected;
  }

  get measures(): ReadonlyMap<string, readonly number[]> {
    return this.#measures;
  }

  say(line: string): void {
    this.#say(`${((performance.now() - this.#startedMs) / 1000).toFixed(2).padStart(7)} s  ${line}`);
  }

  /** Notes that a fault was verified to have happened. */
  injected(kind: string): void {
    this.#injected.set(kind, (this.#injected.get(kind) ?? 0) + 1);
  }

  measure(name: string, value: number): void {
    const values = this.#measures.get(name);
    if (values === undefined) this.#measures.set(name, [value]);
    else values.push(value);
    this.say(`  ${name}: ${Math.round(value)}`);
  }

  /** One of the shards, at random. */
  anyShard(): string {
    return this.cluster.shardName(this.random.below(this.cluster.config.topology.shards.length));
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.random.below(items.length)];
    if (item === undefined) throw new Error("there is nothing to pick from");
    return item;
  }

  /** The member that says it leads, waiting until there is one. */
  async leader(shard: string): Promise<TestNode> {
    for (const endMs = performance.now() + LEADER_WAIT_MS; performance.now() < endMs;) {
      const found = await this.#findLeader(shard);
      if (found !== null) return found;
      await sleep(POLL_MS);
    }
    throw new Error(`nobody leads ${shard}`);
  }

  async replica(shard: string): Promise<TestNode> {
    const leader = await this.leader(shard);
    return this.pick(this.cluster.members(shard).filter((node) => node !== leader));
  }

  /** How all shards look to a node; null when it does not answer soon. */
  async view(node: TestNode): Promise<readonly ShardView[] | null> {
    try {
      const answer = await fetch(`${node.url}/v1/cluster`, { signal: AbortSignal.timeout(VIEW_TIMEOUT_MS) });
      return ((await answer.json()) as { shards: ShardView[] }).shards;
    } catch {
      return null;
    }
  }

  /** The epoch of each shard, as its members know it: they change with every leadership. */
  async epochs(): Promise<string> {
    for (const node of this.#awake()) {
      const shards = await this.view(node);
      if (shards !== null) return shards.map(({ shard, epoch }) => `${shard} ${epoch}`).join(", ");
    }
    throw new Error("no node tells the epochs");
  }

  /** `kill -9`; returns when it was sent. */
  async kill(...nodes: readonly TestNode[]): Promise<number> {
    for (const node of nodes) this.#down.add(node);
    const killedMs = performance.now();
    for (const node of nodes) node.signal("SIGKILL");
    await Promise.all(nodes.map(async (node) => node.kill()));
    return killedMs;
  }

  start(node: TestNode, options: StartOptions = {}): void {
    this.#down.delete(node);
    this.cluster.startNode(node, options);
  }

  /** A node that is about to end by itself, or to be stopped in order. */
  expectEnd(node: TestNode): void {
    this.#down.add(node);
  }

  /** SIGSTOP, verified; returns when it was sent. */
  async pause(node: TestNode): Promise<number> {
    this.#paused.add(node);
    const pausedMs = performance.now();
    node.signal("SIGSTOP");
    while (!isStopped(node.pid)) await sleep(1);
    return pausedMs;
  }

  resume(node: TestNode): void {
    if (!isStopped(node.pid)) throw new Error(`${node.name} was woken by somebody else`);
    this.#paused.delete(node);
    node.signal("SIGCONT");
  }

  cut(directions: readonly Direction[]): void {
    this.cluster.network.cut(directions);
  }

  heal(): void {
    this.cluster.network.healAll();
  }

  /** Waits until a write called after `sinceMs` is acknowledged; ms from then to the acknowledgement. */
  async recovery(shard: string, sinceMs: number): Promise<number> {
    for (const endMs = performance.now() + RECOVERY_WAIT_MS; performance.now() < endMs;) {
      const atMs = this.load.log.firstAcknowledged(shard, sinceMs);
      if (atMs !== undefined) return atMs - sinceMs;
      await sleep(POLL_MS);
    }
    throw new Error(`no write of ${shard} was acknowledged within ${RECOVERY_WAIT_MS} ms`);
  }

  /** Enough traffic, as before every fault. */
  async steady(): Promise<void> {
    await this.load.reach(OK_PER_SECOND_MIN, RATE_WAIT_MS);
  }

  /** Waits until all nodes run, are ready and in sync; ms that took. */
  async whole(timeoutMs: number = WHOLE_WAIT_MS): Promise<number> {
    const startedMs = performance.now();
    let last = "no node tells";
    while (performance.now() - startedMs < timeoutMs) {
      this.requireExpected();
      last = await this.#missingForWhole();
      if (last === "") return performance.now() - startedMs;
      await sleep(POLL_MS);
    }
    throw new Error(`the cluster was not whole within ${timeoutMs} ms: ${last}`);
  }

  /** Ends every fault that is still there. */
  async endAllFaults(): Promise<void> {
    this.heal();
    for (const node of this.#paused) this.resume(node);
    await this.cluster.coordinator.startAll();
    for (const node of this.#down) if (!node.isRunning) this.start(node);
    this.#down.clear();
  }

  /** Throws when a node ended that nobody killed. */
  requireExpected(): void {
    for (const node of this.cluster.nodes) {
      if (node.isRunning || this.#down.has(node)) continue;
      throw new Error(`${node.name} ended by itself:\n${node.output.slice(-4000)}`);
    }
  }

  #awake(): TestNode[] {
    return this.cluster.nodes.filter((node) => node.isRunning && !this.#paused.has(node));
  }

  async #findLeader(shard: string): Promise<TestNode | null> {
    let found: TestNode | null = null;
    let epoch = -1;
    for (const node of this.#awake()) {
      if (node.shard !== shard) continue;
      const own = (await this.view(node))?.find((one) => one.shard === shard);
      const member = own?.members.find((one) => one.node === node.name);
      if (member?.role !== "leader" || (member.epoch ?? 0) <= epoch) continue;
      epoch = member.epoch ?? 0;
      found = node;
    }
    return found;
  }

  async #missingForWhole(): Promise<string> {
    const [node] = this.#awake();
    const shards = node === undefined ? null : await this.view(node);
    if (shards === null) return "no node tells";
    for (const { shard, leader, in_sync, members } of shards) {
      if (leader === null) return `nobody leads ${shard}`;
      for (const { node: name, reachable, ready, state } of members) {
        if (!reachable || ready !== true) return `${name} of ${shard} is not ready: ${state ?? "it does not answer"}`;
      }
      if (in_sync.length < members.length) return `in sync of ${shard}: ${in_sync.join(", ")}`;
    }
    return "";
  }
}

function isStopped(pid: number): boolean {
  return /^\d+ \(.*\) T /s.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
}
