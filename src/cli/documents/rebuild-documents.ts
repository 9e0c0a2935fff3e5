import { setTimeout as sleep } from "node:timers/promises";
import { SystemRandom } from "../../base/random.ts";
import { NO_REVISION } from "../../coordinator/coordinator.ts";
import type { ShardDocument } from "../../model/shard-document.ts";
import type { Shard } from "../../model/topology.ts";
import type { NodeAccount } from "../../node/gateway.ts";
import type { ClusterConfig } from "../../server/config.ts";
import { CommandFailure } from "../command-failure.ts";
import { type ClusterDocuments, readDocuments, type StoredShard, writeFrame, writeShard } from "./cluster-documents.ts";
import type { CoordinatorSession } from "./coordinator-session.ts";
import { firstDocument } from "./first-document.ts";
import type { MadeDocument } from "./make-documents.ts";
import { collectAccounts } from "./node-accounts.ts";
import { restoredDocument } from "./restored-document.ts";

export interface RebuildOptions {
  /** Goes on without members that do not answer. */
  readonly forces: boolean;
  readonly waitMs: number;
}

/** A leader that reads that its document is gone stops to lead within a second or two. */
const STEP_DOWN_MS_MAX = 6000;
const PAUSE_MS = 250;

/**
 * Makes the documents anew from what the nodes have seen, for a coordinator whose data were lost or restored from a backup (§2.14):
 * one epoch above all that any node knows. A document that is as new as the nodes' knowledge stays; in place of one that makes no
 * sense, whose leader goes on leading, stands afterwards what the leader goes by. Throws CommandFailure when a member does not answer (unless forced), still leads, or when the coordinator is another cluster's.
 */
export async function rebuildDocuments(
  session: CoordinatorSession,
  config: ClusterConfig,
  options: RebuildOptions,
): Promise<readonly MadeDocument[]> {
  const { cluster, shards } = config.topology;
  const present = await readDocuments(session, config);
  const accounts = await accountsAtRest(config, present, options);
  const clusterId = clusterIdOf([...accounts.values()], present);
  const random = new SystemRandom();
  const refusals: string[] = [];
  const made: (MadeDocument & { readonly revision: string })[] = [];
  for (const shard of shards) {
    const stored = present.shards.get(shard.name) ?? null;
    const own = accountsOf(shard, accounts);
    if (isInForce(stored, own)) continue;
    const parts = {
      shard,
      accounts: own,
      minInSync: config.minInSync,
      forces: options.forces,
      token: `rebuild/${random.uuid()}`,
    };
    const restored = makesNoSense(stored) ? restoredDocument(parts) : null;
    const outdated = stored?.document ?? null;
    const document =
      restored ?? firstDocument({ ...parts, adopts: true, present: outdated, cause: "restart", term: random.hex64() });
    if ("refusal" in document) refusals.push(document.refusal);
    else made.push({ shard: shard.name, document, revision: stored?.revision ?? NO_REVISION });
  }
  if (refusals.length > 0) {
    throw new CommandFailure(
      [...refusals, "nothing was written; --force goes on without members that are gone for good"].join("\n  "),
    );
  }
  await writeFrame(session, config, { present, clusterId });
  for (const { shard, document, revision } of made) await writeShard(session, { cluster, shard, revision }, document);
  return made;
}

/** The accounts, once nobody leads any more of those shards that need a document. */
async function accountsAtRest(
  config: ClusterConfig,
  present: ClusterDocuments,
  { waitMs }: RebuildOptions,
): Promise<ReadonlyMap<string, NodeAccount>> {
  const endMs = performance.now() + STEP_DOWN_MS_MAX;
  for (;;) {
    const { accounts } = await collectAccounts(config, waitMs);
    const isLed = config.topology.shards.some((shard) => {
      const own = accountsOf(shard, accounts);
      const stored = present.shards.get(shard.name) ?? null;
      // Nobody stops to lead because of a document that makes no sense.
      const isNeeded = !isInForce(stored, own) && !makesNoSense(stored);
      return isNeeded && own.some(({ role }) => role === "leader");
    });
    if (!isLed || performance.now() > endMs) return accounts;
    await sleep(PAUSE_MS);
  }
}

function accountsOf(shard: Shard, accounts: ReadonlyMap<string, NodeAccount>): NodeAccount[] {
  return shard.members.flatMap(({ node }) => accounts.get(node) ?? []);
}

function makesNoSense(stored: StoredShard | null): boolean {
  return stored !== null && stored.document === null;
}

/** Whether the nodes go by this document: nobody has seen a newer one. */
function isInForce(stored: StoredShard | null, accounts: readonly NodeAccount[]): boolean {
  const document: ShardDocument | null = stored?.document ?? null;
  if (document === null) return false;
  return accounts.every(({ seenEpoch, leadership }) => {
    if (seenEpoch > document.epoch) return false;
    if (leadership === null || leadership.epoch < document.epoch) return true;
    return leadership.term === document.term && leadership.setVersion <= document.version;
  });
}

/** The cluster is what its nodes say it is. */
function clusterIdOf(accounts: readonly NodeAccount[], { meta }: ClusterDocuments): string {
  const [known, other] = new Set(accounts.flatMap(({ clusterId }) => clusterId ?? []));
  if (other !== undefined) {
    throw new CommandFailure(`Nodes belong to different clusters of this name: ${known} and ${other}`);
  }
  if (meta !== null && known !== undefined && known !== meta.clusterId) {
    throw new CommandFailure(
      `The coordinator has the documents of another cluster of this name (${meta.clusterId}, the nodes' is ${known}): use an empty one, or the right one`,
    );
  }
  return meta?.clusterId ?? known ?? new SystemRandom().uuid();
}
