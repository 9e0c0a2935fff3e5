import { type InSyncMember, isSameStore } from "../../../src/model/leadership.ts";
import type { Reply } from "../../../src/model/operation.ts";
import type { ShardDocument } from "../../../src/model/shard-document.ts";
import { epochAt } from "./shard-ledger.ts";
import type { ClusterWorld } from "./cluster-world.ts";
import type { OperationNotes } from "./cluster-history.ts";
import type { ShardLedger } from "./shard-ledger.ts";
import type { ShardRegistry } from "./shard-registry.ts";
import type { SimMachine } from "./sim-machine.ts";

/** The newest entry that a client was told the whole in-sync set has. */
interface Acknowledged {
  readonly epoch: number;
  readonly sequence: number;
}

interface WatchedShard {
  readonly ledger: ShardLedger;
  readonly machines: readonly SimMachine[];
  acknowledged: Acknowledged;
  /** Of the document looked at last. */
  version: number;
}

const NOTHING: Acknowledged = { epoch: 0, sequence: 0 };

/**
 * What failover by documents rests upon (testing.md §6.2), looked at after every event by somebody who sees every disk, every
 * leader's mind and the coordinator.
 *
 * A member that is down is looked at again when it has recovered; one that stands still is not asked whether it believes to hold the
 * lease, since it answers nobody.
 */
export class CoordinatedInvariants {
  readonly #world: ClusterWorld;
  readonly #registry: ShardRegistry;
  readonly #shards: readonly WatchedShard[];

  constructor(world: ClusterWorld, registry: ShardRegistry) {
    this.#world = world;
    this.#registry = registry;
    this.#shards = [...world.ledgers.values()].map((ledger) => ({
      ledger,
      machines: world.machinesOf(ledger),
      acknowledged: NOTHING,
      version: 0,
    }));
  }

  onAnswer(reply: Reply, { shard, guarantee }: OperationNotes): void {
    if (!reply.ok && this.#world.coordinatorLostAtMs < Infinity) this.#onRefused(reply.error.message);
    if (!reply.ok || guarantee !== "in-sync") return;
    const { kind } = reply.result;
    if (kind !== "written" && kind !== "incremented" && kind !== "deleted") return;
    const watched = this.#shards.find(({ ledger }) => ledger.shard.name === shard);
    if (watched === undefined) return;
    const { epoch, sequence } = reply.position;
    if (epoch < watched.acknowledged.epoch || sequence <= watched.acknowledged.sequence) return;
    watched.acknowledged = { epoch, sequence };
  }

  /** As long as its members are well, a shard serves without a coordinator (D4). */
  #onRefused(message: string): void {
    const { simulation, coordinatorLostAtMs } = this.#world;
    // What was under way when it was lost may have waited for something else.
    if (simulation.nowMs < coordinatorLostAtMs + 6000) return;
    simulation.fail("nobody needs the coordinator", message);
  }

  look(): void {
    for (const watched of this.#shards) {
      const document = this.#registry.documentOf(watched.ledger.shard);
      if (document === null) continue;
      // Somebody has said that he accepts the loss.
      if (document.version !== watched.version && document.cause === "unclean") {
        watched.acknowledged = { epoch: document.epoch, sequence: 0 };
        watched.ledger.forcedEpochs.add(document.epoch);
        // Past a leader who has come back meanwhile: both may answer for a moment, as the operator is told (L9).
        const isLed = watched.machines.some(({ term }) => term !== null && term.leadership.epoch < document.epoch);
        if (isLed) watched.ledger.splitAtMs ??= this.#world.simulation.nowMs;
      }
      watched.version = document.version;
      this.#checkCompleteness(watched, document);
      for (const machine of watched.machines) {
        const { term } = machine;
        if (term === null) continue;
        const { epoch } = term.leadership;
        if (epoch === document.epoch) this.#checkSuperset(machine, term.required, document);
        else if (epoch < document.epoch) this.#checkLease(watched, machine, document);
      }
    }
  }

  /** Leader completeness: whoever the document lets take over holds every entry that was acknowledged in-sync. */
  #checkCompleteness({ machines, acknowledged }: WatchedShard, document: ShardDocument): void {
    const { epoch, sequence } = acknowledged;
    if (sequence === 0) return;
    for (const machine of machines) {
      const { store, state } = machine;
      if (store === null || state === null || machine.mayLackNewest || state.bootstrap !== null) continue;
      if (!document.inSync.some((member) => isSameStore(member, state.store))) continue;
      // It asks the others first, and leads only behind one who has all of it.
      if (state.tornEnd) continue;
      const isThere = store.durableSequence >= sequence && epochAt(store.log.epochs, sequence) === epoch;
      if (isThere) continue;
      const detail = `${machine.node} may take over and lacks ${epoch}/${sequence}: it has flushed ${store.durableSequence}`;
      this.#world.simulation.fail("whoever may lead holds all that was acknowledged", detail);
    }
  }

  /** Quorum superset: a leader that can commit asks for everybody who may take over. */
  #checkSuperset(machine: SimMachine, required: readonly InSyncMember[], document: ShardDocument): void {
    const missing = document.inSync.find((member) => !required.some((one) => isSameStore(one, member)));
    if (missing === undefined) return;
    const detail = `${machine.node} commits without ${missing.node} in epoch ${document.epoch}.${document.version}`;
    this.#world.simulation.fail("commits need everybody who may take over", detail);
  }

  /** Lease disjointness: while a newer leader serves, nobody else may believe that reads can be answered. */
  #checkLease({ machines, ledger }: WatchedShard, older: SimMachine, document: ShardDocument): void {
    if (this.#world.emphasis.hasWildClocks === true || older.isPaused || ledger.splitAtMs !== null) return;
    const newer = machines.find(({ term }) => term?.leadership.epoch === document.epoch);
    if (newer?.term?.isOpen !== true || older.term?.isLeaseValid !== true) return;
    const { epoch } = older.term.leadership;
    const detail = `${older.node} holds the lease of epoch ${epoch}, ${newer.node} serves in ${document.epoch}`;
    this.#world.simulation.fail("no lease outlives the beginning of a newer leadership", detail);
  }
}
