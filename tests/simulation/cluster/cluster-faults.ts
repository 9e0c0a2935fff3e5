import type { ClusterWorld } from "./cluster-world.ts";
import { Administration } from "./faults/administration.ts";
import { DiskFaults } from "./faults/disk-faults.ts";
import { NetworkFaults } from "./faults/network-faults.ts";
import { type Plague, Victims } from "./faults/plague.ts";
import { ProcessFaults } from "./faults/process-faults.ts";
import { Trials } from "./faults/trials.ts";
import type { Operator } from "./operator.ts";

/** The faults of a run: each kind that the seed has strikes at random times until the cluster heals. */
export class ClusterFaults {
  readonly #world: ClusterWorld;
  readonly #operator: Operator;
  readonly #processes: ProcessFaults;
  readonly #administration: Administration;
  readonly #trials: Trials;
  readonly #plagues: readonly Plague[];

  constructor(world: ClusterWorld, operator: Operator) {
    this.#world = world;
    this.#operator = operator;
    const victims = new Victims(world);
    this.#processes = new ProcessFaults(world, victims);
    this.#administration = new Administration(world, victims, operator);
    this.#trials = new Trials(world);
    this.#plagues = [
      ...this.#administration.plagues(),
      ...this.#processes.plagues(),
      ...new NetworkFaults(world, victims).plagues(),
      ...new DiskFaults(world, victims).plagues(),
      { name: "promotion", everyMs: [2500, 10_000], strike: () => this.#operator.strike() },
    ];
  }

  start(): void {
    for (const plague of this.#plagues) if (this.#world.swarm.has(plague.name)) this.#begin(plague);
    this.#trials.start();
    if (this.#world.swarm.has("death of a copy")) this.#world.onCopy = (machine) => this.#processes.interrupt(machine);
  }

  /** Ends everything that still lasts. */
  heal(): void {
    const { network, machines, registry } = this.#world;
    network.heal();
    if (this.#world.coordinatorLostAtMs === Infinity) registry?.coordinator.setState("up");
    registry?.coordinator.calm();
    this.#administration.heal();
    for (const machine of machines) {
      registry?.coordinator.cut(machine.node, "none");
      machine.slownessMs = 0;
      machine.flushesHangUntilMs = 0;
      machine.applyMsMax = 1;
      machine.disk.faults.fillerBytes = 0;
      machine.disk.faults.flush = null;
      machine.disk.crashAfterChanges(Infinity);
      machine.treeFile.isFull = false;
    }
  }

  #begin({ name, everyMs, strike }: Plague): void {
    const { simulation, swarm } = this.#world;
    const random = simulation.randomFor(name);
    const meanMs = swarm.magnitude(`${name} interval`, everyMs[0], everyMs[1]);
    const next = (): void => {
      simulation.schedule(-Math.log(1 - random.next()) * meanMs, `strikes ${name}`, () => {
        if (this.#world.isHealing) return;
        strike(random);
        next();
      });
    };
    next();
  }
}
