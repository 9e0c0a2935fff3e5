import type { NodeName } from "../model/position.ts";
import type { DocumentView, MemberStatus } from "../model/status.ts";
import type { Shard, Topology } from "../model/topology.ts";
import type { ClusterStatus, ShardStatus } from "./gateway.ts";
import type { KnownLeader } from "./local-member.ts";
import type { StatusAnswer } from "./peer-answer.ts";

/** What a view of the cluster is made of: every node's answer, null where there was none. */
export interface ClusterAnswers {
  readonly topology: Topology;
  readonly answeredBy: NodeName;
  readonly coordinator: ClusterStatus["coordinator"];
  readonly coordinatorTrouble: string | null;
  readonly replication: "async" | "in-sync";
  readonly answers: ReadonlyMap<NodeName, StatusAnswer | null>;
}

/** Puts the members' accounts of themselves together. Pure. */
export function clusterView(parts: ClusterAnswers): ClusterStatus {
  const { topology, answeredBy, coordinator, coordinatorTrouble, replication, answers } = parts;
  const shards = topology.shards.map((shard) => shardView(shard, answers, coordinator === "static"));
  return {
    cluster: topology.cluster,
    answeredBy,
    coordinator,
    coordinatorTrouble,
    replication,
    shards,
    imbalance: imbalanceOf(shards.map(keyCountOf)),
  };
}

function shardView(shard: Shard, answers: ClusterAnswers["answers"], isStatic: boolean): ShardStatus {
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
    warnings: isStatic
      ? [...warningsOfFile(shard, known, statuses), ...warningsOfMembers(statuses)]
      : [...warningsOfDocument(shard, known, statuses), ...warningsOfMembers(statuses)],
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

/** In static mode: the operator decides who leads, and has to be told when somebody else should. */
function warningsOfFile(shard: Shard, known: KnownLeader, statuses: readonly MemberStatus[]): string[] {
  const warnings: string[] = [];
  const named = shard.members[0]?.node ?? null;
  const { leader, epoch } = known;
  if (leader === null) warnings.push(`No member of shard ${shard.name} that answers knows a leader`);
  else if (leader !== named) {
    warnings.push(
      `The configuration file names ${named} as leader; the members have stored ${leader} (epoch ${epoch})`,
    );
  }
  if (leader !== null && !statuses.some((status) => status.node === leader && status.role === "leader")) {
    const isThere = statuses.some((status) => status.node === leader);
    warnings.push(
      isThere
        ? `The leader ${leader} does not lead at the moment`
        : `The leader ${leader} does not answer; start it again, or promote another member (kv promote)`,
    );
  }
  return warnings;
}

/** With a coordinator members take over by themselves; who leads is no difference, who belongs to the shard is (rule C5). */
function warningsOfDocument(shard: Shard, { leader }: KnownLeader, statuses: readonly MemberStatus[]): string[] {
  const warnings: string[] = [];
  if (leader === null) warnings.push(`No member of shard ${shard.name} that answers knows a leader`);
  else if (!statuses.some((status) => status.node === leader && status.role === "leader")) {
    const isThere = statuses.some((status) => status.node === leader);
    const what = isThere ? "does not lead at the moment" : "does not answer";
    warnings.push(`The leader ${leader} ${what}; a member of the in-sync set takes over by itself`);
  }
  const document = newestDocument(statuses);
  if (document !== null) warnings.push(...differencesOf(shard, document));
  return warnings;
}

function newestDocument(statuses: readonly MemberStatus[]): DocumentView | null {
  const documents = statuses.flatMap(({ document }) => document ?? []);
  return documents.sort((a, b) => b.epoch - a.epoch || b.version - a.version)[0] ?? null;
}

function differencesOf(shard: Shard, document: DocumentView): string[] {
  const listed = shard.members.map(({ node }) => node);
  const onlyFile = listed.filter((node) => !document.members.includes(node));
  const onlyDocument = document.members.filter((node) => !listed.includes(node));
  return [
    ...onlyFile.map((node) => `${node} is in the file, but no member by the coordinator (kv member add)`),
    ...onlyDocument.map((node) => `${node} is a member by the coordinator, but not in the file of the node asked`),
  ];
}

function warningsOfMembers(statuses: readonly MemberStatus[]): string[] {
  const warnings: string[] = [];
  const leaders = statuses.filter((status) => status.role === "leader").map((status) => status.node);
  if (leaders.length > 1) warnings.push(`Several members lead at once: ${leaders.join(", ")}`);
  for (const status of statuses) {
    if (status.role === "none") warnings.push(`${status.node} has no role: ${status.state}`);
    if (status.readOnlyReason !== null) warnings.push(`${status.node} is read-only: ${status.readOnlyReason}`);
    if (status.discardedEntriesFile !== null) {
      warnings.push(`${status.node} keeps entries that it had to discard in ${status.discardedEntriesFile}`);
    }
  }
  return warnings;
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
