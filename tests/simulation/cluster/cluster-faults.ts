import type { SeededRandom } from "../../../src/base/random.ts";
import { SPACE } from "../../../src/model/entry.ts";
import type { ClusterWorld } from "./cluster-world.ts";
import type { Operator } from "./operator.ts";
import type { SimMachine } from "./sim-machine.ts";

/** What strikes one machine or path, how often at most and at least (mean interval in ms). */
interface Plague {
  readonly name: string;
  readonly everyMs: readonly [number, number];
  readonly strike: (random: SeededRandom) => void;
}

const FILLED_MS_MAX = 8000;

/** The faults of a run: each kind that the seed has strikes at random times until the cluster heals. */
export class ClusterFaults {
  readonly #world: ClusterWorld;
  readonly #operator: Operator;

  constructor(world: ClusterWorld, operator: Operator) {
    this.#world = world;
    this.#operator = operator;
  }

  start(): void {
    for (const plague of this.#plagues()) if (this.#world.swarm.has(plague.name)) this.#begin(plague);
    if (this.#world.swarm.has("death of a copy")) this.#world.onCopy = (machine) => this.#interrupt(machine);
  }

  /** Ends everything that still lasts. */
  heal(): void {
    const { network, machines } = this.#world;
    network.heal();
    this.#world.registry?.coordinator.setState("up");
    for (const { node } of machines) this.#world.registry?.coordinator.cut(node, "none");
    for (const machine of machines) {
      machine.slownessMs = 0;
      machine.applyMsMax = 1;
      machine.disk.faults.fillerBytes = 0;
      machine.disk.faults.flush = null;
      machine.treeFile.isFull = false;
    }
  }

  #plagues(): Plague[] {
    return [
      { name: "kill", everyMs: [1200, 8000], strike: (random) => this.#kill(random) },
      { name: "power cut", everyMs: [1500, 8000], strike: (random) => this.#powerCut(random) },
      { name: "clean stop", everyMs: [2000, 8000], strike: (random) => this.#stop(random) },
      { name: "blackout", everyMs: [6000, 15_000], strike: (random) => this.#blackOut(random) },
      { name: "pause", everyMs: [800, 6000], strike: (random) => this.#pause(random) },
      { name: "partition", everyMs: [1000, 8000], strike: (random) => this.#partition(random) },
      { name: "slow disk", everyMs: [1500, 8000], strike: (random) => this.#slowDown(random) },
      { name: "disk full", everyMs: [3000, 10_000], strike: (random) => this.#fill(random, false) },
      { name: "disk brim-full", everyMs: [3000, 10_000], strike: (random) => this.#fill(random, true) },
      { name: "flush error", everyMs: [4000, 12_000], strike: (random) => this.#failFlush(random) },
      { name: "wipe", everyMs: [5000, 12_000], strike: (random) => this.#wipe(random) },
      { name: "promotion", everyMs: [2500, 10_000], strike: () => this.#operator.strike() },
      { name: "coordinator outage", everyMs: [2000, 8000], strike: (random) => this.#silenceCoordinator(random) },
      { name: "coordinator cut", everyMs: [1500, 8000], strike: (random) => this.#cutFromCoordinator(random) },
      { name: "corruption", everyMs: [4000, 10_000], strike: (random) => this.#corrupt(random) },
    ];
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

  /** A machine that runs and is not under an operator's hands; where it hurts more often than not: leaders, copies under way. */
  #victim(random: SeededRandom): SimMachine | undefined {
    const machines = this.#world.machines.filter((one) => one.running !== null && !this.#world.isQuiet(one));
    const leaders = machines.filter((machine) => machine.isLeading);
    const copies = machines.filter((machine) => machine.state?.bootstrap !== null);
    const dice = random.next();
    const group = copies.length > 0 && dice < 0.5 ? copies : leaders.length > 0 && dice > 0.5 ? leaders : machines;
    return group[random.below(group.length)];
  }

  #mayStrike(machine: SimMachine): boolean {
    return machine.running !== null && !this.#world.isHealing && !this.#world.isQuiet(machine);
  }

  #kill(random: SeededRandom): void {
    const machine = this.#victim(random);
    machine?.kill();
    if (machine !== undefined) this.#restart(machine, random);
  }

  #stop(random: SeededRandom): void {
    const machine = this.#victim(random);
    if (machine === undefined) return;
    machine.stop();
    // Started again when it is gone, as a rolling restart does.
    const again = (): void => {
      if (machine.running === null) this.#restart(machine, random);
      else this.#world.simulation.schedule(200, "stopping", again);
    };
    this.#world.simulation.schedule(200, "stopping", again);
  }

  /** Most copies are made once the faults are over: who copies, or gives the rows, dies on the way even then. */
  #interrupt(machine: SimMachine): void {
    const { simulation } = this.#world;
    const random = simulation.randomFor(`interrupt ${simulation.nowMs}`);
    if (random.next() < 0.3) return;
    const leader = this.#world.othersOf(machine).find((other) => other.isLeading);
    const leaderShare = this.#world.swarm.magnitude("deaths of leaders that give rows", 0.2, 0.4);
    const victim = leader !== undefined && random.next() < leaderShare ? leader : machine;
    simulation.schedule(400 * random.next() ** 3, "death of a copy", () => {
      if (victim.running === null || this.#world.isQuiet(victim)) return;
      if (random.next() < this.#world.swarm.magnitude("deaths by power", 0.3, 0.7)) victim.powerCut();
      else victim.kill();
      this.#world.startIn(victim, random.next() * 1000);
    });
  }

  #powerCut(random: SeededRandom): void {
    const machine = this.#victim(random);
    machine?.powerCut();
    if (machine !== undefined) this.#restart(machine, random);
  }

  /** A whole shard, or the whole cluster, dies within moments. */
  #blackOut(random: SeededRandom): void {
    const { machines, simulation } = this.#world;
    const first = this.#victim(random);
    if (first === undefined) return;
    const isTotal = random.next() < 0.5;
    const isPower = random.next() < 0.5;
    for (const machine of machines) {
      if (this.#world.isQuiet(machine) || (!isTotal && machine.shard !== first.shard)) continue;
      simulation.schedule(random.next() * random.next() * 200, "black-out", () => {
        if (!this.#mayStrike(machine)) return;
        if (isPower) machine.powerCut();
        else machine.kill();
        this.#restart(machine, random);
      });
    }
  }

  #restart(machine: SimMachine, random: SeededRandom): void {
    const dice = random.next();
    if (this.#world.isHealing) return this.#world.startIn(machine, dice * 500);
    const delayMs = dice < 0.3 ? random.next() * 100 : dice < 0.85 ? random.next() * 3000 : random.next() * 60_000;
    this.#world.startIn(machine, delayMs);
  }

  #pause(random: SeededRandom): void {
    this.#victim(random)?.pause(10 * 800 ** random.next());
  }

  #partition(random: SeededRandom): void {
    const { network, simulation, machines } = this.#world;
    const victim = this.#victim(random);
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
    simulation.markers.sometimes("partition");
    simulation.schedule(100 * 120 ** random.next(), "partition ends", () => {
      for (const [from, to] of pairs) network.unblock(from, to);
    });
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
    const machine = this.#victim(random);
    if (registry === null || machine === undefined) return;
    registry.coordinator.cut(machine.node, random.next() < 0.5 ? "both" : "replies");
    simulation.markers.sometimes("cut from the coordinator");
    simulation.schedule(200 * 50 ** random.next(), "way to the coordinator returns", () => {
      registry.coordinator.cut(machine.node, "none");
    });
  }

  #slowDown(random: SeededRandom): void {
    const { simulation } = this.#world;
    const machine = this.#victim(random);
    if (machine === undefined) return;
    machine.slownessMs = 20 * 150 ** random.next();
    simulation.note(machine.node, `has a slow disk: ${machine.slownessMs.toFixed(0)} ms`);
    simulation.schedule(500 + random.next() * 6000, "disk recovers", () => (machine.slownessMs = 0));
  }

  /** Leaves a little room, so that `node.json` can be replaced but the log gets no new segment; or none at all. */
  #fill(random: SeededRandom, isToTheBrim: boolean): void {
    const { simulation } = this.#world;
    const machine = this.#victim(random);
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
    const machine = this.#victim(random);
    if (machine === undefined) return;
    const { faults } = machine.disk;
    simulation.note(machine.node, "will fail its next flush");
    const powerFailsAfterMs = random.next() < 0.5 ? random.next() * 1500 : null;
    faults.flush = () => {
      faults.flush = null;
      if (powerFailsAfterMs !== null) {
        simulation.schedule(powerFailsAfterMs, "power fails", () => {
          if (!this.#mayStrike(machine)) return;
          machine.powerCut();
          this.#restart(machine, random);
        });
      }
      return "EIO";
    };
  }

  /** A directory is emptied; never the last whole copy. */
  #wipe(random: SeededRandom): void {
    const { simulation } = this.#world;
    const machine = this.#victim(random);
    if (machine === undefined || !this.#world.isCoveredWithout(machine)) return;
    // Its claim to the leadership may still be accepted, for a store that holds nothing any more: only an operator can help then.
    if (this.#world.registry?.coordinator.mayStillHear(machine.node) === true) return;
    simulation.markers.sometimes(machine.isLeading ? "wiped leader" : "wiped replica");
    machine.kill();
    machine.wipe();
    this.#world.startIn(machine, random.next() * 2000);
  }

  /** Bits flip on the disk of a machine that is down for a moment; never on the last whole copy. */
  #corrupt(random: SeededRandom): void {
    const { simulation } = this.#world;
    const machine = this.#victim(random);
    if (machine === undefined || !this.#world.isCoveredWithout(machine)) return;
    const isReplica = machine.running?.member.role === "replica";
    machine.isHarmed = true;
    machine.kill();
    const rows = machine.treeFile.snapshot.rows.get(SPACE.user) ?? [];
    const row = rows[random.below(rows.length)];
    if (isReplica && row !== undefined && random.next() < 0.4) {
      machine.treeFile.damage(SPACE.user, row.key);
      simulation.note(machine.node, `has a damaged row: ${row.key}`);
      simulation.markers.sometimes("damaged row");
      this.#world.startIn(machine, random.next() * 2000);
      return;
    }
    const names = machine.disk.list("/data/log");
    const name = names[random.below(names.length)];
    if (name === undefined) return;
    const path = `/data/log/${name}`;
    const content = machine.disk.content(path);
    let end = content.length;
    while (end > 0 && content[end - 1] === 0) end--;
    machine.mayLackNewest = true;
    if (end > 0) machine.disk.flipBit(path, random.below(end), random.below(8));
    simulation.note(machine.node, `has a flipped bit in ${name}`);
    this.#world.startIn(machine, random.next() * 2000);
  }
}
