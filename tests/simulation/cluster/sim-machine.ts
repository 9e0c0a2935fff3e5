import type { Timer, Timers } from "../../../src/base/clock.ts";
import type { SeededRandom } from "../../../src/base/random.ts";
import { readNodeRecord } from "../../../src/log/node-file.ts";
import type { NodeName } from "../../../src/model/position.ts";
import type { Shard } from "../../../src/model/topology.ts";
import type { NodeCore } from "../../../src/node/node-core.ts";
import type { LeaderTerm } from "../../../src/replication/leader-term.ts";
import type { MemberState } from "../../../src/replication/member-environment.ts";
import type { ShardMember } from "../../../src/replication/shard-member.ts";
import type { InlineApplier } from "../../../src/shard/inline-applier.ts";
import type { ShardStore } from "../../../src/shard/shard-store.ts";
import { MemoryTreeFile } from "../../../src/tree/memory-tree.ts";
import { SimCrashError, SimDisk } from "../../support/sim-disk.ts";
import type { MachineClock } from "../base/machine-clock.ts";
import { SimProcess } from "../base/sim-process.ts";
import type { Simulation } from "../base/simulation.ts";
import type { SimNetwork } from "../network/sim-network.ts";
import type { ClusterShape } from "./cluster-shape.ts";
import { DATA_DIRECTORY, ProcessExit, wireNode } from "./node-wiring.ts";
import type { ShardRegistry } from "./shard-registry.ts";

const STOP_MS_MAX = 10_000;

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
  /** The member remembers `after`; its store is null while the log is being recovered. */
  onState(machine: SimMachine, change: { readonly before: MemberState; readonly after: MemberState }): void;
  onLog(machine: SimMachine, level: string, message: string): void;
  /** The tree has taken in a transaction. */
  onTransaction(machine: SimMachine): void;
  /** The process ended by itself: because of its disk (`isOfDisk`), or of a defect. */
  onExit(machine: SimMachine, exit: { readonly reason: string; readonly isOfDisk: boolean }): void;
  /** The process was killed in the middle of a call to its disk. */
  onKilledInCall(machine: SimMachine): void;
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
  readonly clock: MachineClock;
  treeFile: MemoryTreeFile = new MemoryTreeFile();
  /** Milliseconds that flushes take longer than usual at most. */
  slownessMs = 0;
  /** Flushes that begin before this moment end not before it. */
  flushesHangUntilMs = 0;
  /** Milliseconds that one transaction of the tree takes at most. */
  applyMsMax: number;
  /** Not before this is over is the machine started again. */
  heldUntilMs = 0;
  lastPausedMs = -1;
  /** Whether its log once began anew: empty, or behind copied rows. */
  hasBeenCopy = false;
  /** Whether it ever knew another member as the leader, be it one that never began to lead. */
  hasFollowed = false;
  /** Whether bits were flipped on its disk: it may not have noticed yet. */
  isHarmed = false;
  /** A bit of its log flipped: until it has it again, its newest batch may be gone although it confirmed it. */
  mayLackNewest = false;
  /** Whether this start found rows of a copy that an earlier one had begun. */
  resumesCopy = false;
  /** Whether the node led when it died by itself. */
  wasLeading = false;
  /** Whose data directory this machine has by mistake; null when it has its own. */
  foreignDirectoryOf: SimMachine | null = null;
  readonly #parts: SimMachineParts;
  readonly #random: SeededRandom;
  #disk: SimDisk;
  #running: RunningNode | null = null;
  #store: ShardStore | null = null;
  #applier: InlineApplier | null = null;
  #starts = 0;
  /** What `node.json` says; undefined when it has to be read again. */
  #state: MemberState | null | undefined;

  constructor(parts: SimMachineParts) {
    this.node = parts.node;
    this.shard = parts.shard;
    this.clock = parts.clock;
    this.#parts = parts;
    this.applyMsMax = parts.shape.applyMsMax;
    this.#random = parts.simulation.randomFor(`machine ${parts.node}`);
    this.#disk = new SimDisk(this.#diskTimers(), this.#random.fork("disk"));
    this.#adoptDisk();
  }

  get disk(): SimDisk {
    return this.#disk;
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

  /** The leadership that the node believes to have; null when it does not lead. */
  get term(): LeaderTerm | null {
    return this.#running?.member.term ?? null;
  }

  get isPaused(): boolean {
    return this.#running?.process.isPaused === true;
  }

  /** What this machine's node remembers, running or not; null while its directory is new. */
  get state(): MemberState | null {
    this.#state ??= readNodeRecord(this.#disk, DATA_DIRECTORY)?.state;
    return this.#state ?? null;
  }

  start(): void {
    if (this.#running !== null) return;
    const { simulation, clock, observer } = this.#parts;
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
    this.#state = undefined;
    this.resumesCopy = this.state?.bootstrap?.phase === "copying" && this.treeFile.snapshot.rows.size > 0;
    process.enter(() => this.#wire(process, random));
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
        this.#end("closed", () => this.#disk.crash());
      });
    };
    process.deliver({
      phase: "network",
      delayMs: 0,
      run: () => member.retire(() => core.stop(() => member.stop(close))),
    });
    simulation.schedule(STOP_MS_MAX, `${this.node} stops`, () => {
      if (this.#running === running) this.kill();
    });
  }

  /** `kill -9`. */
  kill(): void {
    if (this.#running === null) return;
    this.#parts.simulation.note(this.node, "is killed");
    this.#end("closed", () => this.#disk.crash());
  }

  /** As `kill`, between two changes that one call makes to the disk. */
  dieWithinCall(): void {
    const { simulation, observer } = this.#parts;
    simulation.note(this.node, "is killed within a call");
    this.#end("closed", () => this.#disk.crash());
    observer.onKilledInCall(this);
  }

  powerCut(): void {
    if (this.#running === null) return;
    this.#parts.simulation.note(this.node, "loses power");
    this.#end("silent", () => this.#disk.powerCut());
  }

  /** SIGSTOP; with `isClockFrozen`, as a suspended virtual machine, whose monotonic clock stands still (beyond A2). */
  pause(durationMs: number, isClockFrozen = false): void {
    if (this.#running === null) return;
    const { simulation } = this.#parts;
    simulation.note(this.node, `is ${isClockFrozen ? "frozen" : "paused"} for ${durationMs.toFixed(0)} ms`);
    this.lastPausedMs = Math.max(this.lastPausedMs, simulation.nowMs + durationMs);
    if (isClockFrozen) this.clock.freeze(simulation.nowMs, durationMs);
    this.#running.process.pause(durationMs);
  }

  /** Empties the data directory of a machine that is down. */
  wipe(): void {
    this.#parts.simulation.note(this.node, "is wiped");
    this.#disk.wipe(DATA_DIRECTORY);
    this.treeFile = new MemoryTreeFile();
    this.hasBeenCopy = true;
    this.#state = undefined;
  }

  /** An operator's mistake: two machines that are down get each other's data directories. Once more, and it is mended. */
  exchangeDirectories(other: SimMachine): void {
    this.#parts.simulation.note(this.node, `exchanges its directory with that of ${other.node}`);
    const disks = [this.#disk.clone(other.#diskTimers()), other.#disk.clone(this.#diskTimers())] as const;
    [other.#disk, this.#disk] = disks;
    [this.treeFile, other.treeFile] = [other.treeFile, this.treeFile];
    for (const [machine, partner] of [[this, other] as const, [other, this] as const]) {
      machine.#adoptDisk();
      machine.#state = undefined;
      machine.foreignDirectoryOf = machine.foreignDirectoryOf === null ? partner : null;
    }
  }

  #wire(process: SimProcess, random: SeededRandom): void {
    const { network, observer } = this.#parts;
    const endpoint = network.endpoint(this.node, process);
    const { member, core } = wireNode({
      ...this.#parts,
      disk: this.#disk,
      treeFile: this.treeFile,
      process,
      endpoint,
      random,
      transactionMs: () => this.#random.next() * this.applyMsMax,
      onState: (change) => {
        this.#state = change.after;
        observer.onState(this, change);
      },
      onLog: (level, message) => observer.onLog(this, level, message),
      onTransaction: () => observer.onTransaction(this),
      onOpened: (store) => (this.#store = store),
      onApplier: (applier) => (this.#applier = applier),
    });
    this.#running = { process, member, core, openCalls: new Map() };
    endpoint.listen(core);
    member.start();
    core.start();
  }

  #end(departure: "closed" | "silent", harmDisk: () => void): void {
    const running = this.#running;
    this.#running = null;
    running?.process.kill();
    harmDisk();
    this.#state = undefined;
    this.#parts.network.leave(this.node, departure);
    for (const giveUp of running?.openCalls.values() ?? []) giveUp();
  }

  #onUncaught(error: unknown): void {
    const { simulation, observer } = this.#parts;
    if (error instanceof SimCrashError || this.#disk.isDead) return this.dieWithinCall();
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const isOfDisk = error instanceof ProcessExit || code === "EIO" || code === "ENOSPC";
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.wasLeading = this.isLeading;
    simulation.note(this.node, `dies: ${reason.split("\n")[0]}`);
    this.#end("closed", () => this.#disk.crash());
    observer.onExit(this, { reason, isOfDisk });
  }

  #adoptDisk(): void {
    this.#disk.faults.flushMs = () => this.#flushMs();
    this.#disk.faults.capacityBytes = this.#parts.shape.diskBytes;
  }

  /** The disk calls back through whatever process runs when the time has come; it knows itself for which one it works. */
  #diskTimers(): Timers {
    const deliver = (delayMs: number, run: () => void): Timer =>
      this.#running?.process.deliver({ phase: "disk", delayMs, run }) ?? { cancel: () => {} };
    return { after: deliver, soon: (run) => void deliver(0, run) };
  }

  #flushMs(): number {
    const usualMs = this.#parts.shape.flushMs * (0.5 + this.#random.next());
    const slowMs = usualMs + this.slownessMs * this.#random.next();
    return Math.max(slowMs, this.flushesHangUntilMs - this.#parts.simulation.nowMs);
  }
}
