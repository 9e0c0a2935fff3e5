import type { PromotionReport } from "../../../src/model/status.ts";
import type { ClusterWorld } from "./cluster-world.ts";
import { contentHash, DAMAGED } from "./copies.ts";
import type { Operator } from "./operator.ts";
import type { ShardLedger } from "./shard-ledger.ts";
import type { SimMachine } from "./sim-machine.ts";

const LOOK_EVERY_MS = 500;
/** How long a shard may look after itself before its operator steps in. */
const PATIENCE_MS = 3500;

/** What an operator does once the faults are over, and whether the cluster is well again. */
export class Healer {
  readonly #world: ClusterWorld;
  readonly #operator: Operator;
  readonly #troubledSinceMs: Map<ShardLedger, number> = new Map();
  readonly #promoting: Set<ShardLedger> = new Set();
  #isStopped = false;
  /** Promotions of this shard that were refused since the faults ended. */
  readonly #refusals: Map<ShardLedger, number> = new Map();

  constructor(world: ClusterWorld, operator: Operator) {
    this.#world = world;
    this.#operator = operator;
  }

  /** Lets things be from now on. */
  stop(): void {
    this.#isStopped = true;
  }

  start(): void {
    const look = (): void => {
      if (this.#isStopped) return;
      for (const ledger of this.#world.ledgers.values()) this.#tend(ledger);
      this.#world.simulation.schedule(LOOK_EVERY_MS, "healer looks", look);
    };
    look();
  }

  /** Whether every shard has one leader that serves. */
  get isServing(): boolean {
    return [...this.#world.ledgers.values()].every(
      (ledger) => this.#leaderOf(ledger)?.running?.member.readiness().ready === true,
    );
  }

  /** What keeps the copies from being equal and in sync, one sentence a fault; empty when all is well. */
  faults(): string[] {
    return [...this.#world.ledgers.values()].flatMap((ledger) => this.#faultsOf(ledger));
  }

  /** Everything that is known of every member, for a report. */
  describe(): string {
    return this.#world.machines.map((machine) => describe(machine)).join("\n");
  }

  #faultsOf(ledger: ShardLedger): string[] {
    const machines = this.#world.machinesOf(ledger);
    const leaders = machines.filter((machine) => machine.isLeading);
    const leader = leaders[0];
    if (leader?.store === null || leader?.running === null || leader === undefined || leaders.length > 1) {
      return [`${ledger.shard.name} has ${leaders.length} leaders`];
    }
    const faults: string[] = [];
    const { lastSequence, settledSequence } = leader.store;
    if (settledSequence < lastSequence) faults.push(`${leader.node} has not committed ${lastSequence}`);
    for (const { node, inSync, connected } of leader.running.member.status().replicas) {
      if (!inSync || !connected) faults.push(`${node} is not in sync with ${leader.node}`);
    }
    const hash = contentHash(leader);
    if (hash === DAMAGED) faults.push(`${leader.node} leads with a damaged row`);
    for (const machine of machines) {
      const { store, state } = machine;
      if (store === null || state === null) faults.push(`${machine.node} is down`);
      else if (store.settledSequence !== lastSequence || store.durableSequence !== lastSequence) {
        faults.push(`${machine.node} is at ${store.settledSequence}, its leader at ${lastSequence}`);
      } else if (state.bootstrap !== null || state.damage !== null || state.conflict !== null) {
        faults.push(`${machine.node} is not whole`);
      } else if (machine !== leader && machine.running?.member.readiness().ready !== true) {
        faults.push(`${machine.node} is not ready`);
      } else if (contentHash(machine) !== hash) {
        faults.push(`${machine.node} holds ${contentHash(machine)}, its leader ${hash}, both at ${lastSequence}`);
      }
    }
    return faults;
  }

  #leaderOf(ledger: ShardLedger): SimMachine | undefined {
    const leaders = this.#world.machinesOf(ledger).filter((machine) => machine.isLeading);
    return leaders.length === 1 ? leaders[0] : undefined;
  }

  #tend(ledger: ShardLedger): void {
    // With a coordinator the members look after themselves.
    if (this.#world.registry !== null) return;
    const { simulation } = this.#world;
    const leader = this.#leaderOf(ledger);
    const isDamaged = leader !== undefined && contentHash(leader) === DAMAGED;
    const isWell = leader?.running?.member.readiness().ready === true && this.#absentOf(leader) === null && !isDamaged;
    if (isWell) this.#troubledSinceMs.delete(ledger);
    this.#clearHalted(ledger, leader);
    if (isWell || this.#promoting.has(ledger)) return;
    const sinceMs = this.#troubledSinceMs.get(ledger) ?? simulation.nowMs;
    this.#troubledSinceMs.set(ledger, sinceMs);
    if (simulation.nowMs - sinceMs < PATIENCE_MS) return;
    const refusals = this.#refusals.get(ledger) ?? 0;
    const candidates = leader === undefined || isDamaged ? this.#candidates(ledger) : [leader];
    const target = candidates[refusals % Math.max(1, candidates.length)];
    if (target === undefined) return;
    const acceptDataLoss = refusals >= candidates.length;
    if (acceptDataLoss) {
      simulation.markers.sometimes("healed accepting loss");
      simulation.note("healer", `${ledger.shard.name} needs loss\n${this.describe()}`);
    }
    this.#promoting.add(ledger);
    const request = { shard: ledger.shard.name, node: target.node, dryRun: false, acceptDataLoss, isHandover: false };
    this.#operator.promote(target, request, (report) => this.#onReport(ledger, report));
  }

  #onReport(ledger: ShardLedger, report: PromotionReport | null): void {
    this.#promoting.delete(ledger);
    if (report?.done === true) this.#troubledSinceMs.delete(ledger);
    else if (report !== null) this.#refusals.set(ledger, (this.#refusals.get(ledger) ?? 0) + 1);
    this.#world.simulation.markers.sometimes("healed by a promotion", report?.done === true);
  }

  /** A member of the leader's set that does not exist any more, so that writes wait for it for ever. */
  #absentOf(leader: SimMachine): string | null {
    const set = leader.state?.leadership?.inSync ?? [];
    const others = this.#world.othersOf(leader);
    const isThere = (store: string | null): boolean =>
      store === null || others.some((one) => one.state?.store.store === store);
    return set.find((member) => member.node !== leader.node && !isThere(member.store))?.node ?? null;
  }

  /** Whole copies first, the longest first. */
  #candidates(ledger: ShardLedger): SimMachine[] {
    const isWhole = (machine: SimMachine): boolean =>
      machine.state?.bootstrap === null && machine.state.damage === null && contentHash(machine) !== DAMAGED;
    const end = ({ store }: SimMachine): number => (store?.lastEpoch.epoch ?? 0) * 1e7 + (store?.lastSequence ?? 0);
    return this.#world
      .machinesOf(ledger)
      .filter((machine) => machine.running !== null)
      .sort((a, b) => Number(isWhole(b)) - Number(isWhole(a)) || end(b) - end(a));
  }

  /** A copy that shares no history with its leader stops and says so; its operator empties the directory. */
  #clearHalted(ledger: ShardLedger, leader: SimMachine | undefined): void {
    if (leader === undefined) return;
    for (const machine of this.#world.machinesOf(ledger)) {
      const reason = machine.running?.member.readiness().reason ?? "";
      const isHalted = reason.includes("NO_COMMON_HISTORY");
      if (!isHalted || machine === leader) continue;
      this.#world.simulation.markers.sometimes("halted copy");
      machine.kill();
      machine.wipe();
      this.#world.startIn(machine, 200);
    }
  }
}

function describe(machine: SimMachine): string {
  const { store, state, running } = machine;
  const member = running?.member;
  const log =
    store === null
      ? "no log"
      : `log ${store.log.startSequence}–${store.lastSequence} durable ${store.durableSequence} commit ${store.commitSequence} ` +
        `applied ${store.appliedSequence} epoch ${store.lastEpoch.epoch}/${store.lastEpoch.term.slice(0, 4)}`;
  const { leadership, ...rest } = state ?? {};
  const set = leadership?.inSync.map((one) => `${one.node}/${one.store?.slice(0, 4)}.${one.generation}`).join(" ");
  const known = `knows ${leadership?.leader.node} ${leadership?.epoch}/${leadership?.term.slice(0, 4)}.${leadership?.setVersion} {${set}}`;
  return `${machine.node} ${member?.role ?? "down"}: ${member?.readiness().reason ?? ""}; ${log}; ${known}; ${JSON.stringify(rest)}`;
}
