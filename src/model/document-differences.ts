import type { NodeName } from "./position.ts";
import type { Shard } from "./topology.ts";

/** What of a shard both its document and the configuration file say. */
export interface ShardPlacement {
  readonly members: readonly NodeName[];
  readonly minInSync: number;
}

/**
 * Where a shard's document differs from the file, as sentences (rule C5): the document holds. Who leads is no difference: that
 * changes by itself.
 */
export function documentDifferences(shard: Shard, fileMinInSync: number, document: ShardPlacement): string[] {
  const listed = shard.members.map(({ node }) => node);
  const onlyFile = listed.filter((node) => !document.members.includes(node));
  const onlyDocument = document.members.filter((node) => !listed.includes(node));
  const isSame = fileMinInSync === document.minInSync;
  return [
    ...onlyFile.map((node) => `${node} is in the file, but no member by the coordinator (kv member add)`),
    ...onlyDocument.map((node) => `${node} is a member by the coordinator, but not in the file (kv member remove)`),
    ...(isSame
      ? []
      : [`min_in_sync is ${fileMinInSync} in the file, and ${document.minInSync} by the coordinator (kv member)`]),
  ];
}
