import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { keyOfText } from "../../../src/model/key.ts";
import type { ClusterConfig } from "../../../src/server/config.ts";
import { loadConfig } from "../../../src/server/config.ts";
import { makeDocumentsAtStart } from "../../../src/cli/documents/first-start.ts";
import { TestCoordinator } from "./test-coordinator.ts";
import { TestNode } from "./test-node.ts";

export interface TestClusterOptions {
  /** Default 1. */
  readonly shardCount?: number;
  /** Of each shard, besides its leader; default 1. */
  readonly replicaCount?: number;
  /** Default "async". */
  readonly replication?: "async" | "in-sync";
  /** Default "static". */
  readonly coordinator?: "static" | "embedded";
  /** More keys of [cluster], as TOML: `log_retain_mb = 1`. */
  readonly clusterToml?: string;
  /** Added to every node's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where configuration and data go; default: a new directory below the system's temporary one. */
  readonly directory?: string;
}

const PORT_MIN = 10_000;
const PORT_RANGE = 15_000;
const SHARD_NAMES = ["Hyderabad", "Bangalore", "Mumbai", "Delhi"] as const;

/**
 * A cluster of real `kv serve` processes on free loopback ports, with its own configuration file and data.
 *
 * Nodes are in the file's order: shard by shard, the file's leader first. They end with the test process, however it ends.
 * `dispose` kills them and removes the directory.
 */
export class TestCluster {
  readonly directory: string;
  readonly configFile: string;
  readonly config: ClusterConfig;
  readonly nodes: readonly TestNode[];
  /** Null in static mode. */
  readonly coordinator: TestCoordinator | null;

  private constructor(directory: string, env: Readonly<Record<string, string>>) {
    this.directory = directory;
    this.configFile = join(directory, "sharding.toml");
    this.config = loadConfig(this.configFile);
    this.coordinator = coordinatorOf(this.config, join(directory, "coordinator"));
    this.nodes = this.config.topology.shards.flatMap((shard) =>
      shard.members.map(
        ({ node }, index) =>
          new TestNode({
            node,
            shard: shard.name,
            isReplica: index > 0,
            dataDirectory: join(directory, "data", node.replaceAll(/[^0-9.]/g, "-")),
            configFile: this.configFile,
            env,
          }),
      ),
    );
  }

  /** Makes the files, starts nothing. */
  static async create(options: TestClusterOptions = {}): Promise<TestCluster> {
    const directory = options.directory ?? mkdtempSync(join(tmpdir(), "kv-cluster-"));
    await writeConfig(join(directory, "sharding.toml"), options);
    return new TestCluster(directory, options.env ?? {});
  }

  /** The text of a configuration file with a coordinator, as that of the same cluster in static mode. */
  static withoutCoordinator(file: string): string {
    return file.replace(/^coordinator = .*\n\[coordinator\]\nendpoints = .*\n/m, "");
  }

  /** Starts every node, waits until all are ready, and disposes of them when the test is over. */
  static async start(
    test: TestContext | { after: (run: () => Promise<void>) => void },
    options: TestClusterOptions = {},
  ): Promise<TestCluster> {
    const cluster = await TestCluster.create(options);
    test.after(async () => cluster.dispose());
    await cluster.startAll();
    return cluster;
  }

  /** With a coordinator: also that, and the documents if there are none. */
  async startAll(): Promise<void> {
    await this.coordinator?.start();
    for (const node of this.nodes) node.start({ startedTogether: true });
    if (this.coordinator !== null) await this.makeDocuments();
    await this.waitReady();
  }

  /** Makes what documents the cluster lacks, taking over what data there are. */
  async makeDocuments(): Promise<void> {
    await makeDocumentsAtStart({ config: this.config, isOver: () => false, say: () => {} });
  }

  /** Until every node that runs is ready. */
  async waitReady(timeoutMs?: number): Promise<void> {
    await Promise.all(this.nodes.filter((node) => node.isRunning).map(async (node) => node.waitReady(timeoutMs)));
  }

  /** `kill -9` of every node, at once. */
  async killAll(): Promise<void> {
    await Promise.all(this.nodes.map(async (node) => node.kill()));
  }

  /** SIGTERM to every node; their exit codes, in order. */
  async stopAll(): Promise<(number | null)[]> {
    return Promise.all(this.nodes.map(async (node) => node.stop()));
  }

  /** The node with this name. */
  node(name: string): TestNode {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`there is no node ${name}`);
    return found;
  }

  /** The members of a shard, by its index; the file's leader first. */
  members(shardIndex: number): readonly TestNode[] {
    const name = this.config.topology.shards[shardIndex]?.name;
    return this.nodes.filter((node) => node.shard === name);
  }

  /** A node that is no member of the shard that owns `key`. */
  strangerTo(key: string): TestNode {
    const owner = this.config.topology.shardOfKey(keyOfText(key)).name;
    const found = this.nodes.find((node) => node.shard !== owner && node.isRunning);
    if (found === undefined) throw new Error(`every running node is a member of ${owner}`);
    return found;
  }

  async dispose(): Promise<void> {
    await this.killAll();
    await this.coordinator?.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

async function writeConfig(path: string, options: TestClusterOptions): Promise<void> {
  const { shardCount = 1, replicaCount = 1, replication = "async", clusterToml = "" } = options;
  const nodeCount = shardCount * (1 + replicaCount);
  const addresses = await freeAddresses(nodeCount + 1);
  const lines = ["[cluster]", 'name = "test"', `replication = "${replication}"`, clusterToml];
  if (options.coordinator === "embedded") {
    lines.push('coordinator = "embedded"', "[coordinator]", `endpoints = ["http://${addresses[nodeCount]}"]`);
  }
  lines.push("");
  for (let index = 0; index < shardCount; index++) {
    const members = addresses.slice(index * (1 + replicaCount), (index + 1) * (1 + replicaCount));
    const [leader, ...replicas] = members.map((address) => JSON.stringify(address));
    const name = SHARD_NAMES[index] ?? `Shard${index}`;
    lines.push("[[shards]]", `name = "${name}"`, `idx = ${index}`, `address = ${leader}`);
    if (replicas.length > 0) lines.push(`replicas = [${replicas.join(", ")}]`);
    lines.push("");
  }
  writeFileSync(path, lines.join("\n"));
}

function coordinatorOf(config: ClusterConfig, directory: string): TestCoordinator | null {
  const [endpoint] = config.coordinatorSettings?.endpoints ?? [];
  if (endpoint === undefined) return null;
  return new TestCoordinator({ address: `${endpoint.host}:${endpoint.port}`, directory, config });
}

/**
 * Addresses whose HTTP, peer and RESP ports are free. On Linux every cluster has a loopback address of its own, so that several run
 * beside each other; elsewhere only 127.0.0.1 is there without further ado.
 */
async function freeAddresses(count: number): Promise<string[]> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const host = process.platform === "linux" ? `127.${byte()}.${byte()}.${byte()}` : "127.0.0.1";
    const firstPort = PORT_MIN + Math.floor(Math.random() * PORT_RANGE);
    const ports = Array.from({ length: count }, (_, index) => firstPort + index);
    const all = ports.flatMap((port) => [port, port + 1000, port + 2000]);
    const free = await Promise.all(all.map(async (port) => isFree(host, port)));
    if (count < 1000 && free.every(Boolean)) return ports.map((port) => `${host}:${port}`);
  }
  throw new Error("no free loopback ports were found");
}

function byte(): number {
  return 1 + Math.floor(Math.random() * 253);
}

async function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
