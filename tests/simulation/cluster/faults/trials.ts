import type { SeededRandom } from "../../../../src/base/random.ts";
import { firstDocument } from "../../../../src/cli/documents/first-document.ts";
import { encodeShardDocument } from "../../../../src/model/shard-document.ts";
import type { Shard } from "../../../../src/model/topology.ts";
import type { CoordinatorBackup } from "../../base/sim-coordinator.ts";
import type { ClusterWorld } from "../cluster-world.ts";
import type { SimMachine } from "../sim-machine.ts";

const BACKUP_MS = 5000;
const RESTORED_MS = 5000;
const LOOK_MS = 200;
/** A second that the disk must have been full, one for what is under way, and the swap. */
const HANDED_OVER_MS = 3000;

/**
 * Faults that strike once in a run, when all is well, and what must follow: service by somebody else after a leader that cannot
 * serve any more, service without a coordinator, silence after a coordinator that forgot.
 */
export class Trials {
  readonly #world: ClusterWorld;
  readonly #random: SeededRandom;

  constructor(world: ClusterWorld) {
    this.#world = world;
    this.#random = world.simulation.randomFor("trials");
  }

  start(): void {
    const { swarm } = this.#world;
    if (swarm.has("useless leader")) this.#whenWell(() => this.#disable());
    if (swarm.has("full leader")) this.#whenWell(() => this.#fillLeader());
    if (swarm.has("lost coordinator")) this.#whenWell(() => this.#loseCoordinator());
    if (swarm.has("restored coordinator")) {
      this.#whenWell((backup) => this.#world.simulation.schedule(BACKUP_MS, "old", () => this.#restore(backup)));
    }
  }

  /** Calls `next` as soon as every shard has its whole set. */
  #whenWell(next: (backup: CoordinatorBackup) => void): void {
    const { simulation, registry } = this.#world;
    if (registry === null) return;
    const look = (): void => {
      if (this.#world.isHealing) return;
      if (this.#isWell) next(registry.coordinator.backup());
      else simulation.schedule(LOOK_MS, "trial waits", look);
    };
    simulation.schedule(3000 + this.#random.next() * 3000, "trial waits", look);
  }

  get #isWell(): boolean {
    return [...this.#world.ledgers.values()].every((ledger) => {
      const machines = this.#world.machinesOf(ledger);
      const document = this.#world.registry?.documentOf(ledger.shard) ?? null;
      const isUp = machines.every(({ store, isPaused }) => store !== null && !isPaused);
      const isKnown = machines.every(({ state }) => state?.leadership?.setVersion === document?.version);
      const isLed = machines.some(({ term }) => term?.isOpen === true);
      return isUp && isKnown && isLed && document?.inSync.length === machines.length;
    });
  }

  /** A leader whose disk hangs, or who is heard by all and hears nobody (L8, L10): it must not keep the others from leading. */
  #disable(): void {
    const { simulation, network, registry, shape } = this.#world;
    const leaders = this.#world.machines.filter((machine) => machine.isLeading);
    const leader = leaders[this.#random.below(leaders.length)];
    const others = leader === undefined ? [] : this.#world.othersOf(leader);
    if (leader === undefined || others.length === 0 || shape.coordination === null) return;
    const hangs = this.#random.next() < 0.5;
    if (hangs) leader.flushesHangUntilMs = this.#world.faultsEndMs + 1000;
    else {
      for (const { node } of others) network.block(node, leader.node);
      registry?.coordinator.cut(leader.node, "both");
    }
    simulation.note(leader.node, hangs ? "has a disk that hangs" : "is heard, and hears nobody");
    const waitMs = shape.coordination.graceMs + shape.coordination.leaseMs + 5000;
    simulation.schedule(waitMs, "successor", () => {
      const successor = others.find(({ term }) => term?.isOpen === true);
      simulation.markers.sometimes(hangs ? "leader replaced whose disk hangs" : "leader replaced who hears nobody");
      if (successor !== undefined) return;
      simulation.fail("a leader that cannot serve is replaced", `nobody leads in place of ${leader.node}`);
    });
  }

  /** A leader's disk fills up, and stays full while others have room (S4): when writes are refused for it, somebody else leads soon. */
  #fillLeader(): void {
    const { simulation } = this.#world;
    const leaders = this.#world.machines.filter((machine) => machine.isLeading);
    const leader = leaders[this.#random.below(leaders.length)];
    const term = leader?.term ?? null;
    if (leader === undefined || term === null || this.#world.othersOf(leader).length === 0) return;
    const leftBytes = 2500 + this.#random.below(2000);
    leader.disk.faults.fillerBytes += Math.max(0, leader.disk.freeBytes() - leftBytes);
    leader.treeFile.isFull = this.#random.next() < 0.5;
    simulation.note(leader.node, "has a full disk");
    const look = (): void => {
      if (this.#world.isHealing) return;
      const successor = this.#world.othersOf(leader).find((other) => other.term?.isOpen === true);
      if (successor !== undefined) return simulation.markers.sometimes("full leader handed over");
      const refusedForMs = term.isEnded ? 0 : (term.operations.shortage.measure()?.forMs ?? 0);
      const detail = `${leader.node} has had no room for ${refusedForMs.toFixed(0)} ms`;
      if (refusedForMs > HANDED_OVER_MS) return simulation.fail("a leader whose disk is full hands over", detail);
      simulation.schedule(LOOK_MS, "full leader watched", look);
    };
    look();
  }

  /** From now on there is no coordinator: as long as the members are well, nobody notices (D4). */
  #loseCoordinator(): void {
    this.#world.simulation.note("coordinator", "is lost");
    this.#world.loseCoordinator();
  }

  /** The coordinator has the documents of an old backup (C5): whoever has seen newer ones goes by none of these. */
  #restore(backup: CoordinatorBackup): void {
    const { simulation, registry, ledgers } = this.#world;
    if (registry === null || this.#world.isHealing) return;
    const isOlder = [...ledgers.values()].every(({ shard }) => {
      const stored = backup.documents.get(registry.keyOf(shard));
      return stored !== undefined && stored.value !== registry.coordinator.documentOf(registry.keyOf(shard))?.value;
    });
    // Only where all have seen what is newer can they tell.
    if (!isOlder || !this.#isWell) {
      simulation.schedule(LOOK_MS, "trial waits", () => this.#restore(backup));
      return;
    }
    const counts = [...ledgers.values()].map(({ terms }) => terms.length);
    registry.coordinator.restore(backup);
    simulation.markers.sometimes("coordinator restored from an old backup");
    simulation.schedule(RESTORED_MS, "operator rebuilds", () => {
      for (const [index, ledger] of [...ledgers.values()].entries()) {
        const begun = ledger.terms[counts[index] ?? 0];
        if (begun !== undefined) simulation.fail("nobody goes by an old document", `${begun.node} led by it`);
        this.#rebuild(ledger.shard);
      }
    });
  }

  /** `kv coordinator rebuild`. */
  #rebuild(shard: Shard): void {
    const { simulation, registry } = this.#world;
    const machines = this.#world.machines.filter((machine) => machine.shard === shard);
    const accounts = machines.flatMap(({ running }: SimMachine) => running?.member.account() ?? []);
    const present = registry?.documentOf(shard) ?? null;
    const document = firstDocument({
      shard,
      accounts,
      minInSync: present?.minInSync ?? 1,
      adopts: true,
      forces: false,
      present,
      cause: "restart",
      term: this.#random.hex64(),
      token: `rebuild/${shard.name}`,
    });
    if ("refusal" in document) {
      simulation.note("operator", document.refusal);
      if (!this.#world.isHealing || simulation.nowMs < this.#world.faultsEndMs + 10_000) {
        simulation.schedule(500, "operator rebuilds", () => this.#rebuild(shard));
      }
      return;
    }
    registry?.replace(shard, encodeShardDocument(document));
    simulation.markers.sometimes("documents rebuilt");
  }
}
