import { SystemRandom } from "../../../src/base/random.ts";
import { SystemClock } from "../../../src/base/system-clock.ts";
import type { SwapResult } from "../../../src/coordinator/coordinator.ts";
import { shardKey } from "../../../src/model/document-keys.ts";
import { encodeShardDocument } from "../../../src/model/shard-document.ts";
import type { ClusterConfig } from "../../../src/server/config.ts";
import { openCoordinator } from "../../../src/server/open-coordinator.ts";
import type { TestNode } from "../../cluster/support/test-node.ts";
import { memberView } from "../../cluster/support/copies.ts";

/** Makes the document of each shard, with the first member of the file as its leader. */
export async function makeFirstDocuments(config: ClusterConfig, nodes: readonly TestNode[]): Promise<void> {
  const { coordinator: kind, coordinatorSettings: settings, topology } = config;
  if (kind === "static" || settings === null) throw new Error("there is no coordinator");
  const random = new SystemRandom();
  const coordinator = openCoordinator(kind, settings, { clock: new SystemClock(), random });
  for (const shard of topology.shards) {
    const first = nodes.find(({ name }) => name === shard.members[0]?.node);
    if (first === undefined) throw new Error(`${shard.name} has no first member`);
    const { store = "" } = await memberView(first);
    const leader = { node: first.name, store, generation: 1 };
    const value = encodeShardDocument({
      version: 1,
      epoch: 1,
      term: random.hex64(),
      leader,
      inSync: [leader],
      members: shard.members.map(({ node }) => node),
      minInSync: 1,
      lineage: 0,
      token: "first",
      cause: "create",
    });
    const outcome = await new Promise<SwapResult>((resolve) => {
      coordinator.compareAndSwap(shardKey(topology.cluster, shard.name), { expectedRevision: "0", value }, resolve);
    });
    if (outcome.kind !== "accepted") throw new Error(`the document of ${shard.name}: ${JSON.stringify(outcome)}`);
  }
  coordinator.close();
}
