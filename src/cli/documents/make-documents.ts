import { SystemRandom } from "../../base/random.ts";
import { NO_REVISION } from "../../coordinator/coordinator.ts";
import type { NodeName } from "../../model/position.ts";
import type { ShardDocument } from "../../model/shard-document.ts";
import type { NodeAccount } from "../../node/gateway.ts";
import type { ClusterConfig } from "../../server/config.ts";
import { CommandFailure } from "../command-failure.ts";
import { type ClusterDocuments, readDocuments, writeFrame, writeShard } from "./cluster-documents.ts";
import type { CoordinatorSession } from "./coordinator-session.ts";
import { type DocumentRefusal, firstDocument } from "./first-document.ts";
import { collectAccounts } from "./node-accounts.ts";

export interface MakeOptions {
  /** Takes over data that the members hold from static mode. */
  readonly adopts: boolean;
  /** How long members may take to answer. */
  readonly waitMs: number;
}

/** A shard whose document was made, and what it says. */
export interface MadeDocument {
  readonly shard: string;
  readonly document: ShardDocument;
}

/** Nothing stands in the way but members that do not answer: they may soon. */
export class MembersSilent extends CommandFailure {
  override readonly name: string = "MembersSilent";
  readonly silent: readonly NodeName[];

  constructor(message: string, silent: readonly NodeName[]) {
    super(message);
    this.silent = silent;
  }
}

/** The members have gone by documents that are not there any more: others may only be made by who knows why. */
export class DocumentsGone extends CommandFailure {
  override readonly name: string = "DocumentsGone";
}

/**
 * Makes the documents that a cluster does not have yet (rule C5): none when it has all, what is missing when an earlier run did not
 * get to its end. Nothing is written unless every missing one can be. Throws CommandFailure, MembersSilent or DocumentsGone with the reasons otherwise, UNREACHABLE
 * while the coordinator does not answer.
 */
export async function makeDocuments(
  session: CoordinatorSession,
  config: ClusterConfig,
  options: MakeOptions,
): Promise<readonly MadeDocument[]> {
  const { cluster, shards } = config.topology;
  const present = await readDocuments(session, config);
  const missing = shards.filter(({ name }) => !present.shards.has(name));
  if (present.meta !== null && present.hasSlotMap && missing.length === 0) return [];
  const { accounts } = await collectAccounts(config, options.waitMs);
  const clusterId = clusterIdOf([...accounts.values()], present);
  const random = new SystemRandom();
  const refusals: DocumentRefusal[] = [];
  const made = missing.flatMap((shard): MadeDocument[] => {
    const document = firstDocument({
      shard,
      accounts: shard.members.flatMap(({ node }) => accounts.get(node) ?? []),
      minInSync: config.minInSync,
      adopts: options.adopts,
      forces: false,
      present: null,
      cause: "create",
      term: random.hex64(),
      token: `init/${random.uuid()}`,
    });
    if (!("refusal" in document)) return [{ shard: shard.name, document }];
    refusals.push(document);
    return [];
  });
  if (refusals.length > 0) throw failureOf(refusals, options.adopts);
  await writeFrame(session, config, { present, clusterId });
  for (const { shard, document } of made) {
    await writeShard(session, { cluster, shard, revision: NO_REVISION }, document);
  }
  return made;
}

/** What the members know of their cluster's documents must not be lost by making new ones. */
function clusterIdOf(accounts: readonly NodeAccount[], { meta }: ClusterDocuments): string {
  const known = accounts.find(({ clusterId }) => clusterId !== null && clusterId !== meta?.clusterId);
  if (known === undefined) return meta?.clusterId ?? new SystemRandom().uuid();
  const what = meta === null ? "has none of them any more" : "has those of another cluster of this name";
  throw new DocumentsGone(
    `${known.store.node} has gone by documents of this cluster, and the coordinator ${what}: is it the right one? If its data are lost: kv coordinator rebuild`,
  );
}

function failureOf(refusals: readonly DocumentRefusal[], adopts: boolean): CommandFailure {
  const advice = adopts
    ? "no document was made"
    : "no document was made; data of static mode are taken over with: kv init --adopt";
  const message = [...refusals.map(({ refusal }) => refusal), advice].join("\n  ");
  const areSilent = refusals.every(({ silent }) => silent.length > 0);
  const everySilent = refusals.flatMap(({ silent }) => silent);
  return areSilent ? new MembersSilent(message, everySilent) : new CommandFailure(message);
}
