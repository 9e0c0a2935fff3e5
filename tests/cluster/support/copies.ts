import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { keyOfText } from "../../../src/model/key.ts";
import { isSameStore } from "../../../src/model/leadership.ts";
import type { MemberState } from "../../../src/replication/member-environment.ts";
import type { TestCluster } from "./cluster.ts";
import type { TestNode } from "./test-node.ts";
import { scanPages } from "./scan-pages.ts";

/** What one copy of a shard holds: how many keys, and a hash over keys, versions and values. */
interface CopyContent {
  readonly node: string;
  readonly keys: number;
  readonly hash: string;
}

type WholeCluster = Pick<TestCluster, "nodes" | "config">;

/** A member's own account of itself, as `/v1/cluster` gives it. */
export interface MemberView {
  readonly node: string;
  readonly reachable: boolean;
  readonly role?: "leader" | "replica" | "none";
  readonly state?: string;
  readonly ready?: boolean;
  readonly epoch?: number;
  readonly store?: string;
  readonly last_sequence?: number;
  readonly durable_sequence?: number;
  readonly lag_entries?: number;
  readonly log_bytes?: number;
  readonly read_only_reason?: string | null;
  readonly discarded_entries_file?: string | null;
}

export interface ShardView {
  readonly shard: string;
  readonly leader: string | null;
  readonly epoch: number;
  readonly in_sync: readonly string[];
  readonly members: readonly MemberView[];
  readonly warnings: readonly string[];
}

const WAIT_MS = 60_000;

/** `/v1/cluster` as one node sees it. */
async function clusterView(node: TestNode): Promise<readonly ShardView[]> {
  const answer = await node.fetch("/v1/cluster");
  assert.equal(answer.status, 200);
  return ((await answer.json()) as { shards: ShardView[] }).shards;
}

/** One shard as `node` sees it. */
export async function shardView(node: TestNode, shard: string = node.shard): Promise<ShardView> {
  const found = (await clusterView(node)).find((one) => one.shard === shard);
  assert(found !== undefined, `there is a shard ${shard}`);
  return found;
}

/** How a member sees itself. */
export async function memberView(node: TestNode): Promise<MemberView> {
  const found = (await shardView(node)).members.find((member) => member.node === node.name);
  assert(found !== undefined, `${node.name} is a member of its shard`);
  return found;
}

/** Whether the in-sync set that the node has in its own directory counts the very store it has there (of a wiped one, the new). */
export function knowsItIsInSync(node: TestNode): boolean {
  const { state } = JSON.parse(readFileSync(join(node.dataDirectory, "node.json"), "utf8")) as {
    state: Pick<MemberState, "leadership" | "store">;
  };
  const { leadership, store } = state;
  return leadership?.inSync.some((member) => isSameStore(member, store)) ?? false;
}

/** Asks again until `look` gives something; throws with `what` when it takes too long. */
export async function eventually<Value>(
  what: string,
  look: () => Promise<Value | undefined>,
  timeoutMs: number = WAIT_MS,
): Promise<Value> {
  const endMs = performance.now() + timeoutMs;
  let last = "";
  while (performance.now() < endMs) {
    try {
      const found = await look();
      if (found !== undefined) return found;
      last = "";
    } catch (error) {
      last = ` (${error instanceof Error ? error.message : String(error)})`;
    }
    await sleep(50);
  }
  throw new Error(`${what}: not within ${timeoutMs} ms${last}`);
}

/** What a member holds of its own shard, by itself: a read that any member may answer is answered by the one asked. */
async function contentOf(cluster: WholeCluster, node: TestNode): Promise<CopyContent> {
  const { topology } = cluster.config;
  const hash = createHash("sha256");
  let keys = 0;
  for await (const { key, version, value } of scanPages(node.name, "consistency=eventual")) {
    if (topology.shardOfKey(keyOfText(key)).name !== node.shard) continue;
    keys++;
    hash.update(JSON.stringify([key, version, value]));
  }
  return { node: node.name, keys, hash: hash.digest("hex") };
}

/** Waits until every member of every shard has all entries of its leader, then demands that all copies are equal. */
export async function requireEqualCopies(cluster: WholeCluster): Promise<readonly CopyContent[]> {
  const [first] = cluster.nodes;
  assert(first !== undefined);
  await eventually("every replica has its leader's log", async () => (await allCaughtUp(first)) || undefined);
  const contents: CopyContent[] = [];
  for (const shard of cluster.config.topology.shards) {
    const members = cluster.nodes.filter((node) => node.shard === shard.name);
    const copies: CopyContent[] = [];
    for (const node of members) copies.push(await contentOf(cluster, node));
    const hashes = new Set(copies.map((copy) => copy.hash));
    assert.equal(hashes.size, 1, `the copies of ${shard.name} differ: ${JSON.stringify(copies)}`);
    contents.push(...copies);
  }
  return contents;
}

async function allCaughtUp(node: TestNode): Promise<boolean> {
  for (const { members, leader } of await clusterView(node)) {
    const end = members.find((member) => member.node === leader)?.last_sequence;
    for (const { reachable, ready, role, last_sequence, durable_sequence, lag_entries } of members) {
      if (!reachable || ready !== true || role === "none" || lag_entries !== 0) return false;
      if (last_sequence !== end || durable_sequence !== end) return false;
    }
  }
  return true;
}
