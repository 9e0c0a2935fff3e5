import type { SeededRandom } from "../../../../src/base/random.ts";
import type { ClusterWorld } from "../cluster-world.ts";
import type { Plague, Victims } from "./plague.ts";

/** Ways between machines that are cut, in one direction or both, and a coordinator that does not answer. */
export class NetworkFaults {
  readonly #world: ClusterWorld;
  readonly #victims: Victims;

  constructor(world: ClusterWorld, victims: Victims) {
    this.#world = world;
    this.#victims = victims;
  }

  plagues(): Plague[] {
    return [
      { name: "partition", everyMs: [1000, 8000], strike: (random) => this.#partition(random) },
      { name: "flapping", everyMs: [300, 2000], strike: (random) => this.#flap(random) },
      { name: "coordinator outage", everyMs: [2000, 8000], strike: (random) => this.#silenceCoordinator(random) },
      { name: "coordinator cut", everyMs: [1500, 8000], strike: (random) => this.#cutFromCoordinator(random) },
    ];
  }

  #partition(random: SeededRandom): void {
    const { network, simulation, machines } = this.#world;
    const victim = this.#victims.draw(random);
    if (victim === undefined) return;
    const near = this.#world.othersOf(victim);
    const group = near.length > 0 && random.next() < 0.8 ? near : machines.filter((machine) => machine !== victim);
    const others = random.next() < 0.4 ? group : group.slice(0, 1 + random.below(group.length));
    const directions = random.below(3);
    const pairs = others.flatMap((other): [string, string][] => {
      const out: [string, string][] = directions === 1 ? [] : [[victim.node, other.node]];
      return directions === 2 ? out : [...out, [other.node, victim.node]];
    });
    for (const [from, to] of pairs) network.block(from, to);
    simulation.markers.sometimes(directions === 0 ? "partition" : "one-way partition");
    simulation.schedule(100 * 120 ** random.next(), "partition ends", () => {
      for (const [from, to] of pairs) network.unblock(from, to);
    });
  }

  /** Connections between two members of a shard are lost again and again. */
  #flap(random: SeededRandom): void {
    const { network } = this.#world;
    const victim = this.#victims.draw(random);
    if (victim === undefined) return;
    const others = this.#world.othersOf(victim);
    const other = others[random.below(others.length)];
    if (other !== undefined) network.resetBetween(victim.node, other.node);
  }

  #silenceCoordinator(random: SeededRandom): void {
    const { simulation, registry } = this.#world;
    if (registry === null) return;
    registry.coordinator.setState(random.next() < 0.5 ? "refusing" : "silent");
    simulation.markers.sometimes("coordinator outage");
    simulation.schedule(200 * 50 ** random.next(), "coordinator returns", () => registry.coordinator.setState("up"));
  }

  /** One machine alone does not reach the coordinator, or does not hear its answers. */
  #cutFromCoordinator(random: SeededRandom): void {
    const { simulation, registry } = this.#world;
    const machine = this.#victims.draw(random);
    if (registry === null || machine === undefined) return;
    registry.coordinator.cut(machine.node, random.next() < 0.5 ? "both" : "replies");
    simulation.markers.sometimes("cut from the coordinator");
    simulation.schedule(200 * 50 ** random.next(), "way to the coordinator returns", () => {
      registry.coordinator.cut(machine.node, "none");
    });
  }
}
