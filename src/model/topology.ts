import type { Key } from "./key.ts";
import type { NodeName } from "./position.ts";
import { slotOfKey, type Slot } from "./slot.ts";

/** One process: one member of one shard. */
export interface NodeAddresses {
  /** HTTP address, `host:port`; also the node's name. */
  readonly node: NodeName;
  readonly peer: string;
  readonly resp: string;
}

export interface Shard {
  readonly name: string;
  readonly index: number;
  /** Members in the file's order: the file's leader first. */
  readonly members: readonly NodeAddresses[];
}

/** How slots lie on shards: slot s belongs to `modulo[s % modulo.length]`, unless `moved` names another. */
export interface SlotMap {
  readonly version: number;
  readonly modulo: readonly string[];
  readonly moved: ReadonlyMap<Slot, string>;
}

/** Slots → shards → nodes. Immutable: a change makes a new one. */
export class Topology {
  readonly cluster: string;
  readonly shards: readonly Shard[];
  readonly slotMap: SlotMap;
  readonly #shardByName: ReadonlyMap<string, Shard>;
  readonly #nodeByName: ReadonlyMap<NodeName, { shard: Shard; addresses: NodeAddresses }>;

  /** `shards` must be complete: every name in `slotMap` is among them. */
  constructor(parts: { cluster: string; shards: readonly Shard[]; slotMap: SlotMap }) {
    this.cluster = parts.cluster;
    this.shards = [...parts.shards].sort((a, b) => a.index - b.index);
    this.slotMap = parts.slotMap;
    this.#shardByName = new Map(this.shards.map((shard) => [shard.name, shard]));
    this.#nodeByName = new Map(
      this.shards.flatMap((shard) => shard.members.map((addresses) => [addresses.node, { shard, addresses }] as const)),
    );
  }

  shardOfKey(key: Key): Shard {
    return this.shardOfSlot(slotOfKey(key));
  }

  shardOfSlot(slot: Slot): Shard {
    const { modulo, moved } = this.slotMap;
    const name = (moved.size === 0 ? undefined : moved.get(slot)) ?? modulo[slot % modulo.length] ?? "";
    const shard = this.#shardByName.get(name);
    if (shard === undefined) throw new RangeError(`Slot ${slot} belongs to unknown shard "${name}"`);
    return shard;
  }

  shardByName(name: string): Shard | undefined {
    return this.#shardByName.get(name);
  }

  shardOfNode(node: NodeName): Shard | undefined {
    return this.#nodeByName.get(node)?.shard;
  }

  addressesOf(node: NodeName): NodeAddresses | undefined {
    return this.#nodeByName.get(node)?.addresses;
  }

  /** Every node of the cluster, shard by shard. */
  get nodes(): readonly NodeAddresses[] {
    return this.shards.flatMap((shard) => shard.members);
  }
}

/** The slot map of a fresh cluster: `slot % shardCount`, as the plain formula does. */
export function freshSlotMap(shards: readonly Shard[]): SlotMap {
  const modulo = [...shards].sort((a, b) => a.index - b.index).map((shard) => shard.name);
  return { version: 1, modulo, moved: new Map() };
}
