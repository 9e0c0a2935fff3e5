import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runKv } from "../../cluster/support/program.ts";
import { type StartOptions, TestNode } from "../../cluster/support/test-node.ts";
import { type ClusterConfig, loadConfig } from "../../../src/server/config.ts";
import { type CoordinatorKind, type LabCoordinator, startCoordinator } from "./lab-coordinator.ts";
import { type LabHost, LabNetwork } from "./lab-network.ts";

export interface LabClusterOptions {
  readonly coordinator: CoordinatorKind;
  readonly shardCount: number;
  /** Of each shard, its leader included. */
  readonly memberCount: number;
  /** Mistakes planted in every node, by their numbers (rule D12). */
  readonly mutants?: readonly string[];
  /** Called with a data directory before it is used for the first time. */
  readonly prepareDirectory?: (path: string, nodeIndex: number) => void;
}

const HTTP_PORT = 8080;
const SHARD_NAMES = ["Hyderabad", "Bangalore", "Mumbai", "Delhi"] as const;
const INIT_TRIES = 20;
const INIT_PAUSE_MS = 500;

/** A cluster of real `kv serve` processes and its coordinator, each process on a host of its own in the lab's network. */
export class LabCluster {
  readonly network: LabNetwork;
  readonly coordinator: LabCoordinator;
  readonly directory: string;
  readonly configFile: string;
  readonly config: ClusterConfig;
  readonly nodes: readonly TestNode[];
  readonly #hosts: ReadonlyMap<TestNode, LabHost>;

  private constructor(parts: {
    network: LabNetwork;
    coordinator: LabCoordinator;
    directory: string;
    hosts: readonly LabHost[];
    mutants: readonly string[];
  }) {
    const { network, coordinator, directory, hosts, mutants } = parts;
    this.network = network;
    this.coordinator = coordinator;
    this.directory = directory;
    this.configFile = join(directory, "sharding.toml");
    this.config = loadConfig(this.configFile);
    const env = { KV_TOKEN_FILE: join(directory, "tokens.toml"), ...plantingEnvironment(mutants) };
    this.nodes = this.config.topology.shards.flatMap((shard) =>
      shard.members.map(({ node }, index) => {
        const dataDirectory = join(directory, "data", node.replaceAll(/[^0-9.]/g, "-"));
        const { name } = shard;
        return new TestNode({
          node,
          shard: name,
          isReplica: index > 0,
          dataDirectory,
          configFile: this.configFile,
          env,
        });
      }),
    );
    this.#hosts = new Map(this.nodes.map((node, index) => [node, hosts[index] ?? network.clients]));
  }

  /** Starts everything, makes the coordinator's documents, and waits until all nodes are ready. */
  static async start(options: LabClusterOptions): Promise<LabCluster> {
    const network = new LabNetwork();
    const directory = mkdtempSync(join(tmpdir(), "kv-chaos-"));
    const coordinator = await startCoordinator(options.coordinator, network, join(directory, "coordinator"));
    const hosts: LabHost[] = [];
    for (let index = 0; index < options.shardCount * options.memberCount; index++) {
      hosts.push(await network.addHost(`node${index}`));
    }
    writeFileSync(join(directory, "tokens.toml"), 'peer = "a secret of the lab, and of nobody else"\n', {
      mode: 0o600,
    });
    writeFileSync(join(directory, "sharding.toml"), configText(options, coordinator.endpoints, hosts));
    const cluster = new LabCluster({
      network,
      coordinator,
      directory,
      hosts,
      mutants: options.mutants ?? [],
    });
    try {
      for (const [index, node] of cluster.nodes.entries()) options.prepareDirectory?.(node.dataDirectory, index);
      for (const node of cluster.nodes) cluster.startNode(node, { startedTogether: true });
      await cluster.#makeDocuments();
      await Promise.all(cluster.nodes.map(async (node) => node.waitReady()));
    } catch (error) {
      await cluster.dispose();
      throw new Error(cluster.allOutput, { cause: error });
    }
    return cluster;
  }

  hostOf(node: TestNode): LabHost {
    return this.#hosts.get(node) ?? this.network.clients;
  }

  /** A wrapper of the options comes behind that of the node's host. */
  startNode(node: TestNode, options: StartOptions = {}): void {
    node.start({ ...options, wrapper: [...this.hostOf(node).wrapper, ...(options.wrapper ?? [])] });
  }

  node(name: string): TestNode {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`there is no node ${name}`);
    return found;
  }

  shardName(index: number): string {
    return this.config.topology.shards[index]?.name ?? "";
  }

  members(shard: string): readonly TestNode[] {
    return this.nodes.filter((node) => node.shard === shard);
  }

  /** `kv …` of an operator who stands beside the clients. Throws unless it succeeds. */
  async kv(words: readonly string[], timeoutMs = 60_000): Promise<string> {
    const env = { KV_TOKEN_FILE: join(this.directory, "tokens.toml") };
    const { exitCode, stdout, stderr } = await runKv([...words, "--config-file", this.configFile], { env, timeoutMs });
    if (exitCode !== 0) throw new Error(`kv ${words.join(" ")} ended with ${exitCode}:\n${stdout}${stderr}`);
    return stdout;
  }

  /** Whatever its processes have printed. */
  get allOutput(): string {
    const nodes = this.nodes.map((node) => `--- ${node.name} (${node.shard})\n${node.output}`);
    return [...nodes, `--- coordinator\n${this.coordinator.output}`].join("\n");
  }

  async dispose(): Promise<void> {
    await Promise.all(this.nodes.map(async (node) => node.kill()));
    await this.coordinator.dispose();
    this.network.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Right after their start the nodes may not tell their stores yet. */
  async #makeDocuments(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.kv(["init"]);
        return;
      } catch (error) {
        if (attempt === INIT_TRIES) throw error;
        await sleep(INIT_PAUSE_MS);
      }
    }
  }
}

function plantingEnvironment(mutants: readonly string[]): Readonly<Record<string, string>> {
  if (mutants.length === 0) return {};
  const planter = new URL("plant-mutants.ts", import.meta.url).href;
  return { NODE_OPTIONS: `--import=${planter}`, KV_CHAOS_MUTANTS: mutants.join() };
}

function configText(
  { coordinator, shardCount, memberCount }: LabClusterOptions,
  endpoints: readonly string[],
  hosts: readonly LabHost[],
): string {
  const lines = [
    "[cluster]",
    'name = "chaos"',
    `coordinator = "${coordinator === "embedded" ? "embedded" : "etcd"}"`,
    'replication = "in-sync"',
    "",
    "[coordinator]",
    `endpoints = ${JSON.stringify(endpoints)}`,
  ];
  for (let index = 0; index < shardCount; index++) {
    const members = hosts.slice(index * memberCount, (index + 1) * memberCount);
    const [leader, ...replicas] = members.map(({ address }) => `${address}:${HTTP_PORT}`);
    lines.push("", "[[shards]]", `name = "${SHARD_NAMES[index] ?? `Shard${index}`}"`, `idx = ${index}`);
    lines.push(`address = "${leader ?? ""}"`);
    if (replicas.length > 0) lines.push(`replicas = ${JSON.stringify(replicas)}`);
  }
  return `${lines.join("\n")}\n`;
}
