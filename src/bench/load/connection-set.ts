import { KvError } from "../../model/errors.ts";
import { keyOfBinary } from "../../model/key.ts";
import { slotOfKey } from "../../model/slot.ts";
import { formatHostPort, type HostPort, parseHostPort } from "../../server/node-address.ts";
import type { ClientProtocol } from "./client-protocol.ts";
import type { ClusterShard } from "./cluster-shards.ts";
import { HttpProtocol } from "./http-protocol.ts";
import { type ConnectionOwner, LoadConnection } from "./load-connection.ts";
import type { LoadPlan } from "./load-plan.ts";
import type { Records } from "./records.ts";
import { RespProtocol } from "./resp-protocol.ts";

type Addresses = readonly [HostPort, ...HostPort[]];

/** Where connections go, and which keys over which of them. */
export interface ConnectionTargets {
  /** For each group, the addresses to use, the first to begin with. */
  readonly groups: readonly Addresses[];
  /** Whether every connection begins with its group's first address; else they are spread. */
  readonly isOrdered: boolean;
  readonly groupOf: (index: number) => number;
}

const RESP_PORT_OFFSET = 2000;

/** One group over the nodes given, or, with the cluster's shards, one for each leader. Throws NO_LEADER. */
export function targetsOf(plan: LoadPlan, records: Records, shards: readonly ClusterShard[] | null): ConnectionTargets {
  if (shards === null) return { groups: [plan.nodes], isOrdered: false, groupOf: () => 0 };
  const groups = shards.map(({ name, leader }): Addresses => {
    if (leader === null) throw new KvError("NO_LEADER", `shard ${name} has no leader now`);
    return [leader, ...others(plan.nodes, [leader])];
  });
  return { groups, isOrdered: true, groupOf: shardOf(records, groups.length) };
}

/**
 * One group for each shard, which tries the shard's members before any other node: so that a shard whose leader is gone does
 * not keep the connections of others waiting. Throws NO_LEADER.
 */
export function memberTargetsOf(plan: LoadPlan, records: Records, shards: readonly ClusterShard[]): ConnectionTargets {
  const groups = shards.map(({ name, leader, members }): Addresses => {
    if (leader === null) throw new KvError("NO_LEADER", `shard ${name} has no leader now`);
    const replicas = others(members, [leader]);
    return [leader, ...replicas, ...others(plan.nodes, [leader, ...replicas])];
  });
  return { groups, isOrdered: true, groupOf: shardOf(records, groups.length) };
}

function others(nodes: readonly HostPort[], known: readonly HostPort[]): HostPort[] {
  const names = new Set(known.map(formatHostPort));
  return nodes.filter((node) => !names.has(formatHostPort(node)));
}

function shardOf(records: Records, shardCount: number): (index: number) => number {
  return (index) => slotOfKey(keyOfBinary(records.keyOf(index))) % shardCount;
}

/** Opens the plan's connections: spread over the nodes, or the same number to each leader. */
export function openConnections(
  plan: LoadPlan,
  parts: {
    readonly targets: ConnectionTargets;
    readonly records: Records;
    readonly owner: ConnectionOwner;
    readonly depth: number;
  },
): LoadConnection[] {
  const { targets, records, owner, depth } = parts;
  const protocolFor = (address: HostPort): ClientProtocol =>
    plan.protocol === "resp"
      ? new RespProtocol(records)
      : new HttpProtocol({
          records,
          keyPrefix: plan.keyPrefix,
          host: formatHostPort(address),
          durability: plan.durability,
        });
  return targets.groups.flatMap((nodes, group) =>
    Array.from({ length: plan.connectionCount }, (_, index) => {
      const addresses = targets.isOrdered ? nodes : startingAt(nodes, index % nodes.length);
      const [first, ...rest] = addresses;
      const sockets = [socketAddress(plan, first), ...rest.map((node) => socketAddress(plan, node))] as const;
      return new LoadConnection({ addresses: sockets, protocolFor, depth, group, owner });
    }),
  );
}

function startingAt(nodes: Addresses, start: number): Addresses {
  const [first = nodes[0], ...rest] = [...nodes.slice(start), ...nodes.slice(0, start)];
  return [first, ...rest];
}

function socketAddress(plan: LoadPlan, { host, port }: HostPort): HostPort {
  if (plan.protocol === "http") return { host, port };
  if (plan.respPort !== null) return { host, port: plan.respPort };
  const known = parseHostPort(plan.respAddresses.get(formatHostPort({ host, port })) ?? "");
  return typeof known === "string" ? { host, port: port + RESP_PORT_OFFSET } : known;
}
