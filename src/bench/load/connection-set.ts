import { KvError } from "../../model/errors.ts";
import { keyOfBinary } from "../../model/key.ts";
import { slotOfKey } from "../../model/slot.ts";
import { formatHostPort, type HostPort } from "../../server/node-address.ts";
import type { ClientProtocol } from "./client-protocol.ts";
import type { ClusterLeaders } from "./cluster-leaders.ts";
import { HttpProtocol } from "./http-protocol.ts";
import { type ConnectionOwner, LoadConnection } from "./load-connection.ts";
import type { LoadPlan } from "./load-plan.ts";
import type { Records } from "./records.ts";
import { RespProtocol } from "./resp-protocol.ts";

/** Where connections go, and which keys over which of them. */
export interface ConnectionTargets {
  /** For each group, the addresses to use, the first to begin with. */
  readonly groups: readonly (readonly [HostPort, ...HostPort[]])[];
  readonly groupOf: (index: number) => number;
}

const RESP_PORT_OFFSET = 2000;

/** One group over the nodes given, or one for each leader. Throws NO_LEADER. */
export function targetsOf(plan: LoadPlan, records: Records, cluster: ClusterLeaders | null): ConnectionTargets {
  if (cluster === null) return { groups: [plan.nodes], groupOf: () => 0 };
  const groups = cluster.leaders.map((leader, index): readonly [HostPort, ...HostPort[]] => {
    if (leader === null) throw new KvError("NO_LEADER", `shard ${cluster.names[index]} has no leader now`);
    const others = plan.nodes.filter((node) => formatHostPort(node) !== formatHostPort(leader));
    return [leader, ...others];
  });
  const shardCount = groups.length;
  return { groups, groupOf: (index) => slotOfKey(keyOfBinary(records.keyOf(index))) % shardCount };
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
      const addresses = plan.isDirect ? nodes : startingAt(nodes, index % nodes.length);
      const [first, ...rest] = addresses;
      const sockets = [socketAddress(plan, first), ...rest.map((node) => socketAddress(plan, node))] as const;
      return new LoadConnection({ addresses: sockets, protocolFor, depth, group, owner });
    }),
  );
}

function startingAt(nodes: readonly [HostPort, ...HostPort[]], start: number): readonly [HostPort, ...HostPort[]] {
  const [first = nodes[0], ...rest] = [...nodes.slice(start), ...nodes.slice(0, start)];
  return [first, ...rest];
}

function socketAddress(plan: LoadPlan, { host, port }: HostPort): HostPort {
  return plan.protocol === "resp" ? { host, port: plan.respPort ?? port + RESP_PORT_OFFSET } : { host, port };
}
