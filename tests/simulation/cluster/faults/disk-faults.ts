import type { SeededRandom } from "../../../../src/base/random.ts";
import { SPACE } from "../../../../src/model/entry.ts";
import type { ClusterWorld } from "../cluster-world.ts";
import type { SimMachine } from "../sim-machine.ts";
import type { Plague, Victims } from "./plague.ts";

const FILLED_MS_MAX = 8000;

/** Disks that are slow, hang, fill up, fail or forget, and directories that are emptied or exchanged. */
export class DiskFaults {
  readonly #world: ClusterWorld;
  readonly #victims: Victims;

  constructor(world: ClusterWorld, victims: Victims) {
    this.#world = world;
    this.#victims = victims;
  }

  plagues(): Plague[] {
    return [
      { name: "slow disk", everyMs: [1500, 8000], strike: (random) => this.#slowDown(random) },
      { name: "hanging flush", everyMs: [3000, 10_000], strike: (random) => this.#hang(random) },
      { name: "disk full", everyMs: [3000, 10_000], strike: (random) => this.#fill(random, false) },
      { name: "disk brim-full", everyMs: [3000, 10_000], strike: (random) => this.#fill(random, true) },
      { name: "flush error", everyMs: [4000, 12_000], strike: (random) => this.#failFlush(random) },
      { name: "wipe", everyMs: [5000, 12_000], strike: (random) => this.#wipe(random) },
      { name: "swapped directories", everyMs: [5000, 12_000], strike: (random) => this.#exchange(random) },
      { name: "corruption", everyMs: [4000, 10_000], strike: (random) => this.#corrupt(random) },
    ];
  }

  #slowDown(random: SeededRandom): void {
    const { simulation } = this.#world;
    const machine = this.#victims.draw(random);
    if (machine === undefined) return;
    machine.slownessMs = 20 * 150 ** random.next();
    simulation.note(machine.node, `has a slow disk: ${machine.slownessMs.toFixed(0)} ms`);
    simulation.schedule(500 + random.next() * 6000, "disk recovers", () => (machine.slownessMs = 0));
  }

  /** No flush returns for a while: the process runs on, and its disk does not. */
  #hang(random: SeededRandom): void {
    const { simulation } = this.#world;
    const machine = this.#victims.draw(random);
    if (machine === undefined) return;
    const durationMs = 1000 * 10 ** random.next();
    machine.flushesHangUntilMs = simulation.nowMs + durationMs;
    simulation.note(machine.node, `has a disk that hangs for ${durationMs.toFixed(0)} ms`);
    simulation.markers.sometimes(machine.isLeading ? "leader's disk hangs" : "replica's disk hangs");
  }

  /** Leaves a little room, so that `node.json` can be replaced but the log gets no new segment; or none at all. */
  #fill(random: SeededRandom, isToTheBrim: boolean): void {
    const { simulation } = this.#world;
    const machine = this.#victims.draw(random);
    if (machine === undefined) return;
    const { faults } = machine.disk;
    const leftBytes = isToTheBrim ? random.below(1200) : 2500 + random.below(6000);
    faults.fillerBytes += Math.max(0, machine.disk.freeBytes() - leftBytes);
    machine.treeFile.isFull = random.next() < 0.5;
    simulation.note(machine.node, `has ${machine.disk.freeBytes()} bytes left on its disk`);
    simulation.schedule(300 + random.next() * FILLED_MS_MAX, "space returns", () => {
      faults.fillerBytes = 0;
      machine.treeFile.isFull = false;
    });
  }

  /** The next flush of a log file fails; perhaps the machine loses power soon after, before anybody looks. */
  #failFlush(random: SeededRandom): void {
    const { simulation } = this.#world;
    const machine = this.#victims.draw(random);
    if (machine === undefined) return;
    const { faults } = machine.disk;
    simulation.note(machine.node, "will fail its next flush");
    const powerFailsAfterMs = random.next() < 0.5 ? random.next() * 1500 : null;
    faults.flush = () => {
      faults.flush = null;
      if (powerFailsAfterMs !== null) {
        simulation.schedule(powerFailsAfterMs, "power fails", () => {
          if (!this.#victims.mayStrike(machine)) return;
          machine.powerCut();
          this.#victims.restart(machine, random);
        });
      }
      return "EIO";
    };
  }

  /** A directory is emptied; never the last whole copy. */
  #wipe(random: SeededRandom): void {
    const { simulation } = this.#world;
    const machine = this.#victims.draw(random);
    if (machine === undefined || !this.#isSpared(machine)) return;
    simulation.markers.sometimes(machine.isLeading ? "wiped leader" : "wiped replica");
    machine.kill();
    machine.wipe();
    this.#world.startIn(machine, random.next() * 2000);
  }

  /** Two machines come back with each other's data directories: both must refuse, and are given their own again. */
  #exchange(random: SeededRandom): void {
    const first = this.#victims.draw(random);
    const others = this.#world.machines.filter((machine) => machine !== first && this.#victims.mayStrike(machine));
    const second = others[random.below(others.length)];
    if (first === undefined || second === undefined || first.store === null || second.store === null) return;
    for (const machine of [first, second]) machine.kill();
    first.exchangeDirectories(second);
    for (const machine of [first, second]) this.#world.startIn(machine, random.next() * 1000);
  }

  /** Bits flip on the disk of a machine that is down for a moment; never on the last whole copy. */
  #corrupt(random: SeededRandom): void {
    const { simulation } = this.#world;
    const machine = this.#victims.draw(random);
    if (machine === undefined || !this.#isSpared(machine)) return;
    const isReplica = machine.running?.member.role === "replica";
    machine.isHarmed = true;
    machine.kill();
    this.#world.startIn(machine, random.next() * 2000);
    const rows = machine.treeFile.snapshot.rows.get(SPACE.user) ?? [];
    const row = rows[random.below(rows.length)];
    const rowShare = this.#world.swarm.magnitude("share of damaged rows", 0.4, 0.4);
    if (isReplica && row !== undefined && random.next() < rowShare) {
      machine.treeFile.damage(SPACE.user, row.key);
      simulation.note(machine.node, `has a damaged row: ${row.key}`);
      simulation.markers.sometimes("damaged row");
    } else {
      this.#damageLog(machine, random);
    }
  }

  /**
   * Whether the others have all that this one has, and go on having it: what it asked of the coordinator may still be accepted, and
   * name a store that is harmed meanwhile as the leader, or as the whole set. Only an operator can help then.
   */
  #isSpared(machine: SimMachine): boolean {
    return (
      this.#world.isCoveredWithout(machine) && this.#world.registry?.coordinator.mayStillHear(machine.node) !== true
    );
  }

  #damageLog(machine: SimMachine, random: SeededRandom): void {
    const names = machine.disk.list("/data/log");
    const name = names[random.below(names.length)];
    if (name === undefined) return;
    const path = `/data/log/${name}`;
    const content = machine.disk.content(path);
    let end = content.length;
    while (end > 0 && content[end - 1] === 0) end--;
    machine.mayLackNewest = true;
    if (end > 0) machine.disk.flipBit(path, random.below(end), random.below(8));
    this.#world.simulation.note(machine.node, `has a flipped bit in ${name}`);
  }
}
