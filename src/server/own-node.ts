import { KvError } from "../model/errors.ts";
import type { NodeAddresses, Shard } from "../model/topology.ts";
import type { ClusterConfig } from "./config.ts";
import { formatHostPort, parseHostPort } from "./node-address.ts";

/** The options of `kv serve` that say which node of the file this process is. */
export interface OwnNodeOptions {
  readonly shard: string;
  readonly isReplica: boolean;
  /** `--http-addr`, where given. */
  readonly httpAddress: string | undefined;
}

/** This process: one member of one shard. */
export interface OwnNode {
  readonly shard: Shard;
  readonly addresses: NodeAddresses;
}

/**
 * Finds this process in the file (interfaces.md §3): `--http-addr`, else the leader's address, with `--replica` the only
 * replica's. Throws CONFIG_INVALID, naming the option and what the file has instead.
 */
export function findOwnNode(config: ClusterConfig, options: OwnNodeOptions): OwnNode {
  const shard = config.topology.shardByName(options.shard);
  if (shard === undefined) {
    const known = config.topology.shards.map(({ name }) => name).join(", ");
    throw refusal(config, `--shard ${options.shard} is not in the file, which has ${known}`);
  }
  const [leader, ...replicas] = shard.members;
  if (leader === undefined) throw refusal(config, `shard ${shard.name} has no address`);
  if (options.httpAddress !== undefined) {
    const addresses = findMember(config, shard, options.httpAddress);
    if (options.isReplica && addresses === leader) {
      throw refusal(
        config,
        `--http-addr ${leader.node} is the leader's address of shard ${shard.name}: leave out --replica`,
      );
    }
    return { shard, addresses };
  }
  if (!options.isReplica) return { shard, addresses: leader };
  const [replica] = replicas;
  if (replica === undefined) throw refusal(config, `--replica: shard ${shard.name} has no replica in the file`);
  if (replicas.length > 1) {
    throw refusal(
      config,
      `--replica: shard ${shard.name} has several, say which with --http-addr: ${listNodes(replicas)}`,
    );
  }
  return { shard, addresses: replica };
}

function findMember(config: ClusterConfig, shard: Shard, httpAddress: string): NodeAddresses {
  const parsed = parseHostPort(httpAddress);
  if (typeof parsed === "string") throw refusal(config, `--http-addr ${httpAddress} ${parsed}`);
  const node = formatHostPort(parsed);
  const found = shard.members.find((member) => member.node === node);
  if (found !== undefined) return found;
  const owner = config.topology.shardOfNode(node);
  const instead = owner === undefined ? "" : `; it is in shard ${owner.name}`;
  throw refusal(
    config,
    `--http-addr ${node} is not an address of shard ${shard.name}, which has ${listNodes(shard.members)}${instead}`,
  );
}

function listNodes(nodes: readonly NodeAddresses[]): string {
  return nodes.map(({ node }) => node).join(", ");
}

function refusal(config: ClusterConfig, reason: string): KvError {
  return new KvError("CONFIG_INVALID", `${config.path}: ${reason}`);
}
