import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { KvError } from "../model/errors.ts";
import type { NodeName } from "../model/position.ts";
import type { ClusterConfig } from "../server/config.ts";
import { formatHostPort, parseHostPort } from "../server/node-address.ts";
import type { DataRoot } from "./data-root.ts";
import { plannedCoordinator, plannedNode, type PlannedProcess } from "./planned-process.ts";

/** What of a cluster runs on this machine. */
export interface ClusterPlan {
  /** Null in static mode, with etcd, and where the file's coordinator is on another machine. */
  readonly coordinator: PlannedProcess | null;
  readonly nodes: readonly PlannedProcess[];
  /** Every address that these listen on and that is checked first. */
  readonly addresses: readonly string[];
  /** Nodes of the file that belong on other machines. */
  readonly elsewhere: readonly NodeName[];
}

/** Finds what of the file belongs on this machine. Throws CONFIG_INVALID when there is no node. */
export async function planCluster(config: ClusterConfig, root: DataRoot): Promise<ClusterPlan> {
  const isCoordinated = config.coordinator !== "static";
  const nodes: PlannedProcess[] = [];
  const addresses: string[] = [];
  const elsewhere: NodeName[] = [];
  for (const { name: shard, members } of config.topology.shards) {
    for (const [index, { node, peer, resp }] of members.entries()) {
      if (!(await isHere(node))) {
        elsewhere.push(node);
        continue;
      }
      const place = { dataDirectory: root.directoryOf(shard, node), configFile: config.path };
      nodes.push(plannedNode({ node, shard, isReplica: index > 0, ...place, isCoordinated }));
      addresses.push(node, peer, resp);
    }
  }
  if (nodes.length === 0) {
    throw new KvError("CONFIG_INVALID", `${config.path}: no address of the file is on this machine`);
  }
  const coordinator = await planCoordinator(config, root);
  if (coordinator !== null) addresses.push(coordinator.name);
  return { coordinator, nodes, addresses, elsewhere };
}

async function planCoordinator(config: ClusterConfig, root: DataRoot): Promise<PlannedProcess | null> {
  if (config.coordinator !== "embedded") return null;
  const [endpoint] = config.coordinatorSettings?.endpoints ?? [];
  if (endpoint === undefined) return null;
  const address = formatHostPort(endpoint);
  return (await isHere(address)) ? plannedCoordinator(address, root.coordinatorDirectory) : null;
}

/** Loopback addresses count even where they must first be made: the check of addresses then says how. */
async function isHere(address: string): Promise<boolean> {
  const parsed = parseHostPort(address);
  if (typeof parsed === "string") return false;
  const found = isIP(parsed.host) === 0 ? await addressesOf(parsed.host) : [parsed.host];
  const own = new Set(Object.values(networkInterfaces()).flatMap((ones) => (ones ?? []).map((one) => one.address)));
  return found.some((one) => one.startsWith("127.") || one === "::1" || own.has(one));
}

async function addressesOf(host: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    throw new KvError(
      "CONFIG_INVALID",
      `the host name ${host} is not known: add it to the hosts file, or use an address`,
    );
  }
}
