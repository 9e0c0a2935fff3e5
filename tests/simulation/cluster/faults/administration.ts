import type { SeededRandom } from "../../../../src/base/random.ts";
import { changedMembers } from "../../../../src/cli/documents/change-members.ts";
import { encodeShardDocument } from "../../../../src/model/shard-document.ts";
import type { ClusterWorld } from "../cluster-world.ts";
import type { Operator } from "../operator.ts";
import type { ShardRegistry } from "../shard-registry.ts";
import type { SimMachine } from "../sim-machine.ts";
import type { Plague, Victims } from "./plague.ts";

const FORCED_MS = 1500;

/** What operators of a shard with a coordinator do while everything else goes on: handovers, members, promotions by force. */
export class Administration {
  readonly #world: ClusterWorld;
  readonly #victims: Victims;
  readonly #operator: Operator;

  constructor(world: ClusterWorld, victims: Victims, operator: Operator) {
    this.#world = world;
    this.#victims = victims;
    this.#operator = operator;
  }

  plagues(): Plague[] {
    return [
      { name: "handover", everyMs: [1500, 6000], strike: (random) => this.#handOver(random) },
      { name: "member change", everyMs: [2000, 8000], strike: (random) => this.#changeMembers(random) },
      { name: "forced promotion", everyMs: [5000, 12_000], strike: (random) => this.#force(random) },
    ];
  }

  /** Everybody in the topology is wanted again. */
  heal(): void {
    const { registry, ledgers } = this.#world;
    if (registry === null) return;
    for (const { shard } of ledgers.values()) {
      for (const { node } of shard.members) this.#change(registry, { kind: "add", shard, node });
    }
  }

  /** `kv handover`, or `kv promote`, of some member: of the in-sync set or not, while its leader is well or not. */
  #handOver(random: SeededRandom): void {
    const machine = this.#victims.draw(random);
    if (machine === undefined) return;
    const isHandover = random.next() < 0.7;
    const request = { shard: machine.shard.name, node: machine.node, dryRun: false, acceptDataLoss: false, isHandover };
    this.#operator.promote(machine, request, (report) => {
      this.#world.simulation.markers.sometimes("leadership handed over", report?.done === true);
    });
  }

  #changeMembers(random: SeededRandom): void {
    const { registry, ledgers, simulation } = this.#world;
    const shards = [...ledgers.values()].map(({ shard }) => shard);
    const shard = shards[random.below(shards.length)];
    const node = shard?.members[random.below(shard.members.length)]?.node;
    if (registry === null || shard === undefined || node === undefined) return;
    const kind = registry.documentOf(shard)?.members.includes(node) === true ? "remove" : "add";
    const isChanged = this.#change(registry, { kind, shard, node });
    simulation.markers.sometimes(kind === "remove" ? "member removed" : "member added", isChanged);
  }

  /** As `kv member` does, at one instant: what lies between its reading and its swap, the members' own swaps exercise. */
  #change(registry: ShardRegistry, change: Parameters<typeof changedMembers>[1]): boolean {
    const document = registry.documentOf(change.shard);
    if (document === null) return false;
    const changed = changedMembers(document, change);
    if (changed === null || "refusal" in changed) return false;
    const { members } = changed;
    const version = document.version + 1;
    const next = { ...document, members, version, token: `members/${version}`, cause: "members" as const };
    registry.replace(change.shard, encodeShardDocument(next));
    return true;
  }

  /** A member outside the set is promoted by force, because the leader cannot be heard: it may run on for a moment. */
  #force(random: SeededRandom): void {
    const leader = this.#victims.leader(random);
    const others = leader === undefined ? [] : this.#world.othersOf(leader);
    // Nobody forces an empty copy upon others: they would not take it for their history.
    const target = others.find((one) => this.#victims.mayStrike(one) && (one.store?.lastSequence ?? 0) > 0);
    if (leader === undefined || target === undefined) return;
    const isStopped = random.next() < 0.5;
    const { network, simulation } = this.#world;
    for (const { node } of others) network.isolate(leader.node, [node]);
    if (isStopped) leader.kill();
    simulation.schedule(FORCED_MS, "operator forces", () => this.#promoteByForce(target, leader));
    simulation.schedule(6000 + random.next() * 3000, "operator heals", () => {
      for (const { node } of others) {
        network.unblock(leader.node, node);
        network.unblock(node, leader.node);
      }
      if (isStopped) this.#world.startIn(leader, 0);
    });
  }

  #promoteByForce(target: SimMachine, leader: SimMachine): void {
    if (target.running === null || this.#world.isHealing) return;
    const ledger = this.#world.ledgerOf(target);
    // Who promotes past a leader that nobody has stopped is told that both may answer for a moment (L9).
    if (leader.running !== null) ledger.splitAtMs ??= this.#world.simulation.nowMs;
    const { name } = target.shard;
    const request = { shard: name, node: target.node, dryRun: false, acceptDataLoss: true, isHandover: false };
    this.#operator.promote(target, request, (report) => {
      this.#world.simulation.markers.sometimes("promotion by force", report?.done === true);
    });
  }
}
