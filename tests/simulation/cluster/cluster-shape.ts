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

const CITIES = ["Hyderabad", "Delhi", "Mumbai"];

/** Draws a cluster, small in everything, so that a run of a few seconds meets full segments, trimmed logs and long runs. */
export function drawShape(swarm: Swarm, emphasis: Emphasis): ClusterShape {
  const { replication, shardCount, memberCount } = emphasis;
  const shards = Array.from({ length: shardCount ?? swarm.pick("shards", [1, 1, 2]) }, (_, index): Shard => {
    const members = memberCount ?? swarm.pick(`members ${index}`, [1, 2, 2, 2, 3, 3]);
    return shardOf(index, members);
  });
  const segmentBytesFirst = swarm.pick("segment", [2048, 4096, 16_384]);
  return {
    topology: new Topology({ cluster: "simulated", shards, slotMap: freshSlotMap(shards) }),
    replication: replication ?? swarm.pick("replication", ["async", "in-sync"]),
    logSizes: {
      segmentBytesFirst,
      segmentBytesMax: segmentBytesFirst * swarm.pick("segment growth", [1, 4]),
      tailBytesMax: 4096,
    },
    logRetainBytes: swarm.pick("retain", [1024, 8192, 1_000_000]),
    logRetainBytesMax: swarm.pick("retain at most", [4096, 16_384, 65_536]),
    snapshotChunkBytes: swarm.pick("chunk", [300, 1500, 100_000]),
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
      clientCount: swarm.pick("clients", [4, 8, 12]),
      keyCount: swarm.pick("keys", [6, 12, 30]),
      thinkMs: swarm.magnitude("think", 30, 130),
      readShare: swarm.pick("reads", [0.2, 0.4, 0.6]),
      incrementShare: swarm.pick("increments", [0, 0.15, 0.4]),
      valueBytesMax: swarm.pick("values", [40, 400, 1500]),
      asyncShare: swarm.has("writes of lower durability") ? 0.15 : 0,
      inSyncShare: swarm.has("writes of higher durability") ? 0.15 : 0,
    },
    coordination: emphasis.isCoordinated === true ? drawCoordination(swarm) : null,
  };
}

function drawCoordination(swarm: Swarm): CoordinationShape {
  const isLate = swarm.has("late requests");
  return {
    leaseMs: 1500,
    graceMs: 2000,
    faults: {
      latencyMs: swarm.magnitude("coordinator latency", 0.5, 50),
      lostRequestChance: isLate ? 0.05 : 0,
      lostReplyChance: isLate ? 0.1 : 0,
      lateRequestChance: isLate ? 0.1 : 0,
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
    spikeShare: swarm.has("spikes") ? 0.004 : 0,
    spikeMsMax: 2500,
    resetShare: swarm.has("resets") ? 0.003 : 0,
    halfOpenShare: swarm.has("half-open") ? 0.5 : 0,
    lingerShare: swarm.has("linger") ? 0.5 : 0,
  };
}
