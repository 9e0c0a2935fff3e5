import { SystemRandom } from "../../base/random.ts";
import { shardKey } from "../../model/document-keys.ts";
import { encodeShardDocument, type ShardDocument } from "../../model/shard-document.ts";
import type { NodeName } from "../../model/position.ts";
import type { Shard } from "../../model/topology.ts";
import type { ClusterConfig } from "../../server/config.ts";
import { CommandFailure } from "../command-failure.ts";
import { readDocuments } from "./cluster-documents.ts";
import type { CoordinatorSession } from "./coordinator-session.ts";

export interface MemberChange {
  readonly kind: "add" | "remove";
  readonly shard: Shard;
  readonly node: NodeName;
}

/** The members of a shard as a change wants them, null when they are so already; or why not, as a sentence without its end. */
export type ChangedMembers = { readonly members: readonly NodeName[] } | { readonly refusal: string } | null;

const ATTEMPTS_MAX = 10;

/**
 * Changes who belongs to a shard, and takes the file's `min_in_sync` over (§2.4, "members"): only that, whatever else happens to the
 * document meanwhile. False when both were so already. Throws CommandFailure when it must not be.
 */
export async function changeMembers(
  session: CoordinatorSession,
  config: ClusterConfig,
  change: MemberChange,
): Promise<boolean> {
  const { cluster } = config.topology;
  const { name } = change.shard;
  const random = new SystemRandom();
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const stored = (await readDocuments(session, config)).shards.get(name);
    const document = stored?.document ?? null;
    if (stored === undefined || document === null) {
      throw new CommandFailure(`The coordinator has no document of shard ${name} (kv init, or kv coordinator rebuild)`);
    }
    const changed = changedMembers({ ...document, minInSync: config.minInSync }, change);
    if (changed === null && document.minInSync === config.minInSync) return false;
    if (changed !== null && "refusal" in changed) throw new CommandFailure(changed.refusal);
    const { members } = changed ?? document;
    const next: ShardDocument = {
      ...document,
      members,
      minInSync: config.minInSync,
      version: document.version + 1,
      token: `members/${random.uuid()}`,
      cause: "members",
    };
    if (await session.swap(shardKey(cluster, name), stored.revision, encodeShardDocument(next))) return true;
  }
  throw new CommandFailure(`The document of shard ${name} changes all the time; look at kv status, then repeat`);
}

/** Pure. */
export function changedMembers(document: ShardDocument, { kind, shard, node }: MemberChange): ChangedMembers {
  const { members, leader, minInSync } = document;
  const isMember = members.includes(node);
  const isListed = shard.members.some((listed) => listed.node === node);
  if (!isMember && !isListed && kind === "remove") {
    return {
      refusal: `${node} is no member of shard ${shard.name}, nor in the file: its members are ${members.join(", ")}`,
    };
  }
  if (isMember === (kind === "add")) return null;
  if (kind === "add") {
    if (isListed) return { members: [...members, node] };
    return {
      refusal: `${node} is no replica of shard ${shard.name} in the file: nodes find each other by it, so write it there first`,
    };
  }
  if (leader.node === node) {
    return {
      refusal: `${node} leads shard ${shard.name}: hand its leadership over first (kv handover --shard ${shard.name} --node …)`,
    };
  }
  const left = members.filter((member) => member !== node);
  if (left.length < minInSync) {
    return { refusal: `Shard ${shard.name} needs ${minInSync} copies (min_in_sync), and would have ${left.length}` };
  }
  return { members: left };
}
