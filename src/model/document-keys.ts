import type { NodeName } from "./position.ts";

/** Where a cluster's documents lie in its coordinator (§2.4). */
export interface DocumentKeys {
  /** Of all keys below; ends with a slash. */
  readonly prefix: string;
  readonly meta: string;
  readonly slotMap: string;
  /** Of all shard documents; ends with a slash. */
  readonly shards: string;
  /** For people and discovery only: what nodes say about themselves. Ends with a slash. */
  readonly nodes: string;
}

/** `cluster` is a plain name. */
export function documentKeys(cluster: string): DocumentKeys {
  const prefix = `/kv/${cluster}/`;
  return {
    prefix,
    meta: `${prefix}meta`,
    slotMap: `${prefix}slotmap`,
    shards: `${prefix}shards/`,
    nodes: `${prefix}nodes/`,
  };
}

/** The key of one shard's document. */
export function shardKey(cluster: string, shard: string): string {
  return `${documentKeys(cluster).shards}${shard}`;
}

/** The key under which a node tells about itself. */
export function nodeKey(cluster: string, node: NodeName): string {
  return `${documentKeys(cluster).nodes}${node}`;
}
