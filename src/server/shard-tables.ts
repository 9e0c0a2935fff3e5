import { SLOT_COUNT } from "../model/slot.ts";
import type { NodeAddresses, Shard } from "../model/topology.ts";
import { findAddressCollisions, type NamedNode } from "./address-collisions.ts";
import type { ConfigFaults } from "./config-faults.ts";
import type { ConfigTable } from "./config-table.ts";
import { formatHostPort, type HostPort, parseHostPort, PORT_MAX } from "./node-address.ts";
import { PLAIN_NAME, PLAIN_NAME_CLAIM } from "./plain-name.ts";

/** Fixed ports of [cluster]; where undefined, a node's HTTP port decides. */
export interface FixedPorts {
  readonly peer: number | undefined;
  readonly resp: number | undefined;
}

/** One [[shards]] table as read; what is missing or wrong in it is undefined, and a fault already. */
interface ShardTable {
  readonly table: ConfigTable;
  readonly name: string | undefined;
  readonly index: number | undefined;
  readonly nodes: readonly NamedNode[];
}

const PEER_PORT_OFFSET = 1000;
const RESP_PORT_OFFSET = 2000;

/** Reads [[shards]] in the order of their indexes. The result is only of use if no fault was added. */
export function readShards(file: ConfigTable, ports: FixedPorts, faults: ConfigFaults): readonly Shard[] {
  const tables = file.tables("shards") ?? [];
  if (tables.length === 0 && faults.isEmpty) faults.add("shards", "has no shard: write at least one [[shards]]");
  const shards = tables.map((table) => readShard(table, ports));
  refuseDoubleNames(shards);
  refuseUnevenIndexes(shards);
  findAddressCollisions(
    refuseDoubleNodes(
      shards.flatMap((shard) => shard.nodes),
      faults,
    ),
    faults,
  );
  const complete = shards.map(({ name, index, nodes: own }) =>
    Object.freeze({ name: name ?? "", index: index ?? 0, members: Object.freeze(own.map((node) => node.addresses)) }),
  );
  return Object.freeze(complete.sort((left, right) => left.index - right.index));
}

function readShard(table: ConfigTable, ports: FixedPorts): ShardTable {
  for (const key of ["name", "idx", "address"]) if (!table.has(key)) table.fault(key, "is missing");
  const name = table.text("name");
  if (name !== undefined && !PLAIN_NAME.test(name)) table.fault("name", PLAIN_NAME_CLAIM);
  const index = table.integer("idx", { min: 0, max: SLOT_COUNT - 1 });
  const leader = table.text("address");
  const replicas = table.texts("replicas") ?? [];
  table.refuseUnknownKeys();
  const nodes = [
    ...(leader === undefined ? [] : readNode(table, { key: "address", text: leader, ports })),
    ...replicas.flatMap((text) => readNode(table, { key: "replicas", text, ports })),
  ];
  return { table, name, index, nodes };
}

/** The node named by `text`, or nothing when the text is no address. */
function readNode(
  table: ConfigTable,
  named: { readonly key: string; readonly text: string; readonly ports: FixedPorts },
): NamedNode[] {
  const http = parseHostPort(named.text);
  if (typeof http === "string") {
    table.faultAt(named.key, named.text, http);
    return [];
  }
  const peerPort = named.ports.peer ?? http.port + PEER_PORT_OFFSET;
  const respPort = named.ports.resp ?? http.port + RESP_PORT_OFFSET;
  if (peerPort > PORT_MAX) table.faultAt(named.key, named.text, portClaim("peer", peerPort));
  if (respPort > PORT_MAX) table.faultAt(named.key, named.text, portClaim("resp", respPort));
  return [{ keyPath: table.keyPath(named.key), addresses: addressesOf(http, peerPort, respPort) }];
}

function portClaim(purpose: "peer" | "resp", port: number): string {
  return `would have the ${purpose} port ${port}, above ${PORT_MAX}: set ${purpose}_port in [cluster] or use a lower port`;
}

function addressesOf(http: HostPort, peerPort: number, respPort: number): NodeAddresses {
  return Object.freeze({
    node: formatHostPort(http),
    peer: formatHostPort({ host: http.host, port: peerPort }),
    resp: formatHostPort({ host: http.host, port: respPort }),
  });
}

function refuseDoubleNames(shards: readonly ShardTable[]): void {
  const seen = new Set<string>();
  for (const { table, name } of shards) {
    if (name === undefined) continue;
    if (seen.has(name)) table.fault("name", "is the name of two shards");
    seen.add(name);
  }
}

/** The indexes of n shards are 0 to n-1, each once: they are the remainders of the placement formula. */
function refuseUnevenIndexes(shards: readonly ShardTable[]): void {
  const nameByIndex = new Map<number, string>();
  for (const { table, name, index } of shards) {
    if (index === undefined) continue;
    const other = nameByIndex.get(index);
    if (other !== undefined) table.fault("idx", `is also the index of shard ${other}`);
    else nameByIndex.set(index, name ?? table.path);
  }
  const missing = shards.map((_shard, index) => index).filter((index) => !nameByIndex.has(index));
  for (const { table, index } of shards) {
    if (index === undefined || index < shards.length) continue;
    const claim = `leaves out index ${missing.join(", ")}: ${shards.length} shards have the indexes 0 to ${shards.length - 1}`;
    table.fault("idx", claim);
  }
}

/** Hands back each node once. */
function refuseDoubleNodes(nodes: readonly NamedNode[], faults: ConfigFaults): readonly NamedNode[] {
  const nodeByName = new Map<string, NamedNode>();
  for (const node of nodes) {
    const name = node.addresses.node;
    const other = nodeByName.get(name);
    if (other === undefined) nodeByName.set(name, node);
    else faults.add(node.keyPath, `is an address given twice: ${other.keyPath} has it too`, name);
  }
  return [...nodeByName.values()];
}
