import type { Gateway } from "../node/gateway.ts";
import type { MemberStatus, ReplicaStatus } from "../model/status.ts";
import { type MetricFamily, type MetricSource, singleMetric } from "./metric-family.ts";

const ROLES = ["leader", "replica", "none"] as const;

/** What this node's member tells of itself, as metrics. */
export function memberMetrics(gateway: Gateway): MetricSource {
  return () => {
    const status = gateway.memberStatus();
    return [roleFamily(status), ...ownFamilies(status), ...replicaFamilies(status.replicas)];
  };
}

function roleFamily({ role }: MemberStatus): MetricFamily {
  return {
    name: "kv_shard_role",
    help: "1 for the role that this member has",
    kind: "gauge",
    labelNames: ["role"],
    samples: ROLES.map((name) => ({ labels: { role: name }, value: name === role ? 1 : 0 })),
  };
}

function ownFamilies(status: MemberStatus): MetricFamily[] {
  return [
    gauge("kv_shard_ready", "1 when this member serves as it should", status.ready ? 1 : 0),
    gauge("kv_shard_read_only", "1 when this member takes no writes", status.readOnlyReason === null ? 0 : 1),
    gauge("kv_shard_epoch", "The leadership that this member follows or has", status.epoch),
    gauge("kv_shard_last_sequence", "Newest entry in the log", status.lastSequence),
    gauge("kv_shard_durable_sequence", "Newest entry on disk", status.durableSequence),
    gauge("kv_shard_commit_sequence", "Newest committed entry", status.commitSequence),
    gauge("kv_shard_applied_sequence", "Newest entry in the tree", status.appliedSequence),
    gauge("kv_shard_lag_entries", "Entries behind the leader's log; 0 on a leader", status.lagEntries),
    gauge("kv_shard_lag_seconds", "Time behind the leader; 0 on a leader", status.lagMs / 1000),
    counter("kv_shard_unknown_outcomes_total", "Writes led here whose fate was left open", status.unknownOutcomes),
    counter("kv_shard_lease_refusals_total", "Reads refused for want of a lease or a proof", status.leaseRefusals),
    gauge("kv_shard_keys", "Keys stored", status.keyCount),
    gauge("kv_shard_log_bytes", "Size of the log", status.logBytes),
    gauge("kv_shard_tree_file_bytes", "Size of the tree's file", status.treeFileBytes),
    gauge("kv_shard_tree_live_bytes", "Bytes of the tree's file that are in use", status.treeLiveBytes),
    gauge("kv_shard_memtable_bytes", "What the tree does not have yet", status.memtableBytes),
    gauge("kv_shard_disk_free_bytes", "Room left on the data directory's disk", status.diskFreeBytes),
  ];
}

function replicaFamilies(replicas: readonly ReplicaStatus[]): MetricFamily[] {
  const family = (name: string, help: string, valueOf: (replica: ReplicaStatus) => number): MetricFamily => ({
    name,
    help,
    kind: "gauge",
    labelNames: ["replica"],
    samples: replicas.map((replica) => ({ labels: { replica: replica.node }, value: valueOf(replica) })),
  });
  return [
    family("kv_replica_connected", "1 when the replica has a session", ({ connected }) => (connected ? 1 : 0)),
    family("kv_replica_in_sync", "1 when the replica is in the in-sync set", ({ inSync }) => (inSync ? 1 : 0)),
    family("kv_replica_durable_sequence", "Newest entry that the replica has flushed", (r) => r.durableSequence),
    family("kv_replica_lag_entries", "Entries that the replica has not flushed", (r) => r.lagEntries),
    family("kv_replica_lag_seconds", "Age of the oldest entry it has not flushed", (r) => r.lagMs / 1000),
  ];
}

function counter(name: string, help: string, value: number): MetricFamily {
  return singleMetric("counter", name, { help, value });
}

function gauge(name: string, help: string, value: number): MetricFamily {
  return singleMetric("gauge", name, { help, value });
}
