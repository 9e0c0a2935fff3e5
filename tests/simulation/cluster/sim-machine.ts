import { join } from "node:path";
import type { Timer, Timers } from "../../../src/base/clock.ts";
import type { Logger } from "../../../src/base/logger.ts";
import type { SeededRandom } from "../../../src/base/random.ts";
import { DiscardedEntries } from "../../../src/log/discarded-entries.ts";
import { LOG_FOLDER, NodeFile, readNodeRecord } from "../../../src/log/node-file.ts";
import { SegmentedLog } from "../../../src/log/segmented-log.ts";
import { NO_EPOCH, type NodeName } from "../../../src/model/position.ts";
import type { Shard } from "../../../src/model/topology.ts";
import { NodeCore } from "../../../src/node/node-core.ts";
import type {
  Coordination,
  MemberEnvironment,
  MemberState,
  MemberStateFile,
} from "../../../src/replication/member-environment.ts";
import { ShardMember } from "../../../src/replication/shard-member.ts";
import { InlineApplier } from "../../../src/shard/inline-applier.ts";
import { LogEntries } from "../../../src/shard/log-entries.ts";
import { openShardStore } from "../../../src/shard/open-shard-store.ts";
import type { ShardStore } from "../../../src/shard/shard-store.ts";
import { MemoryTree, MemoryTreeFile } from "../../../src/tree/memory-tree.ts";
import type { TreeTransaction } from "../../../src/tree/tree.ts";
import type { PeerNetwork } from "../../../src/wire/peer-network.ts";
import { SimDisk } from "../../support/sim-disk.ts";
import type { MachineClock } from "../base/machine-clock.ts";
import { SimProcess } from "../base/sim-process.ts";
import type { Simulation } from "../base/simulation.ts";
import type { SimNetwork } from "../network/sim-network.ts";
import type { ClusterShape } from "./cluster-shape.ts";
import type { ShardRegistry } from "./shard-registry.ts";

const DATA_DIRECTORY = "/data";
const LOG_DIRECTORY = join(DATA_DIRECTORY, LOG_FOLDER);
const HEARTBEAT_MS = 200;
const STARTUP_WAIT_MS = 1000;
const STOP_MS_MAX = 10_000;

/** Thrown where the product would end its process by itself. */
class ProcessExit extends Error {
  override readonly name: string = "ProcessExit";
}

/** A tree that tells after every transaction. */
class WatchedTree extends MemoryTree {
  readonly #onTransaction: () => void;

  constructor(file: MemoryTreeFile, onTransaction: () => void) {
    super(file);
    this.#onTransaction = onTransaction;
  }

  override apply(transaction: TreeTransaction): void {
    super.apply(transaction);
    this.#onTransaction();
  }
}

/** What runs on a machine between a start and a death. */
export interface RunningNode {
  readonly process: SimProcess;
  readonly member: ShardMember;
  readonly core: NodeCore;
  /** What to do for calls of clients that are open when the process dies. */
  readonly openCalls: Map<number, () => void>;
}

/** Whom a machine tells what happens on it. */
export interface MachineObserver {
  /** The member is about to remember `state`; `store` is null while the log is being recovered. */
  onState(machine: SimMachine, change: { readonly before: MemberState; readonly after: MemberState }): void;
  onLog(machine: SimMachine, level: string, message: string): void;
  /** The tree has taken in a transaction. */
  onTransaction(machine: SimMachine): void;
  /** The process ended by itself: because of its disk (`isOfDisk`), or of a defect. */
  onExit(machine: SimMachine, exit: { readonly reason: string; readonly isOfDisk: boolean }): void;
}

export interface SimMachineParts {
  readonly simulation: Simulation;
  readonly network: SimNetwork;
  /** Null in static mode. */
  readonly registry: ShardRegistry | null;
  readonly shape: ClusterShape;
  readonly node: NodeName;
  readonly shard: Shard;
  readonly clock: MachineClock;
  readonly observer: MachineObserver;
}

/**
 * One machine of the cluster, for the whole run: its disk, its clocks, and the node that runs on it now, if any, wired as the
 * server wires it.
 */
export class SimMachine {
  readonly node: NodeName;
  readonly shard: Shard;
  readonly disk: SimDisk;
  treeFile: MemoryTreeFile = new MemoryTreeFile();
  /** Milliseconds that flushes take longer than usual at most. */
  slownessMs = 0;
  /** Milliseconds that one transaction of the tree takes at most. */
  applyMsMax: number;
  /** Not before this is over is the machine started again. */
  heldUntilMs = 0;
  lastPausedMs = -1;
  /** Whether its log once began anew: empty, or behind copied rows. */
  hasBeenCopy = false;
  /** Whether bits were flipped on its disk: it may not have noticed yet. */
  isHarmed = false;
  /** A bit of its log flipped: until it has it again, its newest batch may be gone although it confirmed it. */
  mayLackNewest = false;
  /** Whether this start found rows of a copy that an earlier one had begun. */
  resumesCopy = false;
  /** Whether the node led when it died by itself. */
  wasLeading = false;
  readonly #parts: SimMachineParts;
  readonly #random: SeededRandom;
  #running: RunningNode | null = null;
  #store: ShardStore | null = null;
  #applier: InlineApplier | null = null;
  #starts = 0;

  constructor(parts: SimMachineParts) {
    this.node = parts.node;
    this.shard = parts.shard;
    this.#parts = parts;
    this.applyMsMax = parts.shape.applyMsMax;
    this.#random = parts.simulation.randomFor(`machine ${parts.node}`);
    this.disk = new SimDisk(this.#diskTimers(), this.#random.fork("disk"));
    this.disk.faults.flushMs = () => this.#flushMs();
  }

  /** What runs here; null while the machine is down. */
  get running(): RunningNode | null {
    return this.#running;
  }

  /** The store of the running node, once it is recovered. */
  get store(): ShardStore | null {
    return this.#running === null ? null : this.#store;
  }

  get isLeading(): boolean {
    return this.#running?.member.role === "leader";
  }

  get isPaused(): boolean {
    return this.#running?.process.isPaused === true;
  }

  /** What this machine's node remembers, running or not; null while its directory is new. */
  get state(): MemberState | null {
    return readNodeRecord(this.disk, DATA_DIRECTORY)?.state ?? null;
  }

  start(): void {
    if (this.#running !== null) return;
    const { simulation, network, clock, observer } = this.#parts;
    const random = this.#random.fork(`start ${++this.#starts}`);
    const process = new SimProcess({
      simulation,
      name: this.node,
      clock,
      random: random.fork("process"),
      onUncaught: (error) => this.#onUncaught(error),
    });
    simulation.note(this.node, "starts");
    this.#store = null;
    this.resumesCopy = this.state?.bootstrap?.phase === "copying" && this.treeFile.snapshot.rows.size > 0;
    process.enter(() => {
      const endpoint = network.endpoint(this.node, process);
      const { topology, replication } = this.#parts.shape;
      const file = this.#openFile(random);
      const member = new ShardMember(this.#environment({ process, random, file, endpoint }), this.#memberConfig());
      const parts = {
        node: this.node,
        topology,
        replication,
        member,
        network: endpoint,
        clock: process,
        timers: process,
      };
      const core = new NodeCore({ ...parts, random: random.fork("core") });
      this.#running = { process, member, core, openCalls: new Map() };
      endpoint.listen(core);
      member.start();
      core.start();
    });
    if (!process.isAlive) observer.onLog(this, "error", "did not start");
  }

  /** SIGTERM: answers what is under way, gives up its role, closes its files; like the server, killed if that takes too long. */
  stop(): void {
    const running = this.#running;
    const { simulation, network } = this.#parts;
    if (running === null || this.store === null) return;
    simulation.note(this.node, "is told to stop");
    const { process, core, member } = running;
    const close = (): void => {
      network.leave(this.node, "closed");
      this.#applier?.close(() => {
        this.#store?.log.close();
        simulation.note(this.node, "has stopped");
        this.#end("closed", () => this.disk.crash());
      });
    };
    process.deliver({ phase: "network", delayMs: 0, run: () => core.stop(() => member.stop(close)) });
    simulation.schedule(STOP_MS_MAX, `${this.node} stops`, () => {
      if (this.#running === running) this.kill();
    });
  }

  /** `kill -9`. */
  kill(): void {
    if (this.#running === null) return;
    this.#parts.simulation.note(this.node, "is killed");
    this.#end("closed", () => this.disk.crash());
  }

  powerCut(): void {
    if (this.#running === null) return;
    this.#parts.simulation.note(this.node, "loses power");
    this.#end("silent", () => this.disk.powerCut());
  }

  pause(durationMs: number): void {
    if (this.#running === null) return;
    this.#parts.simulation.note(this.node, `is paused for ${durationMs.toFixed(0)} ms`);
    this.lastPausedMs = this.#parts.simulation.nowMs + durationMs;
    this.#running.process.pause(durationMs);
  }

  /** Empties the data directory of a machine that is down. */
  wipe(): void {
    this.#parts.simulation.note(this.node, "is wiped");
    this.disk.wipe(DATA_DIRECTORY);
    this.treeFile = new MemoryTreeFile();
    this.hasBeenCopy = true;
  }

  #end(departure: "closed" | "silent", harmDisk: () => void): void {
    const running = this.#running;
    this.#running = null;
    running?.process.kill();
    harmDisk();
    this.#parts.network.leave(this.node, departure);
    for (const giveUp of running?.openCalls.values() ?? []) giveUp();
  }

  #onUncaught(error: unknown): void {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const isOfDisk = error instanceof ProcessExit || code === "EIO" || code === "ENOSPC";
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.wasLeading = this.isLeading;
    this.#parts.simulation.note(this.node, `dies: ${reason.split("\n")[0]}`);
    this.#end("closed", () => this.disk.crash());
    this.#parts.observer.onExit(this, { reason, isOfDisk });
  }

  #openFile(random: SeededRandom): NodeFile {
    const { cluster } = this.#parts.shape.topology;
    const identity = { cluster, shard: this.shard.name, node: this.node };
    const store = { node: this.node, store: random.uuid(), generation: 0 };
    const state = { store, seenEpoch: NO_EPOCH, leadership: null, bootstrap: null, damage: null, conflict: null };
    const file = NodeFile.open(this.disk, DATA_DIRECTORY, identity);
    return file ?? NodeFile.create(this.disk, DATA_DIRECTORY, { cluster, shard: this.shard.name, state });
  }

  #environment(parts: {
    process: SimProcess;
    random: SeededRandom;
    file: NodeFile;
    endpoint: PeerNetwork;
  }): MemberEnvironment {
    const { process, random, file, endpoint } = parts;
    const logger = this.#logger();
    return {
      clock: process,
      timers: process,
      random: random.fork("member"),
      logger,
      network: endpoint,
      stateFile: this.#observedFile(file),
      discarded: new DiscardedEntries(this.disk, DATA_DIRECTORY, process),
      coordination: this.#coordination(process),
      freeBytes: () => this.disk.freeBytes(),
      openStore: (listener, noteDamage) => {
        const store = openShardStore(this.#openers({ process, random, file, logger }), listener, noteDamage);
        this.#store = store;
        return store;
      },
    };
  }

  #coordination(process: SimProcess): Coordination | null {
    const { registry, shape } = this.#parts;
    if (registry === null || shape.coordination === null) return null;
    const { leaseMs, graceMs } = shape.coordination;
    return { coordinator: registry.coordinator.connect(process), key: registry.keyOf(this.shard), leaseMs, graceMs };
  }

  #openers(parts: {
    process: SimProcess;
    random: SeededRandom;
    file: NodeFile;
    logger: Logger;
  }): Parameters<typeof openShardStore>[0] {
    const { process, random, file, logger } = parts;
    const { shape, observer } = this.#parts;
    const onFatal = (error: Error): never => {
      throw new ProcessExit(error.message, { cause: error });
    };
    return {
      clock: process,
      timers: process,
      openTree: () => new MemoryTree(this.treeFile),
      openLog: (onCorruption) => {
        const opened = SegmentedLog.open({
          disk: this.disk,
          directory: LOG_DIRECTORY,
          timers: process,
          random: random.fork("log"),
          logger,
          sizes: shape.logSizes,
          whenMissing: file.hasLog ? "refuse" : "create",
          onCorruption,
          onFatal,
        });
        file.noteLog();
        return opened;
      },
      makeApplier: ({ log, tree, onApplied }) => {
        const pace = random.fork("applier");
        this.#applier = new InlineApplier({
          source: new LogEntries(log),
          writer: new WatchedTree(this.treeFile, () => observer.onTransaction(this)),
          reader: tree,
          clock: process,
          timers: process,
          transactionMs: () => pace.next() * this.applyMsMax,
          limits: shape.applyLimits,
          listener: { onApplied, onDiskFull: () => {}, onFatal },
        });
        return this.#applier;
      },
    };
  }

  #memberConfig(): ConstructorParameters<typeof ShardMember>[1] {
    const { shape } = this.#parts;
    const { replication, logRetainBytes, logRetainBytesMax, snapshotChunkBytes } = shape;
    return {
      shard: this.shard,
      node: this.node,
      replication,
      minInSync: 1,
      logRetainBytes,
      logRetainBytesMax,
      snapshotChunkBytes,
      heartbeatMs: HEARTBEAT_MS,
      startupWaitMs: shape.coordination === null ? STARTUP_WAIT_MS : 0,
      isFirstLeader: this.shard.members[0]?.node === this.node,
    };
  }

  #observedFile(file: NodeFile): MemberStateFile {
    const { observer } = this.#parts;
    return {
      get state() {
        return file.state;
      },
      replace: (after) => {
        const before = file.state;
        file.replace(after);
        observer.onState(this, { before, after });
      },
    };
  }

  #logger(): Logger {
    const { observer } = this.#parts;
    const say =
      (level: string) =>
      (message: string, fields: Readonly<Record<string, unknown>> = {}): void =>
        observer.onLog(
          this,
          level,
          Object.keys(fields).length === 0 ? message : `${message} ${JSON.stringify(fields)}`,
        );
    return { info: say("info"), warn: say("warn"), error: say("error") };
  }

  /** The disk calls back through whatever process runs when the time has come; it knows itself for which one it works. */
  #diskTimers(): Timers {
    const deliver = (delayMs: number, run: () => void): Timer =>
      this.#running?.process.deliver({ phase: "disk", delayMs, run }) ?? { cancel: () => {} };
    return { after: deliver, soon: (run) => void deliver(0, run) };
  }

  #flushMs(): number {
    const usualMs = this.#parts.shape.flushMs * (0.5 + this.#random.next());
    return usualMs + this.slownessMs * this.#random.next();
  }
}
