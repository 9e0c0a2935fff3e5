import type { NodeName } from "../model/position.ts";
import type { Shard, Topology } from "../model/topology.ts";
import type { CoordinatorSight } from "./coordinator-sight.ts";
import type { ClusterStatus, ShardStatus } from "./gateway.ts";
import type { KnownLeader } from "./local-member.ts";
import type { StatusAnswer } from "./peer-answer.ts";
import { shardWarnings } from "./shard-warnings.ts";

/** What a view of the cluster is made of: every node's answer, null where there was none. */
export interface ClusterAnswers {
  readonly topology: Topology;
  readonly answeredBy: NodeName;
  readonly sight: CoordinatorSight;
  readonly replication: "async" | "in-sync";
  readonly answers: ReadonlyMap<NodeName, StatusAnswer | null>;
}

/** Puts the members' accounts of themselves together. Pure. */
export function clusterView(parts: ClusterAnswers): ClusterStatus {
  const { topology, answeredBy, sight, replication } = parts;
  const shards = topology.shards.map((shard) => shardView(shard, parts));
  return {
    cluster: topology.cluster,
    answeredBy,
    coordinator: sight.kind,
    coordinatorTrouble: sight.trouble,
    replication,
    shards,
    imbalance: imbalanceOf(shards.map(keyCountOf)),
  };
}

function shardView(shard: Shard, { answers, sight }: ClusterAnswers): ShardStatus {
  const known = highestKnown(shard, answers);
  const statuses = shard.members.flatMap(({ node }) => answers.get(node)?.status ?? []);
  const leader = statuses.find((status) => status.role === "leader" && status.node === known.leader);
  return {
    shard: shard.name,
    index: shard.index,
    leader: known.leader,
    epoch: known.epoch,
    inSync:
      leader === undefined ? [] : [leader.node, ...leader.replicas.filter((one) => one.inSync).map((one) => one.node)],
    members: shard.members.map(({ node }) => {
      const status = answers.get(node)?.status;
      return status === undefined ? { node, reachable: false as const } : { ...status, reachable: true as const };
    }),
    warnings: shardWarnings({ shard, known, statuses, sight }),
  };
}

function highestKnown(shard: Shard, answers: ClusterAnswers["answers"]): KnownLeader {
  let highest: KnownLeader = { epoch: 0, term: "", leader: null };
  for (const { node } of shard.members) {
    const known = answers.get(node)?.known;
    if (known === undefined || known.leader === null) continue;
    if (highest.leader === null || known.epoch > highest.epoch) highest = known;
  }
  return highest;
}

/** The leader's count, else the largest that any member tells. */
function keyCountOf(shard: ShardStatus): number {
  const statuses = shard.members.filter((member) => member.reachable);
  const leader = statuses.find((status) => status.node === shard.leader);
  return leader?.keyCount ?? Math.max(0, ...statuses.map((status) => status.keyCount));
}

function imbalanceOf(keyCounts: readonly number[]): number {
  const total = keyCounts.reduce((sum, count) => sum + count, 0);
  return total === 0 ? 1 : (Math.max(...keyCounts) * keyCounts.length) / total;
}
