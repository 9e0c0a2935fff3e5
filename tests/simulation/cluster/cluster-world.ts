import type { NodeName } from "../../../src/model/position.ts";
import type { MemberState } from "../../../src/replication/member-environment.ts";
import { MachineClock } from "../base/machine-clock.ts";
import type { Simulation } from "../base/simulation.ts";
import type { Swarm } from "../base/swarm.ts";
import { SimNetwork } from "../network/sim-network.ts";
import { drawShape, type ClusterShape } from "./cluster-shape.ts";
import type { Emphasis } from "./emphasis.ts";
import { ShardLedger } from "./shard-ledger.ts";
import { ShardRegistry } from "./shard-registry.ts";
import { SimMachine, type MachineObserver } from "./sim-machine.ts";

/** `kv up` starts a node again after this long when it died. */
const RESTART_MS = 1000;
const TRY_AGAIN_MS = 300;
/** How long an old leader that comes back is given, undisturbed, to hear of its successor. */
const RETURN_MS = 2500;

/**
 * The machines of a run, the network between them, and what an observer who sees everything knows of the shards.
 *
 * Owns starting and stopping. Unless a run allows split leaders, a node that believes to lead while another one was promoted is
 * only started where it can hear of that: rule T6 asks it of operators.
 */
export class ClusterWorld implements MachineObserver {
  readonly simulation: Simulation;
  readonly swarm: Swarm;
  readonly emphasis: Emphasis;
  readonly shape: ClusterShape;
  readonly network: SimNetwork;
  readonly machines: readonly SimMachine[];
  /** Null in static mode. */
  readonly registry: ShardRegistry | null;
  readonly ledgers: ReadonlyMap<string, ShardLedger>;
  isHealing = false;
  coordinatorLostAtMs: number = Infinity;
  faultsEndMs: number = Number.MAX_SAFE_INTEGER;
  /** Is told when a machine begins to copy rows. */
  onCopy: ((machine: SimMachine) => void) | null = null;

  constructor(simulation: Simulation, swarm: Swarm, emphasis: Emphasis) {
    this.simulation = simulation;
    this.swarm = swarm;
    this.emphasis = emphasis;
    this.shape = drawShape(swarm, emphasis);
    const { topology, coordination } = this.shape;
    const isCoordinated = coordination !== null;
    this.registry = isCoordinated ? new ShardRegistry(simulation, topology.cluster, coordination) : null;
    this.network = new SimNetwork(simulation, this.shape.weather);
    this.ledgers = new Map(topology.shards.map((shard) => [shard.name, new ShardLedger(shard, isCoordinated)]));
    this.machines = topology.shards.flatMap((shard) =>
      shard.members.map(({ node }) => {
        const clock = this.#drawClock(node);
        return new SimMachine({
          simulation,
          network: this.network,
          registry: this.registry,
          shape: this.shape,
          node,
          shard,
          clock,
          observer: this,
        });
      }),
    );
    for (const machine of this.machines) machine.disk.faults.capacityBytes = this.shape.diskBytes;
    for (const ledger of this.ledgers.values()) this.registry?.make(ledger.shard, this.machinesOf(ledger));
  }

  /** For the rest of the run there is no coordinator. */
  loseCoordinator(): void {
    this.coordinatorLostAtMs = this.simulation.nowMs;
    this.registry?.coordinator.setState("silent");
  }

  /** Whose disk has ended his life within a call is gone, whatever the call's error has become. */
  buryTheDead(): void {
    for (const machine of this.machines) if (machine.disk.isDead) machine.dieWithinCall();
  }

  ledgerOf(machine: SimMachine): ShardLedger {
    const ledger = this.ledgers.get(machine.shard.name);
    if (ledger === undefined) throw new Error("every shard has a ledger");
    return ledger;
  }

  machinesOf(ledger: ShardLedger): SimMachine[] {
    return this.machines.filter((machine) => machine.shard.name === ledger.shard.name);
  }

  othersOf(machine: SimMachine): SimMachine[] {
    return this.machines.filter((other) => other !== machine && other.shard.name === machine.shard.name);
  }

  isQuiet(machine: SimMachine): boolean {
    return this.ledgerOf(machine).quietUntilMs > this.simulation.nowMs;
  }

  /** Leaves this shard to an operator, undisturbed, for a while. */
  keepQuiet(ledger: ShardLedger, durationMs: number): void {
    ledger.quietUntilMs = Math.max(ledger.quietUntilMs, this.simulation.nowMs + durationMs);
    const machines = this.machinesOf(ledger);
    for (const a of machines) for (const b of machines) this.network.unblock(a.node, b.node);
  }

  startIn(machine: SimMachine, delayMs: number): void {
    this.simulation.schedule(delayMs, "start", () => this.#start(machine));
  }

  /** Whether a complete copy of the shard other than `machine`'s would be left, in the set that acknowledgements rest on. */
  isCoveredWithout(machine: SimMachine): boolean {
    const highest = this.ledgerOf(machine).highestEpoch;
    return this.othersOf(machine).some(({ state, isHarmed }) => {
      if (isHarmed || state === null || state.leadership === null || state.leadership.epoch < highest) return false;
      if (state.bootstrap !== null || state.damage !== null || state.conflict !== null) return false;
      const { store, generation } = state.store;
      return this.newestSet(machine).some((member) => member.store === store && member.generation === generation);
    });
  }

  /** The in-sync set that is agreed upon: the document's, or the newest that any member remembers. */
  newestSet(machine: SimMachine): readonly { readonly store: string | null; readonly generation: number }[] {
    if (this.registry !== null) return this.registry.documentOf(machine.shard)?.inSync ?? [];
    const states = [machine, ...this.othersOf(machine)].flatMap((one) => one.state?.leadership ?? []);
    const newest = states.sort((a, b) => b.epoch - a.epoch || b.setVersion - a.setVersion)[0];
    return newest?.inSync ?? [];
  }

  onState(machine: SimMachine, { before, after }: { before: MemberState; after: MemberState }): void {
    const { leadership } = after;
    const { markers, nowMs } = this.simulation;
    if (leadership !== null && leadership.leader.node !== machine.node) machine.hasFollowed = true;
    if (after.conflict !== null && before.conflict === null) markers.sometimes("conflict of equal epochs");
    if (after.bootstrap?.phase === "copying" && before.bootstrap?.phase !== "copying") {
      this.#onCopyBegins(machine, { before, after });
    }
    this.#onCopyEnds(machine, before, after);
    const isOwn = leadership?.leader.node === machine.node && leadership.leader.store === after.store.store;
    const isBegun = leadership?.term !== before.leadership?.term || leadership?.epoch !== before.leadership?.epoch;
    if (!isOwn || !isBegun) return;
    const ledger = this.ledgerOf(machine);
    const otherLeads = this.othersOf(machine).some((other) => other.isLeading);
    const start = (machine.store?.lastSequence ?? 0) + 1;
    const epochs = machine.store?.log.epochs ?? [];
    const begun = ledger.begin(leadership, {
      start,
      epochs,
      seenEpoch: before.seenEpoch.epoch,
      atMs: nowMs,
      otherLeads,
    });
    const rival = ledger.terms.find((other) => other.epoch === begun.epoch && other.term !== begun.term);
    if (this.registry !== null && rival !== undefined) {
      this.simulation.fail("an epoch has one leader", `${machine.node} and ${rival.node} begin epoch ${begun.epoch}`);
    }
    markers.sometimes(begun.isPromotion ? "promotion" : "restart of a leader", begun.epoch > 1);
    markers.sometimes("two leaders at once", ledger.splitAtMs === nowMs);
    const isNeeded = this.coordinatorLostAtMs < nowMs;
    if (isNeeded) this.simulation.fail("nobody needs the coordinator", `${machine.node} leads anew`);
    this.simulation.note(machine.node, `leads from ${start} with epoch ${begun.epoch} ${begun.term}`);
  }

  onLog(machine: SimMachine, level: string, message: string): void {
    const { simulation } = this;
    simulation.trace.remark(simulation.nowMs, machine.node, () => `${level}: ${message}`);
    if (message.includes("NO_COMMON_HISTORY")) this.#onHalt(machine, message);
    if (message.includes("no longer reaches back")) simulation.markers.sometimes("cut off from a trimmed log");
    if (message.includes("behind what was committed here")) simulation.markers.sometimes("deposed leader starts anew");
    if (message.startsWith("The log was cut")) simulation.markers.sometimes("divergence cut");
    if (!message.startsWith("This copy is complete")) return;
    simulation.markers.sometimes("snapshot bootstrap");
    simulation.markers.sometimes("copy resumed after a crash", machine.resumesCopy);
  }

  /** The tree never holds what this node's own log could still lose (M102), nor what is not committed (D5). */
  onTransaction(machine: SimMachine): void {
    const { store, state } = machine;
    if (store === null || state === null || state.bootstrap !== null || state.damage !== null) return;
    const { applyingThrough } = machine.treeFile.snapshot.position;
    if (applyingThrough <= store.settledSequence) return;
    const detail = `${machine.node} applied ${applyingThrough}, settled ${store.settledSequence}`;
    this.simulation.fail("the tree holds only what is committed and flushed", detail);
  }

  onKilledInCall(machine: SimMachine): void {
    this.simulation.markers.sometimes("killed within a call to the disk");
    this.startIn(machine, RESTART_MS);
  }

  onExit(machine: SimMachine, { reason, isOfDisk }: { reason: string; isOfDisk: boolean }): void {
    const { faults } = this.swarm;
    if (machine.foreignDirectoryOf !== null) return this.#onForeignDirectory(machine, reason);
    // A copy that has to write down what it cuts, or its own state, ends when there is no room, and tries again.
    const isFull = faults.includes("disk full") && !machine.wasLeading && reason.includes("ENOSPC");
    const isExpected = isOfDisk && (faults.includes("flush error") || faults.includes("disk brim-full") || isFull);
    this.simulation.markers.sometimes("exit upon a disk error", isExpected);
    if (faults.includes("corruption") && reason.includes("no readable segment")) {
      // It will not start over what it cannot read; its operator empties the directory, since another copy is whole.
      machine.wipe();
    } else if (!isExpected) this.simulation.fail("no process dies of its own fault", `${machine.node}: ${reason}`);
    this.startIn(machine, RESTART_MS);
  }

  /** Gives every machine its own data directory again. */
  mendDirectories(): void {
    for (const machine of this.machines) {
      const owner = machine.foreignDirectoryOf;
      if (owner === null || machine.running !== null || owner.running !== null) continue;
      machine.exchangeDirectories(owner);
      for (const one of [machine, owner]) this.startIn(one, TRY_AGAIN_MS);
    }
  }

  /** A directory of another node is refused with a clear message, whatever it holds (storage.md, One owner). */
  #onForeignDirectory(machine: SimMachine, reason: string): void {
    const isRefused = reason.includes("belongs to");
    if (!isRefused) this.simulation.fail("a foreign directory is refused", `${machine.node}: ${reason}`);
    this.simulation.markers.sometimes("directory of another node refused");
    this.simulation.schedule(TRY_AGAIN_MS, "operator mends", () => this.mendDirectories());
  }

  /** Without split leaders and damaged disks, no two members ever hold committed entries that contradict each other. */
  #onHalt(machine: SimMachine, message: string): void {
    this.simulation.markers.sometimes("copy halts");
    const ledger = this.ledgerOf(machine);
    const isLossy = ledger.terms.some((term) => term.acceptsLoss);
    const isExcused = ledger.splitAtMs !== null || isLossy || this.swarm.faults.includes("corruption");
    if (!isExcused) this.simulation.fail("no copy halts", `${machine.node}: ${message}`);
  }

  #start(machine: SimMachine): void {
    if (machine.running !== null) return;
    const waitMs = machine.heldUntilMs - this.simulation.nowMs;
    if (waitMs > 0) return this.startIn(machine, waitMs);
    const mayMeetRival = this.emphasis.allowsSplit !== true && this.registry === null;
    if (mayMeetRival && !this.#mayReturn(machine)) return this.startIn(machine, TRY_AGAIN_MS);
    machine.start();
  }

  /** Whether a node that may take itself for the leader can hear of the one that was promoted meanwhile. */
  #mayReturn(machine: SimMachine): boolean {
    const ledger = this.ledgerOf(machine);
    const highest = ledger.highestEpoch;
    const leadership = machine.state?.leadership ?? null;
    const isNamedFirst = machine.shard.members[0]?.node === machine.node;
    const believesToLead = leadership === null ? isNamedFirst : leadership.leader.node === machine.node;
    // Of a leadership that it wrote down in the moment of its death nobody has heard.
    if (!believesToLead || highest === 0 || (leadership?.epoch ?? 0) >= highest) return true;
    const knows = (other: SimMachine): boolean =>
      other.running !== null && !other.isPaused && other.store !== null && other.state?.leadership?.epoch === highest;
    if (!this.othersOf(machine).some(knows)) return false;
    this.keepQuiet(ledger, RETURN_MS);
    return true;
  }

  /** An in-sync member is never cut off from the log (storage.md, Retention); a lossy promotion may make it start anew. */
  #onCopyBegins(machine: SimMachine, { before, after }: { before: MemberState; after: MemberState }): void {
    this.simulation.markers.sometimes("copy begun");
    this.onCopy?.(machine);
    // A copy with a damaged row is thrown away whatever the leader's log holds (rule S5).
    if (after.damage === null) this.#checkRetention(machine, before);
    machine.hasBeenCopy = true;
    machine.resumesCopy = false;
    const ledger = this.ledgerOf(machine);
    const isDamaged = before.damage !== null || this.swarm.faults.includes("corruption");
    const isExcused = isDamaged || before.bootstrap !== null || ledger.splitAtMs !== null;
    const isLossy = ledger.terms.some((term) => term.acceptsLoss);
    if (this.shape.replication !== "in-sync" || isExcused || isLossy) return;
    const { store, generation } = before.store;
    const isInSync =
      this.#leaderOver(machine)?.state?.leadership?.inSync.some(
        (member) => member.store === store && member.generation === generation,
      ) === true;
    if (isInSync) {
      this.simulation.fail("an in-sync member is never cut off", `${machine.node} has to copy everything anew`);
    }
  }

  /** A copy is whole when the log has been replayed past everything that its rows may hold (§2.12 step 5). */
  #onCopyEnds(machine: SimMachine, before: MemberState, after: MemberState): void {
    if (before.bootstrap?.phase !== "replaying" || after.bootstrap !== null) return;
    const { appliedSequence } = machine.treeFile.snapshot.position;
    const { mustReach } = before.bootstrap;
    // Behind its base the log begins.
    const isAhead = mustReach >= (machine.store?.log.startSequence ?? Infinity);
    this.simulation.markers.sometimes("copy is ahead of its base", isAhead);
    if (appliedSequence >= mustReach) return;
    const detail = `${machine.node} calls its copy whole at ${appliedSequence}, it must reach ${mustReach}`;
    this.simulation.fail("no copy is whole before its log has caught up with its rows", detail);
  }

  /**
   * Nobody who is away is cut off before the log has grown to its limit, at least as far as one segment goes (storage.md, Retention).
   * Not for logs that begin late for another reason: the leader was a copy itself, or its disk was full.
   */
  #checkRetention(machine: SimMachine, before: MemberState): void {
    const leader = this.#leaderOver(machine);
    // Replicas trim by themselves: their logs may be short when they begin to lead.
    const hasAlwaysLed = leader?.hasFollowed === false;
    const hasHole = machine.hasBeenCopy || leader?.hasBeenCopy !== false;
    const isExcused = before.bootstrap !== null || before.damage !== null || !hasAlwaysLed || hasHole;
    const isFull = this.swarm.faults.some((fault) => fault.startsWith("disk"));
    if (isExcused || isFull || leader.store === null || leader.store.log.startSequence === 1) return;
    const { logSizes, logRetainBytesMax } = this.shape;
    const leastBytes = Math.min(logRetainBytesMax, this.shape.diskBytes / 8) - 2 * logSizes.segmentBytesMax;
    if (leader.store.log.sizeBytes >= leastBytes) return;
    const detail = `${machine.node} is cut off by ${leader.node}, whose log has ${leader.store.log.sizeBytes} bytes`;
    this.simulation.fail("nobody is cut off before the log is at its limit", detail);
  }

  /** Of those who lead, or still believe so, the newest. */
  #leaderOver(machine: SimMachine): SimMachine | undefined {
    const epochOf = ({ state }: SimMachine): number => state?.leadership?.epoch ?? 0;
    const leading = this.othersOf(machine).filter((other) => other.isLeading);
    return leading.sort((a, b) => epochOf(b) - epochOf(a))[0];
  }

  #drawClock(node: NodeName): MachineClock {
    const random = this.simulation.randomFor(`clock ${node}`);
    const hasDrift = this.swarm.has("clock drift");
    const spread = (width: number): number => (hasDrift ? (random.next() * 2 - 1) * width : 0);
    return new MachineClock({
      rate: 1 + spread(0.01),
      offsetMs: 1000 + random.next() * 1e6,
      wallOffsetMs: spread(5000),
    });
  }
}
