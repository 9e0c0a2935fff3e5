import type { SeededRandom } from "../../../../src/base/random.ts";
import type { ClusterWorld } from "../cluster-world.ts";
import type { SimMachine } from "../sim-machine.ts";

/** A kind of fault: what it does when it strikes, and how often at most and at least (mean interval in ms). */
export interface Plague {
  readonly name: string;
  readonly everyMs: readonly [number, number];
  readonly strike: (random: SeededRandom) => void;
}

/** Whom faults strike, and how those who died come back. */
export class Victims {
  readonly #world: ClusterWorld;

  constructor(world: ClusterWorld) {
    this.#world = world;
  }

  /** A machine that runs and is not under an operator's hands; where it hurts more often than not: leaders, copies under way. */
  draw(random: SeededRandom): SimMachine | undefined {
    const machines = this.#world.machines.filter((one) => this.mayStrike(one));
    const leaders = machines.filter((machine) => machine.isLeading);
    const copies = machines.filter((machine) => machine.state?.bootstrap !== null);
    const dice = random.next();
    const group = copies.length > 0 && dice < 0.5 ? copies : leaders.length > 0 && dice > 0.5 ? leaders : machines;
    return group[random.below(group.length)];
  }

  /** A leader, if there is one. */
  leader(random: SeededRandom): SimMachine | undefined {
    const leaders = this.#world.machines.filter((machine) => machine.isLeading && this.mayStrike(machine));
    return leaders[random.below(leaders.length)];
  }

  mayStrike(machine: SimMachine): boolean {
    return machine.running !== null && !this.#world.isHealing && !this.#world.isQuiet(machine);
  }

  restart(machine: SimMachine, random: SeededRandom): void {
    const dice = random.next();
    if (this.#world.isHealing) return this.#world.startIn(machine, dice * 500);
    const delayMs = dice < 0.3 ? random.next() * 100 : dice < 0.85 ? random.next() * 3000 : random.next() * 60_000;
    this.#world.startIn(machine, delayMs);
  }
}
