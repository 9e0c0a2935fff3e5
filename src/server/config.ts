import { readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { parse, TomlError } from "smol-toml";
import { KvError } from "../model/errors.ts";
import { freshSlotMap, Topology } from "../model/topology.ts";
import { findEndpointCollisions } from "./address-collisions.ts";
import { ConfigFaults } from "./config-faults.ts";
import { locateKeys } from "./config-lines.ts";
import { ConfigTable } from "./config-table.ts";
import { type CoordinatorKind, type CoordinatorSettings, readCoordinatorTable } from "./coordinator-table.ts";
import { PORT_MAX } from "./node-address.ts";
import { PLAIN_NAME, PLAIN_NAME_CLAIM } from "./plain-name.ts";
import { type FixedPorts, readShards } from "./shard-tables.ts";

/** What `sharding.toml` says, checked and complete with defaults. Immutable. */
export interface ClusterConfig {
  /** The file, as the user named it: for messages. */
  readonly path: string;
  readonly coordinator: CoordinatorKind;
  /** How to reach it; null when it is static. */
  readonly coordinatorSettings: CoordinatorSettings | null;
  readonly replication: "async" | "in-sync";
  /** Copies, the leader's included, without which a write in `in-sync` mode is refused. */
  readonly minInSync: number;
  readonly logRetainBytes: number;
  readonly logRetainBytesMax: number;
  readonly topology: Topology;
}

const FILE_BYTES_MAX = 1_048_576;
const PORT_BOUNDS = { min: 1, max: PORT_MAX } as const;
const MIB = 1_048_576;
const RETAIN_MB_MAX = 1_048_576;
const CLUSTER_NAME_DEFAULT = "default";
const LOG_RETAIN_MB_DEFAULT = 256;
const LOG_RETAIN_MB_MAX_DEFAULT = 1024;

/**
 * Reads and checks a configuration file. Throws CONFIG_INVALID whose message has one line a fault, each with the file,
 * the line where it is known, the key and the value.
 */
export function loadConfig(path: string): ClusterConfig {
  return parseConfig(readText(path), path);
}

/** Checks the text of a configuration file; `path` only appears in messages. Throws as loadConfig does. */
export function parseConfig(text: string, path: string): ClusterConfig {
  const faults = new ConfigFaults(path, locateKeys(text));
  const file = new ConfigTable("", parseToml(text, path), faults);
  const cluster = readCluster(file.table("cluster") ?? new ConfigTable("cluster", {}, faults));
  const coordinatorTable = file.table("coordinator");
  const coordinatorSettings =
    cluster.coordinator === "static"
      ? null
      : readCoordinatorTable(
          coordinatorTable ?? new ConfigTable("coordinator", {}, faults),
          cluster.coordinator,
          dirname(path),
        );
  if (coordinatorSettings === null) coordinatorTable?.refuseAllKeys(FOR_COORDINATORS);
  const shards = readShards(file, cluster.ports, faults);
  findEndpointCollisions(coordinatorSettings?.endpoints ?? [], shards, faults);
  file.refuseUnknownKeys();
  for (const shard of shards) {
    const count = shard.members.length;
    // A shard without members has a fault of its own already.
    if (cluster.minInSync <= count || count === 0) continue;
    const members = count === 1 ? "the only member" : `the ${count} members`;
    const claim = `is more than ${members} of shard ${shard.name}: it could never take a write`;
    faults.add("cluster.min_in_sync", claim, cluster.minInSync);
  }
  faults.throwIfAny();
  const topology = new Topology({ cluster: cluster.name, shards, slotMap: freshSlotMap(shards) });
  const { coordinator, replication, minInSync, logRetainBytes, logRetainBytesMax } = cluster;
  return Object.freeze({
    path,
    coordinator,
    coordinatorSettings,
    replication,
    minInSync,
    logRetainBytes,
    logRetainBytesMax,
    topology,
  });
}

const FOR_COORDINATORS = 'is for cluster.coordinator = "embedded" and "etcd": with "static" this file alone decides';

/** The keys of [cluster]; the ports are undefined where each node's HTTP port decides. */
interface ClusterKeys extends Omit<ClusterConfig, "path" | "topology" | "coordinatorSettings"> {
  readonly name: string;
  readonly ports: FixedPorts;
}

function readCluster(table: ConfigTable): ClusterKeys {
  const name = table.text("name") ?? CLUSTER_NAME_DEFAULT;
  if (!PLAIN_NAME.test(name)) table.fault("name", PLAIN_NAME_CLAIM);
  const coordinator = table.choice("coordinator", ["static", "embedded", "etcd"]) ?? "static";
  // Automatic failover that may lose data must be asked for.
  const replication =
    table.choice("replication", ["async", "in-sync"]) ?? (coordinator === "static" ? "async" : "in-sync");
  const minInSync = table.integer("min_in_sync", { min: 1, max: 64 }) ?? 1;
  const ports = { peer: table.integer("peer_port", PORT_BOUNDS), resp: table.integer("resp_port", PORT_BOUNDS) };
  const retainMb = table.integer("log_retain_mb", { min: 1, max: RETAIN_MB_MAX }) ?? LOG_RETAIN_MB_DEFAULT;
  const retainMbMax =
    table.integer("log_retain_max_mb", { min: 1, max: RETAIN_MB_MAX }) ?? Math.max(LOG_RETAIN_MB_MAX_DEFAULT, retainMb);
  if (retainMbMax < retainMb) table.fault("log_retain_max_mb", `is less than log_retain_mb, which is ${retainMb}`);
  table.refuseUnknownKeys();
  return {
    name,
    coordinator,
    replication,
    minInSync,
    ports,
    logRetainBytes: retainMb * MIB,
    logRetainBytesMax: retainMbMax * MIB,
  };
}

function parseToml(text: string, path: string): object {
  try {
    return parse(text, { integersAsBigInt: true });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split("\n")[0]?.replace(/^Invalid TOML document: /, "") ?? "";
    throw new KvError("CONFIG_INVALID", `${path}:${error.line}: not valid TOML: ${reason}`, { cause: error });
  }
}

function readText(path: string): string {
  const bytes = readFileOnce(path);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new KvError("CONFIG_INVALID", `${path}${badUtf8Line(bytes)}: the file is not UTF-8`, { cause: error });
  }
}

function readFileOnce(path: string): Buffer {
  try {
    const status = statSync(path);
    if (!status.isFile()) {
      throw new KvError(
        "CONFIG_INVALID",
        `${path}: it is ${status.isDirectory() ? "a directory" : "special"}, not a file`,
      );
    }
    if (status.size > FILE_BYTES_MAX) {
      throw new KvError("CONFIG_INVALID", `${path}: the file has ${status.size} bytes, more than ${FILE_BYTES_MAX}`);
    }
    return readFileSync(path);
  } catch (error) {
    if (error instanceof KvError) throw error;
    const reason =
      error instanceof Error && "code" in error && error.code === "ENOENT" ? "there is no such file" : String(error);
    throw new KvError("CONFIG_INVALID", `${path}: ${reason}; name another with --config-file`, { cause: error });
  }
}

/** The line of the first byte that is not UTF-8: lines are tried one by one, which a fault can afford. */
function badUtf8Line(bytes: Buffer): string {
  const lines = bytes.toString("latin1").split("\n");
  const index = lines.findIndex(
    (line) => Buffer.from(Buffer.from(line, "latin1").toString("utf8")).toString("latin1") !== line,
  );
  return index === -1 ? "" : `:${index + 1}`;
}
