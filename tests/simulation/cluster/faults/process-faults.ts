import type { SeededRandom } from "../../../../src/base/random.ts";
import type { ClusterWorld } from "../cluster-world.ts";
import type { SimMachine } from "../sim-machine.ts";
import type { Plague, Victims } from "./plague.ts";

/** A member that dies in the middle of a call dies soon: most changes of a disk are made within moments. */
const CHANGES_MAX = 12;

/** Processes that die, stop, stand still, or stay away for longer than anybody waits for them. */
export class ProcessFaults {
  readonly #world: ClusterWorld;
  readonly #victims: Victims;
  #isWaitingForHeirs = false;

  constructor(world: ClusterWorld, victims: Victims) {
    this.#world = world;
    this.#victims = victims;
  }

  plagues(): Plague[] {
    return [
      { name: "kill", everyMs: [1200, 8000], strike: (random) => this.#kill(random) },
      {
        name: "blink",
        everyMs: [800, 5000],
        strike: (random) => this.#whenReplaceable(random, (one) => this.#blink(one, random)),
      },
      { name: "death in a call", everyMs: [1500, 8000], strike: (random) => this.#killInCall(random) },
      { name: "power cut", everyMs: [1500, 8000], strike: (random) => this.#powerCut(random) },
      { name: "clean stop", everyMs: [2000, 8000], strike: (random) => this.#stop(random) },
      { name: "blackout", everyMs: [6000, 15_000], strike: (random) => this.#blackOut(random) },
      { name: "pause", everyMs: [800, 6000], strike: (random) => this.#pause(random) },
      { name: "stall", everyMs: [100, 1500], strike: (random) => this.#stall(random) },
      {
        name: "breath",
        everyMs: [2500, 9000],
        strike: (random) => this.#whenReplaceable(random, (one) => this.#takeBreath(one, random)),
      },
      { name: "death of a candidate", everyMs: [50, 300], strike: (random) => this.#killCandidate(random) },
      {
        name: "absence",
        everyMs: [2500, 9000],
        strike: (random) => this.#whenReplaceable(random, (one) => this.#takeAway(one, random)),
      },
      { name: "frozen clock", everyMs: [2000, 8000], strike: (random) => this.#freeze(random) },
      { name: "wild clock", everyMs: [1000, 6000], strike: (random) => this.#hurry(random) },
      { name: "clock step", everyMs: [500, 5000], strike: (random) => this.#stepClock(random) },
    ];
  }

  /** Most copies are made once the faults are over: who copies, or gives the rows, dies on the way even then. */
  interrupt(machine: SimMachine): void {
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

  /** Not for much longer than faults last. */
  #pauseFor(machine: SimMachine | undefined, durationMs: number, isClockFrozen = false): void {
    const leftMs = this.#world.faultsEndMs - this.#world.simulation.nowMs;
    machine?.pause(Math.min(durationMs, Math.max(0, leftMs) + 500), isClockFrozen);
  }

  #kill(random: SeededRandom): void {
    const machine = this.#victims.draw(random);
    machine?.kill();
    if (machine !== undefined) this.#victims.restart(machine, random);
  }

  /** A replica, more often than not, dies and is back at once: what it had promised is forgotten, and what it had not flushed. */
  #blink(leader: SimMachine, random: SeededRandom): void {
    const heirs = this.#heirsOf(leader);
    const machine = random.next() < 0.2 ? leader : heirs[random.below(heirs.length)];
    if (machine === undefined) return;
    if (random.next() < 0.5) machine.kill();
    else machine.powerCut();
    this.#world.startIn(machine, random.next() * 200);
  }

  /** Between two changes of its disk, wherever the code stands then. */
  #killInCall(random: SeededRandom): void {
    this.#victims.draw(random)?.disk.crashAfterChanges(random.below(CHANGES_MAX));
  }

  #stop(random: SeededRandom): void {
    const machine = this.#victims.draw(random);
    if (machine === undefined) return;
    machine.stop();
    // Started again when it is gone, as a rolling restart does.
    const again = (): void => {
      if (machine.running === null) this.#victims.restart(machine, random);
      else this.#world.simulation.schedule(200, "stopping", again);
    };
    this.#world.simulation.schedule(200, "stopping", again);
  }

  #powerCut(random: SeededRandom): void {
    const machine = this.#victims.draw(random);
    machine?.powerCut();
    if (machine !== undefined) this.#victims.restart(machine, random);
  }

  /** A whole shard, or the whole cluster, dies within moments. */
  #blackOut(random: SeededRandom): void {
    const { machines, simulation } = this.#world;
    const first = this.#victims.draw(random);
    if (first === undefined) return;
    const isTotal = random.next() < 0.5;
    const isPower = random.next() < 0.5;
    for (const machine of machines) {
      if (this.#world.isQuiet(machine) || (!isTotal && machine.shard !== first.shard)) continue;
      simulation.schedule(random.next() * random.next() * 200, "black-out", () => {
        if (!this.#victims.mayStrike(machine)) return;
        if (isPower) machine.powerCut();
        else machine.kill();
        this.#victims.restart(machine, random);
      });
    }
  }

  #pause(random: SeededRandom): void {
    this.#pauseFor(this.#victims.draw(random), 10 * 800 ** random.next());
  }

  /** A loop that does not turn for a moment: a long request, a collection of garbage. */
  #stall(random: SeededRandom): void {
    this.#pauseFor(this.#victims.draw(random), 2 * 250 ** random.next());
  }

  /**
   * A leader is away for about as long as others wait for it, or for long: paused for a part of a lease, for more than one, for more
   * than the grace time; killed; or cut off, in one direction or both, from its replicas, the coordinator, or all of them.
   */
  #takeAway(machine: SimMachine, random: SeededRandom): void {
    const { leaseMs, graceMs } = this.#world.shape.coordination ?? { leaseMs: 1500, graceMs: 2000 };
    const lengths = [0.3 * leaseMs, 1.2 * leaseMs, 1.5 * graceMs, 2 * graceMs, graceMs + 1500, 6000];
    const usualMs = (lengths[random.below(lengths.length)] ?? graceMs) * (0.9 + 0.2 * random.next());
    const { swarm } = this.#world;
    const longestMs = swarm.magnitude("absence at most", 30_000, 30_000);
    const durationMs = Math.min(longestMs, random.next() < 0.03 ? 30_000 : usualMs);
    const cutShare = swarm.magnitude("share of cuts", 0.35, 0.35);
    const dice = random.next();
    if (random.next() < cutShare) this.#cutOff(machine, durationMs, random);
    else if (dice < 0.6) this.#pauseFor(machine, durationMs);
    else if (dice < 0.85) machine.kill();
    else machine.powerCut();
    if (machine.running === null) this.#world.startIn(machine, durationMs);
  }

  /** Strikes a leader as soon as there is one whom somebody could replace: nobody else would be missed. */
  #whenReplaceable(random: SeededRandom, strike: (leader: SimMachine) => void): void {
    if (this.#world.isHealing) return;
    const leader = this.#victims.leader(random);
    if (leader !== undefined && this.#heirsOf(leader).length > 0) return strike(leader);
    if (this.#isWaitingForHeirs) return;
    this.#isWaitingForHeirs = true;
    this.#world.simulation.schedule(300, "waits for heirs", () => {
      this.#isWaitingForHeirs = false;
      this.#whenReplaceable(random, strike);
    });
  }

  /** Who may take over from `leader` now. */
  #heirsOf(leader: SimMachine): SimMachine[] {
    const set = this.#world.newestSet(leader);
    return this.#world
      .othersOf(leader)
      .filter((one) => this.#victims.mayStrike(one) && set.some(({ store }) => store === one.state?.store.store));
  }

  #cutOff(machine: SimMachine, durationMs: number, random: SeededRandom): void {
    const { network, simulation, registry } = this.#world;
    const others = this.#world.othersOf(machine);
    const directions = random.below(4);
    for (const { node } of others) {
      if (directions !== 1) network.block(machine.node, node);
      if (directions !== 2) network.block(node, machine.node);
    }
    const isAlone = registry !== null && random.next() < 0.5;
    if (isAlone) registry.coordinator.cut(machine.node, random.next() < 0.7 ? "both" : "replies");
    simulation.markers.sometimes(isAlone ? "leader cut off from everybody" : "leader cut off from its replicas");
    simulation.schedule(random.next() * 300, "just then", () => this.#harmHeir(others, random));
    simulation.schedule(durationMs, "absence ends", () => {
      for (const { node } of others) {
        network.unblock(machine.node, node);
        network.unblock(node, machine.node);
      }
      if (isAlone) registry.coordinator.cut(machine.node, "none");
    });
  }

  /** The moment when a leader is missed is the worst for a replica to forget what it promised, or what time it is. */
  #harmHeir(others: readonly SimMachine[], random: SeededRandom): void {
    const heirs = others.filter((machine) => this.#victims.mayStrike(machine));
    const heir = heirs[random.below(heirs.length)];
    const dice = random.next();
    if (heir === undefined || dice > 0.6) return;
    if (dice < 0.3) {
      this.#world.simulation.note(heir.node, "has its wall clock set");
      return heir.clock.stepWall(10_000);
    }
    heir.kill();
    this.#world.startIn(heir, random.next() * 100);
  }

  /** A replica stands still for a moment, and its leader falls silent just when it goes on and reads what has come meanwhile. */
  #takeBreath(leader: SimMachine, random: SeededRandom): void {
    const { network, simulation } = this.#world;
    const heirs = this.#heirsOf(leader);
    const heir = heirs[random.below(heirs.length)];
    if (heir === undefined) return;
    const durationMs = 600 + random.next() * 700;
    this.#pauseFor(heir, durationMs);
    simulation.schedule(durationMs - random.next() * 50, "breath ends", () => {
      if (!this.#world.isHealing) network.block(leader.node, heir.node);
    });
    simulation.schedule(durationMs + 4000, "silence ends", () => network.unblock(leader.node, heir.node));
  }

  /** Whoever asks the coordinator for the leadership dies before he hears the answer, and is back at once. */
  #killCandidate(random: SeededRandom): void {
    const isAsking = ({ running }: SimMachine): boolean =>
      running?.member.readiness().reason.startsWith("asks") === true;
    const machine = this.#world.machines.find((one) => isAsking(one) && this.#victims.mayStrike(one));
    if (machine === undefined) return;
    this.#world.simulation.markers.sometimes("candidate killed");
    machine.kill();
    this.#world.startIn(machine, random.next() * 200);
  }

  /** A virtual machine is suspended: its monotonic clock stands still with it (beyond A2). */
  #freeze(random: SeededRandom): void {
    const machine = this.#victims.leader(random) ?? this.#victims.draw(random);
    if (machine === undefined) return;
    this.#world.simulation.markers.sometimes("monotonic clock that stood still");
    this.#pauseFor(machine, 500 * 16 ** random.next(), true);
  }

  /** A monotonic clock runs at half or twice its rate for a while (beyond A1). */
  #hurry(random: SeededRandom): void {
    const { simulation } = this.#world;
    const machine = this.#victims.draw(random);
    if (machine === undefined) return;
    simulation.markers.sometimes("monotonic clock out of bounds");
    machine.clock.setRate(simulation.nowMs, 0.5 * 4 ** random.next());
    simulation.schedule(500 + random.next() * 5000, "clock recovers", () => machine.clock.setRate(simulation.nowMs, 1));
  }

  /** Somebody sets the wall clock, which nothing but time stamps may go by. */
  #stepClock(random: SeededRandom): void {
    const machine = this.#victims.draw(random);
    machine?.clock.stepWall((random.next() - 0.5) * 20_000);
  }
}
