import { isSameStore } from "../../model/leadership.ts";
import type { StoreRef } from "../../model/position.ts";
import type { ShardDocument } from "../../model/shard-document.ts";
import type { MemberAccount } from "../../model/status.ts";
import type { Shard } from "../../model/topology.ts";
import { type DocumentRefusal, silenceOf } from "./first-document.ts";

export interface RestoredDocumentParts {
  readonly shard: Shard;
  /** Of the members that answered. */
  readonly accounts: readonly MemberAccount[];
  readonly minInSync: number;
  /** Goes on without members that did not answer, whatever they have seen. */
  readonly forces: boolean;
  readonly token: string;
}

/**
 * The document of a shard that is led on although what stands at the coordinator in its place makes no sense: as the leader knows it,
 * in its epoch, so that nothing changes for anybody (rule C5). The leader can have changed nothing since, for its swaps are refused,
 * and waits for whatever set may be in force. Null when nobody leads, or somebody has seen a later leadership: then it has to be made
 * anew. A member that does not answer may be that somebody. Pure.
 */
export function restoredDocument(parts: RestoredDocumentParts): ShardDocument | DocumentRefusal | null {
  const { shard, accounts, minInSync, forces, token } = parts;
  const leader = accounts.find(({ role }) => role === "leader");
  const leadership = leader?.leadership ?? null;
  if (leader === undefined || leadership === null || !isSameStore(leadership.leader, leader.store)) return null;
  const { epoch, term, lineage, setVersion } = leadership;
  const isLatest = accounts.every((one) => one.seenEpoch < epoch || (one.seenEpoch === epoch && one.seenTerm === term));
  const inSync = leadership.inSync.flatMap(({ node, store, generation }): StoreRef[] =>
    store === null ? [] : [{ node, store, generation }],
  );
  if (!isLatest || inSync.length < leadership.inSync.length) return null;
  const members = shard.members.map(({ node }) => node);
  const silent = members.filter((node) => !accounts.some(({ store }) => store.node === node));
  if (silent.length > 0 && !forces) return { refusal: silenceOf(shard, silent), silent };
  return {
    version: setVersion + 1,
    epoch,
    term,
    leader: leader.store,
    inSync,
    members,
    minInSync,
    lineage,
    token,
    cause: "members",
  };
}
