import type { DocumentView, MemberStatus, PromotionReport, ReplicaStatus } from "../model/status.ts";
import type { ClusterStatus, Explanation, ShardStatus } from "../node/gateway.ts";
import { KvError } from "../model/errors.ts";
import { keyOfBytes } from "../model/key.ts";
import type { JsonMembers } from "./json-members.ts";

/** Reads the answer of `/v1/cluster`. Throws PROTOCOL. */
export function readClusterStatus(members: JsonMembers): ClusterStatus {
  return {
    cluster: members.text("cluster"),
    answeredBy: members.text("answered_by"),
    coordinator: readCoordinatorKind(members),
    coordinatorTrouble: members.textOrNull("coordinator_trouble"),
    replication: readReplication(members),
    shards: members.objects("shards", readShard),
    imbalance: members.number("imbalance"),
  };
}

/** Reads the answer of `/v1/explain`. Throws PROTOCOL. */
export function readExplanation(members: JsonMembers): Explanation {
  return {
    key: keyOfBytes(members.bytes("key")),
    hash: members.text("hash"),
    slot: members.number("slot"),
    shard: members.text("shard"),
    leader: members.textOrNull("leader"),
    copies: members.objects("copies", (copy) => ({
      node: copy.text("node"),
      role: readRole(copy),
      reachable: copy.flag("reachable"),
      version: copy.numberOrNull("version"),
      lagEntries: copy.number("lag_entries"),
      lagMs: copy.number("lag_ms"),
    })),
  };
}

/** Reads the answer of `/v1/promote`. Throws PROTOCOL. */
export function readPromotionReport(members: JsonMembers): PromotionReport {
  return {
    shard: members.text("shard"),
    node: members.text("node"),
    done: members.flag("done"),
    ledAlready: members.flag("led_already"),
    findings: members.texts("findings"),
    refusal: members.textOrNull("refusal"),
    epoch: members.number("epoch"),
    missingEntries: members.number("missing_entries"),
  };
}

function readShard(shard: JsonMembers): ShardStatus {
  return {
    shard: shard.text("shard"),
    index: shard.number("index"),
    leader: shard.textOrNull("leader"),
    epoch: shard.number("epoch"),
    inSync: shard.texts("in_sync"),
    members: shard.objects("members", readMember),
    warnings: shard.texts("warnings"),
  };
}

function readMember(member: JsonMembers): ShardStatus["members"][number] {
  if (!member.flag("reachable")) return { node: member.text("node"), reachable: false };
  return { ...readMemberStatus(member), reachable: true };
}

function readMemberStatus(member: JsonMembers): MemberStatus {
  return {
    node: member.text("node"),
    role: readRole(member),
    state: member.text("state"),
    ready: member.flag("ready"),
    epoch: member.number("epoch"),
    store: member.text("store"),
    lastSequence: member.number("last_sequence"),
    durableSequence: member.number("durable_sequence"),
    commitSequence: member.number("commit_sequence"),
    appliedSequence: member.number("applied_sequence"),
    lagEntries: member.number("lag_entries"),
    lagMs: member.number("lag_ms"),
    keyCount: member.number("key_count"),
    logBytes: member.number("log_bytes"),
    treeFileBytes: member.number("tree_file_bytes"),
    treeLiveBytes: member.number("tree_live_bytes"),
    memtableBytes: member.number("memtable_bytes"),
    diskFreeBytes: member.number("disk_free_bytes"),
    readOnlyReason: member.textOrNull("read_only_reason"),
    discardedEntriesFile: member.textOrNull("discarded_entries_file"),
    readsPerSecond: member.number("reads_per_second"),
    writesPerSecond: member.number("writes_per_second"),
    unknownOutcomes: member.number("unknown_outcomes"),
    leaseRefusals: member.number("lease_refusals"),
    replicas: member.objects("replicas", readReplica),
    document: member.isNull("document") ? null : readDocument(member.object("document")),
    documentFault: member.textOrNull("document_fault"),
  };
}

function readDocument(document: JsonMembers): DocumentView {
  return {
    epoch: document.number("epoch"),
    version: document.number("version"),
    leader: document.text("leader"),
    inSync: document.texts("in_sync"),
    members: document.texts("members"),
    minInSync: document.number("min_in_sync"),
  };
}

function readReplica(replica: JsonMembers): ReplicaStatus {
  return {
    node: replica.text("node"),
    inSync: replica.flag("in_sync"),
    connected: replica.flag("connected"),
    durableSequence: replica.number("durable_sequence"),
    lagEntries: replica.number("lag_entries"),
    lagMs: replica.number("lag_ms"),
  };
}

export function readRole(members: JsonMembers): MemberStatus["role"] {
  const role = members.text("role");
  if (role === "leader" || role === "replica" || role === "none") return role;
  throw new KvError("PROTOCOL", `A node has the role "${role}", which this version does not know`);
}

/** Throws PROTOCOL. */
export function readCoordinatorKind(members: JsonMembers): ClusterStatus["coordinator"] {
  const kind = members.text("coordinator");
  if (kind === "static" || kind === "embedded" || kind === "etcd") return kind;
  throw new KvError("PROTOCOL", `The cluster has the coordinator "${kind}", which this version does not know`);
}

function readReplication(members: JsonMembers): ClusterStatus["replication"] {
  const replication = members.text("replication");
  if (replication === "async" || replication === "in-sync") return replication;
  throw new KvError("PROTOCOL", `The cluster has the replication "${replication}", which this version does not know`);
}
