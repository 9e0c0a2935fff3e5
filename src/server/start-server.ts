import { join } from "node:path";
import type { Logger } from "../base/logger.ts";
import { NodeDisk } from "../base/node-disk.ts";
import { findListener, processPhrase } from "../base/process-finder.ts";
import { SystemRandom } from "../base/random.ts";
import { SystemClock } from "../base/system-clock.ts";
import type { Coordinator } from "../coordinator/coordinator.ts";
import { GuardedCoordinator } from "../coordinator/guarded-coordinator.ts";
import { type HttpServer, startHttpServer } from "../http/http-server.ts";
import type { MetricSource } from "../http/metric-family.ts";
import type { HttpSettings } from "../http/settings.ts";
import { DirectoryLock, LOCK_NAME } from "../log/directory-lock.ts";
import { DirectoryWatch } from "../log/directory-watch.ts";
import { DiscardedEntries } from "../log/discarded-entries.ts";
import { LOG_FOLDER, NODE_FORMAT_VERSION, NodeFile, TREE_FOLDER } from "../log/node-file.ts";
import { freshNodeState } from "../log/node-state.ts";
import { shardKey } from "../model/document-keys.ts";
import { KvError } from "../model/errors.ts";
import type { NodeName } from "../model/position.ts";
import type { CoordinatorSight } from "../node/coordinator-sight.ts";
import { NodeCore } from "../node/node-core.ts";
import type { Coordination, MemberConfig } from "../replication/member-environment.ts";
import { ShardMember } from "../replication/shard-member.ts";
import { startRespServer } from "../resp/resp-server.ts";
import { TcpPeerNetwork } from "../wire/tcp-peer-network.ts";
import type { ClusterConfig } from "./config.ts";
import { checkExposure } from "./exposure.ts";
import { parseHostPort } from "./node-address.ts";
import { loopDelayMetrics } from "./loop-delay-metrics.ts";
import { nodeMetrics } from "./node-metrics.ts";
import { NodeStore, TREE_FILE_NAME } from "./node-store.ts";
import { openCoordinator } from "./open-coordinator.ts";
import type { OwnNode } from "./own-node.ts";
import type { CloseOptions } from "./process-ending.ts";
import { respMetrics } from "./resp-metrics.ts";
import { ShutdownSteps } from "./shutdown-steps.ts";

export interface ServerOptions {
  readonly config: ClusterConfig;
  readonly own: OwnNode;
  /** The data directory; made when there is none. */
  readonly directory: string;
  /** What the nodes of the cluster share; empty for none. */
  readonly peerSecret: Buffer;
  /** Listen where other machines can connect although there is no secret. */
  readonly isInsecure: boolean;
  /** In static mode: how long the member waits for accounts of the others before it decides its role (rule T3). */
  readonly startupWaitMs: number;
  readonly logger: Logger;
  /** Storage has failed: the process must end at once, without another answer (rule S3). */
  readonly onFatal: (error: Error) => void;
  readonly httpSettings?: Partial<HttpSettings>;
}

/** A node that runs. */
export interface RunningServer {
  readonly core: NodeCore;
  /** Stops in the order that `startServer` documents. */
  close(options?: CloseOptions): Promise<void>;
}

const HEARTBEAT_MS = 200;
const LOCK_ADVICE =
  "it kept other processes out of the directory, so the node ends before another one writes there; start it again, and never " +
  "remove that file";
const DATA_ADVICE =
  "nothing of it can be got back from this process; move the directory away and start with an empty one: it copies everything " +
  "from its leader, and where this one led, another member has to lead first (in static mode by kv promote)";
/** How long requests of other nodes that are under way are waited for. */
const PEER_GRACE_MS = 2000;

/**
 * Builds one node by hand, top to bottom, and starts it.
 *
 * Start: the directory's lock; `node.json`, which says whose directory it is; the listeners for other nodes and for clients, so
 * that an address in use is found before any data are touched; last the member, which recovers the log when others can
 * already ask who it is (rule T3). Until it has a role, clients hear NOT_READY.
 *
 * Stop: the member's leadership is handed over, and clients are sent away while their requests are still answered; where all
 * stop at once there is nobody to hand over to, and no request to save. Then the reverse. (1) No clients any more; their
 * requests under way are answered. (2) Other nodes are refused, their requests
 * under way answered. (3) The member leaves its role: whoever still waits hears "unknown", and the log's write and flush
 * under way are waited for. (4) The network and the coordinator's client close. (5) The applier's thread, the tree and the
 * log close. (6) The lock goes last, so that a successor never meets open files.
 *
 * Throws KvError when the node cannot start; whatever was opened by then is closed.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { own, peerSecret, isInsecure, logger } = options;
  checkExposure(own.addresses, { hasSecret: peerSecret.length > 0, isInsecure });
  const steps = new ShutdownSteps(logger);
  try {
    const { core, member, doors } = await build(options, steps);
    const close = async ({ handsOver }: CloseOptions): Promise<void> => {
      if (handsOver) {
        await retire(member);
        await Promise.all(doors.map((door) => door.farewell()));
      }
      await steps.run();
    };
    return { core, close };
  } catch (error) {
    await steps.run();
    throw error;
  }
}

interface Built {
  readonly core: NodeCore;
  readonly member: ShardMember;
  readonly doors: readonly Pick<HttpServer, "farewell">[];
}

async function build(options: ServerOptions, steps: ShutdownSteps): Promise<Built> {
  const { config, own, directory, logger, onFatal } = options;
  const clock = new SystemClock();
  const random = new SystemRandom();
  const disk = new NodeDisk();
  makeDirectory(disk, directory);
  // Files that it needs are looked at before any data are touched.
  const coordinator = openClient(config, { clock, random });
  const lock = DirectoryLock.take(directory);
  steps.add((done) => {
    lock.release();
    done();
  });
  const watch = new DirectoryWatch({ timers: clock, onGone: onFatal });
  watch.add(join(directory, LOCK_NAME), LOCK_ADVICE);
  steps.add((done) => {
    watch.stop();
    done();
  });
  const nodeFile = openNodeFile(disk, options, random);

  const store = new NodeStore({ directory, disk, nodeFile, clock, random, logger, onFatal });
  steps.add((done) => store.close(done));
  steps.add((done) => {
    coordinator?.close();
    done();
  });
  const guarded = coordinator === null ? null : guard(coordinator, { config, memory: nodeFile, logger });
  const network = makeNetwork(options, { nodeFile, clock, random });
  const shared = { clock, timers: clock, random, logger };
  const member = new ShardMember(
    {
      ...shared,
      network,
      stateFile: nodeFile,
      discarded: new DiscardedEntries(disk, directory, clock),
      coordination: guarded === null ? null : coordinationOf(config, own, guarded),
      openStore: (listener, noteDamage) =>
        orFatal(onFatal, () => {
          const opened = store.open(listener, noteDamage);
          watch.add(join(directory, LOG_FOLDER), DATA_ADVICE);
          watch.add(join(directory, TREE_FOLDER, TREE_FILE_NAME), DATA_ADVICE);
          return opened;
        }),
      freeBytes: () => disk.freeBytes(directory),
    },
    memberConfigOf(options),
  );
  const { node } = own.addresses;
  const { topology, replication } = config;
  const sight = guarded === null ? {} : { coordinator: sightOf(config, guarded, nodeFile) };
  const core = new NodeCore({ ...shared, ...sight, node, topology, replication, member, network });

  steps.add((done) => network.close(done));
  await listenToPeers(network, core, own.addresses.peer);
  steps.add((done) => member.stop(done));
  steps.add((done) => stopCore(core, clock, done));
  const doors = await openFrontDoors(options, { core, network, ...shared }, steps);
  member.start();
  core.start();
  return { core, member, doors };
}

async function openFrontDoors(
  options: ServerOptions,
  parts: { readonly core: NodeCore; readonly network: TcpPeerNetwork; readonly clock: SystemClock } & Pick<
    Parameters<typeof startRespServer>[0],
    "timers" | "random" | "logger"
  >,
  steps: ShutdownSteps,
): Promise<Built["doors"]> {
  const { core, network, clock } = parts;
  const { config, own } = options;
  const shardCount = config.topology.shards.length;
  const resp = await startRespServer({ ...parts, gateway: core, address: own.addresses.resp, shardCount });
  steps.add((done) => void resp.close().finally(done));
  const sources = [nodeMetrics(core.counters, network), respMetrics(resp)];
  const http = await startHttp(options, { core, clock, sources });
  steps.add((done) => void http.close().finally(done));
  return [http, resp];
}

/** Others lead, or go on without this replica, before its clients are sent away. */
function retire(member: ShardMember): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  member.retire(resolve);
  return promise;
}

/** Throws WRONG_DIRECTORY when the path is a file, or may not be written. */
function makeDirectory(disk: NodeDisk, directory: string): void {
  try {
    disk.makeDirectory(directory);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new KvError("WRONG_DIRECTORY", `The data directory ${directory} cannot be made: ${reason}`, { cause });
  }
}

/** A new directory gets a new store id: whatever was in sync before under this name, it was not this store (D7). */
function openNodeFile(disk: NodeDisk, { config, own, directory }: ServerOptions, random: SystemRandom): NodeFile {
  const { cluster } = config.topology;
  const shard = own.shard.name;
  const { node } = own.addresses;
  const present = NodeFile.open(disk, directory, { cluster, shard, node });
  if (present !== null) return present;
  const state = freshNodeState({ node, store: random.uuid(), generation: 1 });
  return NodeFile.create(disk, directory, { cluster, shard, state });
}

function makeNetwork(
  { config, own, peerSecret, logger }: ServerOptions,
  { nodeFile, clock, random }: { nodeFile: NodeFile; clock: SystemClock; random: SystemRandom },
): TcpPeerNetwork {
  const { topology } = config;
  const boot = random.hex64();
  return new TcpPeerNetwork({
    identity: () => ({
      cluster: topology.cluster,
      node: own.addresses.node,
      store: nodeFile.state.store.store,
      boot,
      formatVersion: NODE_FORMAT_VERSION,
    }),
    secret: peerSecret,
    listenAddress: own.addresses.peer,
    isKnownNode: (node: NodeName) => topology.addressesOf(node) !== undefined,
    addressOf: (node: NodeName) => topology.addressesOf(node)?.peer,
    clock,
    random,
    logger,
  });
}

/** Null in static mode. Throws CONFIG_INVALID. A coordinator that does not answer keeps no node from running. */
function openClient(
  { coordinator: kind, coordinatorSettings: settings }: ClusterConfig,
  parts: { readonly clock: SystemClock; readonly random: SystemRandom },
): Coordinator | null {
  return kind === "static" || settings === null ? null : openCoordinator(kind, settings, parts);
}

function guard(
  coordinator: Coordinator,
  { config, memory, logger }: { readonly config: ClusterConfig; readonly memory: NodeFile; readonly logger: Logger },
): GuardedCoordinator {
  return new GuardedCoordinator({ coordinator, cluster: config.topology.cluster, memory, logger });
}

function coordinationOf(
  { coordinatorSettings: settings, topology }: ClusterConfig,
  { shard }: OwnNode,
  coordinator: Coordinator,
): Coordination | null {
  if (settings === null) return null;
  const { leaseMs, graceMs } = settings;
  return { coordinator, key: shardKey(topology.cluster, shard.name), leaseMs, graceMs };
}

function sightOf(
  { coordinator: kind, minInSync }: ClusterConfig,
  guarded: GuardedCoordinator,
  file: NodeFile,
): CoordinatorSight {
  return {
    kind,
    fileMinInSync: minInSync,
    get clusterId() {
      return file.clusterId;
    },
    get trouble() {
      return guarded.trouble;
    },
  };
}

function memberConfigOf({ config, own, startupWaitMs }: ServerOptions): MemberConfig {
  const { shard, addresses } = own;
  return {
    shard,
    node: addresses.node,
    replication: config.replication,
    minInSync: config.minInSync,
    logRetainBytes: config.logRetainBytes,
    logRetainBytesMax: config.logRetainBytesMax,
    heartbeatMs: HEARTBEAT_MS,
    // With a coordinator nobody's account decides anything: its document does.
    startupWaitMs: config.coordinator === "static" ? startupWaitMs : 0,
    isFirstLeader: shard.members[0]?.node === addresses.node,
  };
}

/** Throws ADDRESS_IN_USE, naming the process in the way where it can be found. */
async function listenToPeers(network: TcpPeerNetwork, core: NodeCore, address: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<KvError | null>();
  network.start(core, resolve);
  const error = await promise;
  if (error === null) return;
  const parsed = parseHostPort(address);
  const owner =
    error.code === "ADDRESS_IN_USE" && typeof parsed === "object" ? findListener(parsed.port, parsed.host) : null;
  if (owner === null) throw error;
  throw new KvError(error.code, `${error.message}; ${processPhrase(owner)} listens there`, { cause: error });
}

function startHttp(
  { config, own, logger, httpSettings }: ServerOptions,
  { core, clock, sources }: { core: NodeCore; clock: SystemClock; sources: readonly MetricSource[] },
): Promise<HttpServer> {
  const { topology } = config;
  return startHttpServer({
    gateway: core,
    address: own.addresses.node,
    cluster: topology.cluster,
    clock,
    timers: clock,
    logger,
    hosts: [...new Set(topology.nodes.map(({ node }) => hostOf(node)))],
    metricSources: [...sources, loopDelayMetrics()],
    metricLabels: { node: own.addresses.node, shard: own.shard.name },
    ...(httpSettings === undefined ? {} : { settings: httpSettings }),
  });
}

function stopCore(core: NodeCore, clock: SystemClock, done: () => void): void {
  const timer = clock.after(PEER_GRACE_MS, done);
  core.stop(() => {
    timer.cancel();
    done();
  });
}

function hostOf(node: NodeName): string {
  return node.slice(0, node.lastIndexOf(":"));
}

/** Opening happens in a turn of its own: nobody else would catch what it throws. */
function orFatal<Value>(onFatal: (error: Error) => void, run: () => Value): Value {
  try {
    return run();
  } catch (error) {
    onFatal(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}
