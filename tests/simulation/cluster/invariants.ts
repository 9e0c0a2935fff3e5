import type { Reply } from "../../../src/model/operation.ts";
import { LIMITS } from "../../../src/model/limits.ts";
import type { InSyncMember } from "../../../src/model/leadership.ts";
import type { OperationNotes } from "./cluster-history.ts";
import type { ClusterWorld } from "./cluster-world.ts";
import type { SimMachine } from "./sim-machine.ts";

const LOOK_EVERY_MS = 100;
const PENDING_EVENTS_MAX = 60_000;

/** What must hold at every moment, seen by somebody who can look into every machine. */
export class Invariants {
  readonly #world: ClusterWorld;

  constructor(world: ClusterWorld) {
    this.#world = world;
  }

  start(): void {
    const look = (): void => {
      this.look();
      this.#world.simulation.schedule(LOOK_EVERY_MS, "observer looks", look);
    };
    look();
  }

  look(): void {
    const { simulation, machines } = this.#world;
    for (const machine of machines) {
      this.#world.onTransaction(machine);
      this.#checkCommit(machine);
      this.#checkSetIsWhole(machine);
      this.#checkMemory(machine);
      this.#checkQueues(machine);
    }
    if (simulation.pendingCount > PENDING_EVENTS_MAX) {
      simulation.fail("no queue grows without bound", `${simulation.pendingCount} events are pending`);
    }
  }

  /** An in-sync acknowledgement rests on the disk of every member of the set (§2.7). */
  onAnswer(reply: Reply, { shard, guarantee }: OperationNotes): void {
    if (!reply.ok || guarantee !== "in-sync" || !isWrite(reply)) return;
    const ledger = this.#world.ledgers.get(shard);
    const leader = this.#world.machines.find(({ node }) => node === reply.answerer.node);
    if (ledger === undefined || ledger.splitAtMs !== null || leader === undefined || !leader.isLeading) return;
    const { epoch, sequence } = reply.position;
    if (leader.state?.leadership?.epoch === epoch) {
      this.#checkSet(leader, sequence, "an in-sync acknowledgement is true");
    }
  }

  /** What any member of the set could lead with holds everything up to `sequence`. */
  #checkSet(leader: SimMachine, sequence: number, property: string): void {
    for (const member of this.#setOf(leader)) {
      const machine = this.#world.machines.find(({ node }) => node === member.node);
      const { store, state } = machine ?? { store: null, state: null };
      if (machine === undefined || store === null || state === null) continue;
      if (state.store.store !== member.store || state.store.generation !== member.generation) continue;
      const where = `${machine.node} of the in-sync set of ${leader.node}`;
      // A flipped bit in the newest batch looks like a torn one: that batch at most is gone, and others have it.
      if (store.durableSequence >= sequence) machine.mayLackNewest = false;
      if (store.durableSequence < sequence && !machine.mayLackNewest) {
        this.#world.simulation.fail(property, `${sequence} is not flushed by ${where}: ${store.durableSequence}`);
      } else if (state.bootstrap !== null) {
        this.#world.simulation.fail(property, `${sequence} rests on ${where}, which is incomplete`);
      }
    }
  }

  /**
   * On whom the leader's acknowledgements rest. With a coordinator that is the set of the document in force, as long as it is of
   * the leader's epoch: who may be elected is who is in it.
   */
  #setOf(leader: SimMachine): readonly InSyncMember[] {
    const leadership = leader.state?.leadership ?? null;
    const { registry } = this.#world;
    if (leadership === null || registry === null) return leadership?.inSync ?? [];
    const document = registry.documentOf(leader.shard);
    return document?.epoch === leadership.epoch ? document.inSync : [];
  }

  #checkCommit(leader: SimMachine): void {
    if (!leader.isLeading || leader.store === null || this.#world.ledgerOf(leader).splitAtMs !== null) return;
    if (this.#world.shape.replication !== "in-sync") return;
    // After a promotion that gave up data a member of its set may still have to be cut to this leader's log. What the leader
    // had committed before rests on nobody then; it serves nothing before everybody has confirmed its first entry (R3).
    const hasLost = (leader.state?.leadership?.lineage ?? 0) > 0;
    if (hasLost && leader.running?.member.readiness().ready !== true) return;
    this.#checkSet(leader, leader.store.commitSequence, "what is committed is flushed by the whole set");
  }

  /** Who discards data takes a new name first (I5), and joins the set again when whole (2.8): nobody in it is ever incomplete. */
  #checkSetIsWhole(leader: SimMachine): void {
    if (!leader.isLeading) return;
    for (const { store, state, node } of this.#world.othersOf(leader)) {
      const isMember = this.#setOf(leader).some(
        (member) => member.store === state?.store.store && member.generation === state.store.generation,
      );
      if (store === null || !isMember || state?.bootstrap === null) continue;
      this.#world.simulation.fail("nobody in the in-sync set is incomplete", `${node} is in the set of ${leader.node}`);
    }
  }

  /** Before anything of an epoch is taken in, that epoch is known for good (P1). */
  #checkMemory(machine: SimMachine): void {
    const { store, state, running } = machine;
    // While it fetches a longer log in order to lead, the log itself is what it remembers by.
    if (store === null || state === null || running?.member.role === "none") return;
    if (store.lastEpoch.epoch <= state.seenEpoch.epoch) return;
    const detail = `${machine.node} holds entries of epoch ${store.lastEpoch.epoch}, remembers ${state.seenEpoch.epoch}`;
    this.#world.simulation.fail("an epoch is remembered before it is acted upon", detail);
  }

  #checkQueues(machine: SimMachine): void {
    const { store } = machine;
    if (store === null || store.memtable.sizeBytes <= 2 * LIMITS.memtableBytesMax) return;
    this.#world.simulation.fail(
      "no queue grows without bound",
      `the memtable of ${machine.node} has ${store.memtable.sizeBytes} bytes`,
    );
  }
}

function isWrite(reply: Reply & { readonly ok: true }): boolean {
  const { kind } = reply.result;
  return kind === "written" || kind === "deleted" || kind === "incremented";
}
