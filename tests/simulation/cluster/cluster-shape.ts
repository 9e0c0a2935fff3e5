import type { LogSizes } from "../../../src/log/log-parts.ts";
import { freshSlotMap, Topology, type Shard } from "../../../src/model/topology.ts";
import type { ApplyLimits } from "../../../src/shard/log-applier.ts";
import type { Swarm } from "../base/swarm.ts";
import { CALM_NETWORK, type NetworkWeather } from "../network/network-weather.ts";
import type { CoordinatorFaults } from "../base/sim-coordinator.ts";
import type { Emphasis } from "./emphasis.ts";

/** Everything about a cluster that is fixed for a whole run. */
export interface ClusterShape {
  readonly topology: Topology;
  readonly replication: "async" | "in-sync";
  readonly logSizes: LogSizes;
  readonly logRetainBytes: number;
  readonly logRetainBytesMax: number;
  readonly snapshotChunkBytes: number;
  /** `h` */
  readonly heartbeatMs: number;
  readonly applyLimits: ApplyLimits;
  /** Longest time of one transaction of a tree's applier. */
  readonly applyMsMax: number;
  /** Median time of a flush on a healthy disk. */
  readonly flushMs: number;
  readonly diskBytes: number;
  readonly weather: NetworkWeather;
  readonly clients: ClientsShape;
  /** Null in static mode. */
  readonly coordination: CoordinationShape | null;
}

/** Lengths of lease and grace time, and what may happen on the way to the coordinator. */
export interface CoordinationShape {
  readonly leaseMs: number;
  readonly graceMs: number;
  /** At most what a shard has members. */
  readonly minInSync: number;
  readonly faults: CoordinatorFaults;
}

export interface ClientsShape {
  readonly clientCount: number;
  readonly keyCount: number;
  readonly thinkMs: number;
  readonly readShare: number;
  readonly incrementShare: number;
  readonly valueBytesMax: number;
  /** Shares of requests that are sent with a durability of their own. */
  readonly asyncShare: number;
  readonly inSyncShare: number;
}

const CITIES = ["Hyderabad", "Delhi", "Mumbai", "Kolkata"];
const HEARTBEAT_MS = 200;

/** Draws a cluster, small in everything, so that a run of a few seconds meets full segments, trimmed logs and long runs. */
export function drawShape(swarm: Swarm, emphasis: Emphasis): ClusterShape {
  const { replication, shardCount, memberCount } = emphasis;
  const shards = Array.from(
    { length: shardCount ?? swarm.pick("shards", [1, 1, 1, 2, 2, 3, 4]) },
    (_, index): Shard => {
      const members = memberCount ?? swarm.pick(`members ${index}`, [1, 2, 2, 2, 3, 3, 4]);
      return shardOf(index, members);
    },
  );
  const segmentBytesFirst = swarm.pick("segment", [2048, 4096, 16_384]);
  const coordination = emphasis.isCoordinated === true ? drawCoordination(swarm) : null;
  return {
    topology: new Topology({ cluster: "simulated", shards, slotMap: freshSlotMap(shards) }),
    replication: replication ?? drawReplication(swarm, coordination !== null),
    logSizes: {
      segmentBytesFirst,
      segmentBytesMax: segmentBytesFirst * swarm.pick("segment growth", [1, 4]),
      tailBytesMax: 4096,
    },
    logRetainBytes: swarm.pick("retain", [1024, 8192, 1_000_000]),
    logRetainBytesMax: swarm.pick("retain at most", [4096, 16_384, 65_536]),
    snapshotChunkBytes: swarm.pick("chunk", [300, 1500, 100_000]),
    heartbeatMs: coordination === null ? HEARTBEAT_MS : drawHeartbeatMs(swarm, coordination.leaseMs),
    applyLimits: {
      runBytesMax: swarm.pick("run", [2000, 20_000, 1_000_000]),
      transactionRowsMax: swarm.pick("transaction rows", [3, 20, 1000]),
      transactionBytesMax: 100_000,
    },
    applyMsMax: swarm.magnitude("apply", 1, 400),
    flushMs: swarm.magnitude("flush", 0.1, 30),
    diskBytes: 4_000_000,
    weather: drawWeather(swarm),
    clients: {
      clientCount: swarm.pick("clients", [4, 8, 12, 24]),
      keyCount: swarm.pick("keys", [6, 12, 30]),
      thinkMs: swarm.magnitude("think", 30, 130),
      readShare: swarm.pick("reads", [0.2, 0.4, 0.6]),
      incrementShare: swarm.pick("increments", [0, 0.15, 0.4]),
      valueBytesMax: swarm.pick("values", [40, 400, 1500]),
      asyncShare: swarm.has("writes of lower durability") ? 0.15 : 0,
      inSyncShare: swarm.has("writes of higher durability") ? 0.15 : 0,
    },
    coordination,
  };
}

/** A shard that members take over by themselves is rarely one that may lose acknowledged writes thereby. */
function drawReplication(swarm: Swarm, isCoordinated: boolean): "async" | "in-sync" {
  if (!isCoordinated) return swarm.pick("replication", ["async", "in-sync"]);
  return swarm.pick("replication", ["in-sync", "in-sync", "in-sync", "async"]);
}

/** Not more than a quarter of a lease (§2.2). */
function drawHeartbeatMs(swarm: Swarm, leaseMs: number): number {
  return Math.min(HEARTBEAT_MS, leaseMs / 4) * swarm.pick("heartbeat", [1, 1, 0.5, 0.25]);
}

function drawCoordination(swarm: Swarm): CoordinationShape {
  const isLate = swarm.has("late requests");
  const leaseMs = swarm.pick("lease", [1500, 1500, 800, 3000]);
  // As short as the configuration allows, more often than not.
  const graceMs = (leaseMs * 1.01 + 300) / 0.99 + swarm.pick("grace beyond", [1, 1, 150, 1000]);
  return {
    leaseMs,
    graceMs,
    minInSync: swarm.pick("least in sync", [1, 1, 1, 2]),
    faults: {
      latencyMs: swarm.magnitude("coordinator latency", 0.5, 50),
      lostRequestChance: isLate ? 0.05 : 0,
      lostReplyChance: isLate ? 0.1 : 0,
      lateRequestChance: isLate ? 0.1 : 0,
      lateSwapChance: swarm.has("late claims") ? 0.5 : 0,
      lateRequestMsMax: 6000,
      lostHintChance: 0.3,
      doubledHintChance: 0.1,
      hintLagMsMax: 500,
    },
  };
}

function shardOf(index: number, memberCount: number): Shard {
  const name = CITIES[index] ?? `Shard${index}`;
  const members = Array.from({ length: memberCount }, (_, member) => {
    const host = `127.0.0.${index + 1}${member}`;
    return { node: `${host}:8080`, peer: `${host}:9080`, resp: `${host}:6379` };
  });
  return { name, index, members };
}

function drawWeather(swarm: Swarm): NetworkWeather {
  return {
    ...CALM_NETWORK,
    latencyMedianMs: swarm.magnitude("latency", 0.05, 20),
    latencySigma: swarm.magnitude("latency spread", 0.1, 1),
    bytesPerMs: swarm.has("slow network") ? swarm.magnitude("bandwidth", 100, 5000) : CALM_NETWORK.bytesPerMs,
    spikeShare: swarm.has("spikes") ? 0.004 : 0,
    spikeMsMax: 2500,
    resetShare: swarm.has("resets") ? 0.003 : 0,
    halfOpenShare: swarm.has("half-open") ? 0.5 : 0,
    lingerShare: swarm.has("linger") ? 0.5 : 0,
    duplicateShare: swarm.has("duplicates") ? 0.5 : 0,
  };
}
