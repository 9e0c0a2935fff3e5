import { KvError } from "../../model/errors.ts";
import { documentKeys, shardKey } from "../../model/document-keys.ts";
import { decodeMetaDocument, encodeMetaDocument, type MetaDocument } from "../../model/meta-document.ts";
import { decodeShardDocument, encodeShardDocument, type ShardDocument } from "../../model/shard-document.ts";
import { decodeSlotMapDocument, encodeSlotMapDocument } from "../../model/slot-map-document.ts";
import { NO_REVISION, type StoredDocument } from "../../coordinator/coordinator.ts";
import type { ClusterConfig } from "../../server/config.ts";
import { CommandFailure } from "../command-failure.ts";
import type { CoordinatorSession } from "./coordinator-session.ts";

/** A shard's document as it stands at the coordinator. */
export interface StoredShard {
  readonly revision: string;
  /** Null when what stands there is no document of this version. */
  readonly document: ShardDocument | null;
}

/** What a cluster has at its coordinator. */
export interface ClusterDocuments {
  readonly meta: MetaDocument | null;
  readonly hasSlotMap: boolean;
  readonly shards: ReadonlyMap<string, StoredShard>;
}

/**
 * Reads the documents of the file's cluster, as untrusted input. Throws DOCUMENT_INVALID for a meta or slot map that makes no sense,
 * CommandFailure when the slot map is not that of the file's shards: keys would be looked for where they are not.
 */
export async function readDocuments(session: CoordinatorSession, config: ClusterConfig): Promise<ClusterDocuments> {
  const { topology, path } = config;
  const keys = documentKeys(topology.cluster);
  const stored = await session.list(keys.prefix);
  const meta = stored.get(keys.meta);
  const slotMap = stored.get(keys.slotMap);
  if (slotMap !== undefined) {
    const { modulo, moved } = decodeSlotMapDocument(slotMap.value);
    const isSame = moved.size === 0 && JSON.stringify(modulo) === JSON.stringify(topology.slotMap.modulo);
    if (!isSame) {
      throw new CommandFailure(
        `The cluster ${topology.cluster} at the coordinator has the shards ${modulo.join(", ")} in this order, ${path} has ${topology.slotMap.modulo.join(", ")}: name and order of shards cannot change`,
      );
    }
  }
  const shards = new Map<string, StoredShard>();
  for (const { name } of topology.shards) {
    const document = stored.get(shardKey(topology.cluster, name));
    if (document !== undefined) shards.set(name, readShard(document));
  }
  return {
    meta: meta === undefined ? null : decodeMetaDocument(meta.value),
    hasSlotMap: slotMap !== undefined,
    shards,
  };
}

/** Writes what is missing of meta and slot map, meta first: by it documents are told from those of other clusters. */
export async function writeFrame(
  session: CoordinatorSession,
  config: ClusterConfig,
  { present, clusterId }: { readonly present: ClusterDocuments; readonly clusterId: string },
): Promise<void> {
  const { topology } = config;
  const keys = documentKeys(topology.cluster);
  if (present.meta === null) {
    const meta = encodeMetaDocument({ clusterId, createdAt: new Date().toISOString() });
    if (!(await session.swap(keys.meta, NO_REVISION, meta))) throw wasFirst(topology.cluster);
  }
  // Two who write it write the same.
  if (!present.hasSlotMap) await session.swap(keys.slotMap, NO_REVISION, encodeSlotMapDocument(topology.slotMap));
}

/** Writes one shard's document in place of what has `revision`. Throws CommandFailure when somebody else was first. */
export async function writeShard(
  session: CoordinatorSession,
  { cluster, shard, revision }: { readonly cluster: string; readonly shard: string; readonly revision: string },
  document: ShardDocument,
): Promise<void> {
  const isWritten = await session.swap(shardKey(cluster, shard), revision, encodeShardDocument(document));
  if (!isWritten) throw wasFirst(cluster);
}

function readShard({ value, revision, key }: StoredDocument): StoredShard {
  try {
    return { revision, document: decodeShardDocument(value, key) };
  } catch (error) {
    if (!(error instanceof KvError)) throw error;
    return { revision, document: null };
  }
}

function wasFirst(cluster: string): CommandFailure {
  return new CommandFailure(
    `Somebody else changes the documents of cluster ${cluster} at the same time; look again, then repeat`,
  );
}
