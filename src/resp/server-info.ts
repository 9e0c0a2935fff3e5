import { REDIS_VERSION } from "./redis-version.ts";
import type { CommandContext } from "./command.ts";

type Fields = readonly (readonly [name: string, value: string | number])[];

const SECTIONS: Readonly<Record<string, (context: CommandContext) => Fields>> = {
  Server: ({ server, clock, gateway }) => {
    const seconds = Math.floor((clock.nowMs() - server.startedMs) / 1000);
    return [
      ["redis_version", REDIS_VERSION],
      ["redis_mode", "standalone"],
      ["server_name", "shardkv"],
      ["node", gateway.node],
      ["tcp_port", server.address.slice(server.address.lastIndexOf(":") + 1)],
      ["uptime_in_seconds", seconds],
      ["uptime_in_days", Math.floor(seconds / 86_400)],
    ];
  },
  Clients: ({ server }) => [
    ["connected_clients", [...server.sessions()].length],
    ["blocked_clients", 0],
  ],
  Memory: ({ gateway }) => [
    ["memtable_bytes", gateway.memberStatus().memtableBytes],
    ["maxmemory", 0],
    ["maxmemory_policy", "noeviction"],
  ],
  Persistence: ({ gateway }) => {
    const status = gateway.memberStatus();
    return [
      // Clients wait for this to be 0 before they send anything.
      ["loading", status.role === "none" ? 1 : 0],
      ["aof_enabled", 1],
      ["log_bytes", status.logBytes],
      ["tree_bytes", status.treeFileBytes],
    ];
  },
  Stats: ({ server, gateway }) => {
    const status = gateway.memberStatus();
    return [
      ["total_connections_received", server.connectionsReceived],
      ["instantaneous_ops_per_sec", Math.round(status.readsPerSecond + status.writesPerSecond)],
    ];
  },
  Replication: ({ gateway }) => {
    const { role, replicas, epoch, durableSequence, lagEntries } = gateway.memberStatus();
    return [
      // Any node takes any command: for a client each of them is a master.
      ["role", "master"],
      ["connected_slaves", replicas.filter((replica) => replica.connected).length],
      ["member_role", role],
      ["epoch", epoch],
      ["durable_sequence", durableSequence],
      ["lag_entries", lagEntries],
    ];
  },
  Keyspace: ({ gateway }) => {
    const { keyCount } = gateway.memberStatus();
    return keyCount === 0 ? [] : [["db0", `keys=${keyCount},expires=0,avg_ttl=0`]];
  },
};

const EVERYTHING: ReadonlySet<string> = new Set(["default", "all", "everything"]);

/** What INFO says: the sections asked for (all when none is), in the format that clients take apart. */
export function serverInfo(wanted: readonly string[], context: CommandContext): string {
  const isAll = wanted.length === 0 || wanted.some((name) => EVERYTHING.has(name));
  const parts = Object.entries(SECTIONS).flatMap(([title, fieldsOf]) => {
    if (!isAll && !wanted.includes(title.toLowerCase())) return [];
    const lines = fieldsOf(context).map(([name, value]) => `${name}:${value}\r\n`);
    return [`# ${title}\r\n${lines.join("")}`];
  });
  return parts.join("\r\n");
}
