import { styleText } from "node:util";
import type { MemberStatus, ReplicaStatus } from "../model/status.ts";
import type { ClusterStatus, ShardStatus } from "../node/gateway.ts";
import { countOf, formatBytes, formatCount, formatMs } from "./quantities.ts";
import { renderTable } from "./text-table.ts";

const HEAD = [
  "SHARD",
  "NODE",
  "ROLE",
  "IN SYNC",
  "EPOCH",
  "SEQUENCE",
  "LAG",
  "KEYS",
  "TREE",
  "LOG",
  "READS/S",
  "WRITES/S",
  "",
] as const;
const RIGHT_ALIGNED: ReadonlySet<number> = new Set([4, 5, 7, 8, 9, 10, 11]);

type Member = ShardStatus["members"][number];

/** What `kv status` prints: one line a node, then totals, then what an operator should know. */
export function renderStatus(status: ClusterStatus): string {
  const { cluster, replication, answeredBy } = status;
  const rows = status.shards.flatMap((shard) =>
    shard.members.map((member, index) => memberRow(shard, member, index === 0)),
  );
  return [
    `cluster ${styleText("bold", cluster)}, ${arbiterOf(status)}, ${replication} replication (asked ${answeredBy})`,
    "",
    ...renderTable([HEAD.map((title) => styleText("dim", title)), ...rows], RIGHT_ALIGNED),
    "",
    totalsLine(status),
    ...warningLines(status),
  ].join("\n");
}

function arbiterOf({ coordinator, coordinatorTrouble }: ClusterStatus): string {
  if (coordinator === "static") return "static topology";
  return `${coordinator} coordinator (${coordinatorTrouble === null ? "answers" : styleText("red", "in trouble")})`;
}

function memberRow(shard: ShardStatus, member: Member, isFirst: boolean): string[] {
  const name = isFirst ? styleText("bold", shard.shard) : "";
  if (!member.reachable) return [name, member.node, styleText("red", "does not answer")];
  const isLeader = member.role === "leader";
  return [
    name,
    member.node,
    isLeader ? styleText("green", "leader") : member.role === "replica" ? "replica" : styleText("red", "no role"),
    inSyncOf(shard, member),
    String(member.epoch),
    formatCount(member.lastSequence),
    isLeader ? "" : lagOf(member, replicaAsLeaderKnowsIt(shard, member)),
    formatCount(member.keyCount),
    formatBytes(member.treeLiveBytes),
    formatBytes(member.logBytes),
    formatCount(member.readsPerSecond),
    formatCount(member.writesPerSecond),
    member.ready ? "" : styleText("yellow", member.state),
  ];
}

/** By the leader, or, while there is none, by the newest document that a member has read. */
function inSyncOf({ inSync, members }: ShardStatus, { node }: MemberStatus): string {
  const documents = members.flatMap((member) => (member.reachable ? (member.document ?? []) : []));
  const [newest] = documents.sort((a, b) => b.epoch - a.epoch || b.version - a.version);
  const set = inSync.length > 0 ? inSync : (newest?.inSync ?? []);
  if (set.length === 0) return styleText("yellow", "?");
  return set.includes(node) ? "yes" : styleText("yellow", "no");
}

function replicaAsLeaderKnowsIt(shard: ShardStatus, member: MemberStatus): ReplicaStatus | undefined {
  const leader = shard.members.find((other) => other.node === shard.leader);
  if (leader === undefined || !leader.reachable) return undefined;
  return leader.replicas.find((replica) => replica.node === member.node);
}

/** The leader knows its own log end better than a replica that may be cut off from it. */
function lagOf(member: MemberStatus, known: ReplicaStatus | undefined): string {
  const { lagEntries, lagMs } = known ?? member;
  // Not behind what it last heard of; what there has been since it does not know.
  if (known === undefined && lagEntries === 0 && lagMs > 0) return styleText("yellow", `? since ${formatMs(lagMs)}`);
  const text = lagEntries === 0 ? "0" : `${countOf(lagEntries, "entry")}, ${formatMs(lagMs)}`;
  if (known !== undefined && !known.connected) return styleText("red", `${text} (not connected)`);
  return lagEntries === 0 ? text : styleText("yellow", text);
}

function totalsLine(status: ClusterStatus): string {
  // Without its leader a shard is still counted by the copy that has most.
  const leaders = status.shards.flatMap((shard) => {
    const members = shard.members.filter((member) => member.reachable).sort((a, b) => b.lastSequence - a.lastSequence);
    return members.find((member) => member.node === shard.leader) ?? members[0] ?? [];
  });
  const sum = (read: (member: MemberStatus) => number): number =>
    leaders.reduce((total, member) => total + read(member), 0);
  const keys = countOf(
    sum((member) => member.keyCount),
    "key",
  );
  const bytes = formatBytes(sum((member) => member.treeLiveBytes));
  const rates = `${formatCount(sum((m) => m.readsPerSecond))} reads/s, ${formatCount(sum((m) => m.writesPerSecond))} writes/s`;
  // Keys are counted in the tree, where writes arrive within seconds.
  const newest = sum((member) => Math.max(0, member.lastSequence - member.appliedSequence));
  const uncounted = newest === 0 ? "" : ` and ${countOf(newest, "write")} not counted yet`;
  return `${keys} in ${bytes}${uncounted} · ${rates} · fullest shard ${status.imbalance.toFixed(2)} × the mean`;
}

function warningLines(status: ClusterStatus): string[] {
  const { coordinatorTrouble: trouble } = status;
  const warnings = status.shards.flatMap(({ shard, warnings: found }) => found.map((text) => `${shard}: ${text}`));
  if (trouble !== null) warnings.unshift(`coordinator: ${trouble}`);
  return warnings.map((warning) => styleText("yellow", `! ${warning}`));
}
