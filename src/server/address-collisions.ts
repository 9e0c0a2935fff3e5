import type { NodeAddresses, Shard } from "../model/topology.ts";
import type { ConfigFaults } from "./config-faults.ts";
import type { CoordinatorEndpoint } from "./coordinator-table.ts";
import { formatHostPort } from "./node-address.ts";

type Purpose = "HTTP" | "peer" | "RESP";

/** Two sockets that would need the same address: of two nodes, or of one. */
interface Listener {
  readonly node: string;
  readonly purpose: Purpose;
}

/** Which key decides about a purpose's port, to name it in the advice. */
const KEY_BY_PURPOSE = { HTTP: "address", peer: "peer_port", RESP: "resp_port" } as const;
const DEFAULT_OFFSET = { HTTP: 0, peer: 1000, RESP: 2000 } as const;

/** What a file says about one node, with the path of the key that named it. */
export interface NamedNode {
  readonly keyPath: string;
  readonly addresses: NodeAddresses;
}

/**
 * Adds a fault for every HTTP, peer or RESP address that two listeners would share: fixed ports with several nodes on
 * one host, or an offset (+1000, +2000) that meets another node's port. No two of `nodes` have the same HTTP address.
 */
export function findAddressCollisions(nodes: readonly NamedNode[], faults: ConfigFaults): void {
  const listenerByAddress = new Map<string, Listener>();
  for (const { keyPath, addresses } of nodes) {
    const sockets: readonly [Purpose, string][] = [
      ["HTTP", addresses.node],
      ["peer", addresses.peer],
      ["RESP", addresses.resp],
    ];
    for (const [purpose, address] of sockets) {
      const listener: Listener = { node: addresses.node, purpose };
      const other = listenerByAddress.get(comparable(address));
      if (other === undefined) listenerByAddress.set(comparable(address), listener);
      else faults.add(keyPath, collisionClaim(listener, other, address), addresses.node);
    }
  }
}

/** Adds a fault for every endpoint of the coordinator that is an address of a node, too: the one that starts later could not listen. */
export function findEndpointCollisions(
  endpoints: readonly CoordinatorEndpoint[],
  shards: readonly Shard[],
  faults: ConfigFaults,
): void {
  const nodes = shards.flatMap(({ members }) => members);
  for (const endpoint of endpoints) {
    const address = formatHostPort(endpoint);
    const wanted = comparable(address);
    for (const { node, peer, resp } of nodes) {
      const purposes: readonly [Purpose, string][] = [
        ["HTTP", node],
        ["peer", peer],
        ["RESP", resp],
      ];
      const purpose = purposes.find(([, own]) => comparable(own) === wanted)?.[0];
      if (purpose === undefined) continue;
      const claim = `is also the ${purpose} address of ${node}: give the coordinator an address of its own`;
      faults.add("coordinator.endpoints", claim, `${endpoint.isSecure ? "https" : "http"}://${address}`);
    }
  }
}

function collisionClaim(listener: Listener, other: Listener, address: string): string {
  const owner = other.node === listener.node ? "this node" : other.node;
  return `has the ${listener.purpose} address ${address}, which is also the ${other.purpose} address of ${owner}: ${advice(listener, other)}`;
}

function advice(listener: Listener, other: Listener): string {
  if (listener.purpose === "HTTP") return "give one of the two nodes another port";
  const key = KEY_BY_PURPOSE[listener.purpose];
  if (listener.purpose === other.purpose) {
    return `leave out ${key}, so that each node uses its HTTP port + ${DEFAULT_OFFSET[listener.purpose]}`;
  }
  return `set ${key} in [cluster] or give one of the two nodes another port`;
}

/** `localhost` is 127.0.0.1 for whoever binds it. */
function comparable(address: string): string {
  return address.replace(/^localhost:/, "127.0.0.1:");
}
