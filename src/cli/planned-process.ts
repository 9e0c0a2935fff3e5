import type { NodeName } from "../model/position.ts";

/** A process of the cluster that `kv up` runs on this machine: a node, or the embedded coordinator. */
export interface PlannedProcess {
  /** Its HTTP address, by which it is told apart. */
  readonly name: string;
  /** In front of its lines: `Mumbai 127.0.0.4:8080`. */
  readonly label: string;
  /** Its command line behind `kv`. */
  readonly words: readonly string[];
  /** The path that answers 200 when it serves. */
  readonly readyPath: "/readyz" | "/healthz";
  /** How long it stays down when it has died. */
  readonly restartMs: number;
}

export interface PlannedNodeParts {
  readonly node: NodeName;
  readonly shard: string;
  /** In the file; who leads is decided by the members. */
  readonly isReplica: boolean;
  readonly dataDirectory: string;
  readonly configFile: string;
  /** Another member takes over meanwhile, and should be the first to. */
  readonly isCoordinated: boolean;
}

const RESTART_MS = 1000;
const RESTART_COORDINATED_MS = 5000;

export function plannedNode(parts: PlannedNodeParts): PlannedProcess {
  const { node, shard, isReplica, dataDirectory, configFile, isCoordinated } = parts;
  const replica = isReplica ? ["--replica"] : [];
  const place = ["--http-addr", node, "--db-location", dataDirectory, "--config-file", configFile];
  return {
    name: node,
    label: `${shard} ${node}`,
    words: ["serve", "--shard", shard, ...replica, ...place, "--started-together"],
    readyPath: "/readyz",
    restartMs: isCoordinated ? RESTART_COORDINATED_MS : RESTART_MS,
  };
}

/** `address` is the one that the file's endpoint names. */
export function plannedCoordinator(address: string, dataDirectory: string): PlannedProcess {
  return {
    name: address,
    label: `coordinator ${address}`,
    words: ["coordinator", "--listen", address, "--data", dataDirectory],
    readyPath: "/healthz",
    restartMs: RESTART_MS,
  };
}
