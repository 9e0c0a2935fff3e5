import type { SeededRandom } from "../../../src/base/random.ts";
import { Simulation } from "../base/simulation.ts";
import { Swarm } from "../base/swarm.ts";
import { CALM_NETWORK } from "../network/network-weather.ts";
import type { RunOptions, RunReport, Scenario } from "../scenario.ts";
import { ClusterClients } from "./cluster-clients.ts";
import { ClusterFaults } from "./cluster-faults.ts";
import { ClusterHistory } from "./cluster-history.ts";
import { ClusterWorld } from "./cluster-world.ts";
import { CoordinatedInvariants } from "./coordinated-invariants.ts";
import { firstDifference, treeHash } from "./copies.ts";
import { COORDINATED_EMPHASES } from "./coordinated-emphases.ts";
import { drawEmphasis, type Emphasis, STATIC_EMPHASES } from "./emphasis.ts";
import { Healer } from "./healer.ts";
import { Invariants } from "./invariants.ts";
import { Operator } from "./operator.ts";
import { SessionClients } from "./session-clients.ts";
import type { SimMachine } from "./sim-machine.ts";
import { EXPECTED_SITUATIONS, Situations } from "./situations.ts";
import { Verdict } from "./verdict.ts";

const FAULT_PHASE_MS = 20_000;
const CONVERGENCE_MS = 30_000;
const READ_ALL_MS = 25_000;
/** Keys expire for up to five seconds more, and trees take in what is left within five seconds and a few transactions. */
const SETTLING_MS = 20_000;

/** A whole cluster under every kind of fault; `emphasis` decides some of what is drawn otherwise. */
export function clusterScenario(name: string, emphasis: Emphasis): Scenario {
  // What a scenario of its own emphasises leaves no room for some of the situations of a mixed run.
  return {
    name,
    expectedMarkers: emphasis.expected ?? [],
    run: (options) => new ClusterRun(options, () => emphasis).run(),
  };
}

/** A cluster in static mode, each seed with an emphasis of its own. */
export function mixedClusterScenario(name: string): Scenario {
  const emphases = Object.values(STATIC_EMPHASES).filter(({ hasSessions }) => hasSessions !== true);
  const draw = (random: SeededRandom): Emphasis => drawEmphasis(random, emphases, 0.5);
  return { name, expectedMarkers: EXPECTED_SITUATIONS, run: (options) => new ClusterRun(options, draw).run() };
}

/** A cluster with a coordinator, each seed with an emphasis of its own. */
export function mixedFailoverScenario(name: string): Scenario {
  const emphases = Object.values(COORDINATED_EMPHASES);
  const draw = (random: SeededRandom): Emphasis => drawEmphasis(random, emphases, 0.2);
  const expected = emphases.flatMap((one) => one.expected ?? []);
  const expectedMarkers = [...new Set(expected)].sort();
  return { name, expectedMarkers, run: (options) => new ClusterRun(options, draw).run() };
}

class ClusterRun {
  readonly #options: RunOptions;
  readonly #simulation: Simulation;
  readonly #world: ClusterWorld;
  readonly #history: ClusterHistory;
  readonly #clients: ClusterClients;
  readonly #faults: ClusterFaults;
  readonly #healer: Healer;
  readonly #invariants: Invariants;
  readonly #coordinated: CoordinatedInvariants | null;
  readonly #situations: Situations;
  readonly #sessions: SessionClients | null;

  constructor(options: RunOptions, emphasisFor: (random: SeededRandom) => Emphasis) {
    this.#options = options;
    this.#simulation = new Simulation(options.seed, options.sink);
    const emphasis = emphasisFor(this.#simulation.randomFor("emphasis"));
    const swarm = new Swarm(this.#simulation.randomFor("swarm"), options.without, emphasis);
    this.#world = new ClusterWorld(this.#simulation, swarm, emphasis);
    this.#history = new ClusterHistory(this.#simulation);
    this.#invariants = new Invariants(this.#world);
    const { registry } = this.#world;
    this.#coordinated = registry === null ? null : new CoordinatedInvariants(this.#world, registry);
    const operator = new Operator(this.#world);
    this.#faults = new ClusterFaults(this.#world, operator);
    this.#healer = new Healer(this.#world, operator);
    const situations = new Situations(this.#world);
    this.#situations = situations;
    this.#clients = new ClusterClients({
      simulation: this.#simulation,
      shape: this.#world.shape,
      machines: this.#world.machines,
      history: this.#history,
      onAnswer: (reply, notes) => {
        this.#invariants.onAnswer(reply, notes);
        this.#coordinated?.onAnswer(reply, notes);
        situations.onAnswer(reply, notes);
      },
      onRead: (key) => situations.onRead(key),
    });
    const { shape, machines } = this.#world;
    const areClocksSound = emphasis.hasWildClocks !== true;
    const mayLose = shape.replication === "async";
    const parts = { simulation: this.#simulation, shape, machines, areClocksSound, mayLose };
    this.#sessions = emphasis.hasSessions === true ? new SessionClients(parts) : null;
  }

  run(): RunReport {
    const simulation = this.#simulation;
    for (const machine of this.#world.machines) {
      this.#world.startIn(machine, simulation.randomFor(machine.node).next() * 300);
    }
    this.#clients.start();
    this.#sessions?.start();
    this.#faults.start();
    this.#invariants.start();
    simulation.afterEvent = () => {
      this.#world.buryTheDead();
      this.#coordinated?.look();
    };
    this.#world.faultsEndMs = (this.#world.emphasis.faultMs ?? FAULT_PHASE_MS) * this.#options.workload;
    simulation.runUntil(this.#world.faultsEndMs);
    const healMs = simulation.nowMs;
    if (simulation.violation === null) this.#converge(healMs + CONVERGENCE_MS);
    if (simulation.violation === null) this.#readEverything();
    if (simulation.violation === null) this.#compareCopies();
    if (simulation.violation === null) new Verdict(this.#world, this.#history).give();
    return {
      seed: this.#options.seed,
      violation: simulation.violation,
      traceHash: simulation.trace.hash,
      eventCount: simulation.eventCount,
      virtualMs: simulation.nowMs,
      operationCount: this.#clients.endedCount,
      faults: this.#world.swarm.faults,
      markers: simulation.markers.counts,
    };
  }

  #converge(deadlineMs: number): void {
    const simulation = this.#simulation;
    simulation.note("healing", "all faults end");
    this.#situations.onHealed();
    this.#world.isHealing = true;
    this.#faults.heal();
    this.#world.mendDirectories();
    this.#world.network.weather = CALM_NETWORK;
    for (const machine of this.#world.machines) {
      machine.heldUntilMs = 0;
      if (machine.running === null) {
        this.#world.startIn(machine, 500 * simulation.randomFor(`heal ${machine.node}`).next());
      }
    }
    this.#healer.start();
    this.#require("every shard is led again", deadlineMs, () => this.#healer.isServing);
    const before = [...this.#clients.okCounts];
    const isServed = (): boolean => this.#clients.okCounts.every((count, client) => count > (before[client] ?? 0));
    this.#require("all clients are served again", deadlineMs, isServed);
    this.#clients.stop();
    this.#sessions?.stop();
    const openCount = (): number => this.#clients.openCount + (this.#sessions?.openCount ?? 0);
    this.#require("the copies converge", deadlineMs, () => openCount() === 0 && this.#healer.faults().length === 0);
  }

  #readEverything(): void {
    this.#healer.stop();
    const refused: string[] = [];
    this.#clients.readAll((key, why) => refused.push(`${key}: ${why}`));
    this.#require("every key can be read", this.#simulation.nowMs + READ_ALL_MS, () => this.#clients.openCount === 0);
    if (refused.length > 0) this.#simulation.fail("every key can be read", refused.join("\n"));
  }

  /** Once all trees have taken in all of the log, copies are equal to the byte. */
  #compareCopies(): void {
    const simulation = this.#simulation;
    const { machines } = this.#world;
    const isApplied = (): boolean =>
      machines.every(({ store }) => store !== null && store.appliedSequence === store.lastSequence) &&
      this.#healer.faults().length === 0;
    this.#require("the trees take in the logs", simulation.nowMs + SETTLING_MS, isApplied);
    for (const ledger of this.#world.ledgers.values()) {
      const [first, ...others] = this.#world.machinesOf(ledger);
      for (const other of others) if (first !== undefined) this.#compare(first, other);
    }
    this.#sessions?.checkEnd();
  }

  #compare(a: SimMachine, b: SimMachine): void {
    const difference = firstDifference(a, b);
    if (difference !== null) this.#simulation.fail("logs are equal", `${a.node} and ${b.node} differ at ${difference}`);
    const [one, other] = [treeHash(a), treeHash(b)];
    if (one === other) return;
    this.#simulation.fail("trees are equal", `${a.node}: ${one}\n${b.node}: ${other}\n${this.#healer.describe()}`);
  }

  /** Lets time pass until `isSo`, looked at every 50 ms, or fails. */
  #require(property: string, deadlineMs: number, isSo: () => boolean): void {
    const simulation = this.#simulation;
    while (simulation.violation === null && !isSo()) {
      if (simulation.nowMs >= deadlineMs) {
        simulation.fail(property, [...this.#healer.faults(), this.#healer.describe()].join("\n"));
        return;
      }
      simulation.runUntil(Math.min(deadlineMs, simulation.nowMs + 50));
    }
  }
}
