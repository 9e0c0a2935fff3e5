import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { HOST } from "./cores.ts";
import { findFreePorts } from "./free-ports.ts";
import { KvNode, PEER_OFFSET, RESP_OFFSET } from "./kv-node.ts";
import { waitUntil } from "./wait-until.ts";
import type { Workbench } from "./workbench.ts";

/** How a cluster of ours is laid out; everything else is the product's default. */
export interface KvLayout {
  readonly shardCount?: number;
  readonly hasReplicas?: boolean;
  readonly replication?: "async" | "in-sync";
  /** null: unpinned. */
  readonly core: number | null;
}

const IN_SYNC_SECONDS = 30;

/** Nodes of one cluster on this machine, each a process over a fresh folder. */
export class KvCluster {
  readonly leaders: readonly KvNode[];
  readonly replicas: readonly KvNode[];

  private constructor(leaders: readonly KvNode[], replicas: readonly KvNode[]) {
    this.leaders = leaders;
    this.replicas = replicas;
  }

  /** Starts all nodes and waits until they are ready and their replicas follow. */
  static async start(bench: Workbench, layout: KvLayout): Promise<KvCluster> {
    const { shardCount = 1, hasReplicas = false, replication = "async", core } = layout;
    const nodeCount = hasReplicas ? 2 * shardCount : shardCount;
    const places = Array.from({ length: nodeCount }, (_, index) => index);
    const base = await findFreePorts(places.flatMap((index) => [index, index + PEER_OFFSET, index + RESP_OFFSET]));
    const folder = bench.folder("kv");
    const configFile = join(folder, "sharding.toml");
    const shards = places.slice(0, shardCount).map((index) => {
      const replicaPort = hasReplicas ? base + shardCount + index : null;
      return { name: `shard-${index}`, index, port: base + index, replicaPort };
    });
    writeFileSync(configFile, renderConfig(replication, shards));
    const startNode = (shard: string, httpPort: number, isReplica: boolean): KvNode =>
      new KvNode(bench, { shard, isReplica, httpPort, directory: join(folder, String(httpPort)), configFile, core });
    const leaders = shards.map(({ name, port }) => startNode(name, port, false));
    const replicas = shards.flatMap(({ name, replicaPort }) =>
      replicaPort === null ? [] : [startNode(name, replicaPort, true)],
    );
    const cluster = new KvCluster(leaders, replicas);
    await Promise.all(cluster.nodes.map(async (node) => node.waitReady()));
    if (hasReplicas) await cluster.waitReplicated(replication === "in-sync");
    return cluster;
  }

  get nodes(): readonly KvNode[] {
    return [...this.leaders, ...this.replicas];
  }

  /** The first shard's leader: the only node of most layouts. */
  get first(): KvNode {
    const [first] = this.leaders;
    if (first === undefined) throw new Error("the cluster has no node");
    return first;
  }

  /** The first shard's replica. */
  get firstReplica(): KvNode {
    const [first] = this.replicas;
    if (first === undefined) throw new Error("the cluster has no replica");
    return first;
  }

  /** Waits until every replica follows and lacks nothing, and where asked is in the in-sync set. */
  async waitReplicated(isInSync: boolean): Promise<void> {
    await waitUntil("all replicas follow", { seconds: IN_SYNC_SECONDS, pauseMs: 100 }, async () => {
      const all = await Promise.all(this.leaders.map(async (leader) => leader.metrics()));
      return all.every(
        (metrics) =>
          metrics.value("kv_replica_connected") === 1 &&
          metrics.value("kv_replica_lag_entries") === 0 &&
          (!isInSync || metrics.value("kv_replica_in_sync") === 1),
      );
    });
  }

  /** Waits until no tree has anything left to take in. */
  async waitDrained(): Promise<void> {
    await Promise.all(this.nodes.map(async (node) => node.waitDrained()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map(async (node) => node.stop()));
  }
}

interface ShardLines {
  readonly name: string;
  readonly index: number;
  readonly port: number;
  readonly replicaPort: number | null;
}

function renderConfig(replication: string, shards: readonly ShardLines[]): string {
  const tables = shards.map(({ name, index, port, replicaPort }) => {
    const replicas = replicaPort === null ? "" : `replicas = ["${HOST}:${replicaPort}"]\n`;
    return `[[shards]]\nname = "${name}"\nidx = ${index}\naddress = "${HOST}:${port}"\n${replicas}`;
  });
  return `[cluster]\nname = "bench"\nreplication = "${replication}"\n\n${tables.join("\n")}`;
}
