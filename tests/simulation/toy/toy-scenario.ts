import { checkHistory } from "../../support/linearizability/check-history.ts";
import { HistoryRecorder } from "../../support/linearizability/history-recorder.ts";
import type { Outcome, RegisterOperation, RegisterResult } from "../../support/linearizability/history.ts";
import { MachineClock } from "../base/machine-clock.ts";
import { SimProcess } from "../base/sim-process.ts";
import { Simulation } from "../base/simulation.ts";
import { Swarm } from "../base/swarm.ts";
import { Clients } from "../clients.ts";
import type { NetworkWeather } from "../network/network-weather.ts";
import { CALM_NETWORK } from "../network/network-weather.ts";
import type { SimEndpoint } from "../network/sim-endpoint.ts";
import { SimNetwork } from "../network/sim-network.ts";
import type { RunOptions, RunReport, Scenario } from "../scenario.ts";
import type { ToyBug, ToyDisk } from "./toy-server.ts";
import { ToyServer } from "./toy-server.ts";

const SERVER = "server:1";
const FAULT_PHASE_MS = 20_000;

/** The simulator's own test: one toy server, five clients on machines of their own, every fault of network and process. */
export function toyScenario(bug: ToyBug): Scenario {
  return {
    name: bug === null ? "toy" : `toy-${bug}`,
    expectedMarkers: ["crash with calls open", "pause", "partition", "answer unknown"],
    run: (options) => new ToyWorld(options, bug).run(),
  };
}

class ToyWorld {
  readonly #options: RunOptions;
  readonly #bug: ToyBug;
  readonly #simulation: Simulation;
  readonly #swarm: Swarm;
  readonly #network: SimNetwork;
  readonly #disk: ToyDisk = { cells: new Map(), version: 0 };
  readonly #serverClock: MachineClock;
  readonly #clientEndpoints: SimEndpoint[] = [];
  readonly #recorder: HistoryRecorder;
  readonly #clients: Clients;
  readonly #flushMsMax: number;
  #server: SimProcess;

  constructor(options: RunOptions, bug: ToyBug) {
    this.#options = options;
    this.#bug = bug;
    this.#simulation = new Simulation(options.seed, options.sink);
    this.#swarm = new Swarm(this.#simulation.randomFor("swarm"), options.without);
    this.#network = new SimNetwork(this.#simulation, drawWeather(this.#swarm));
    this.#flushMsMax = this.#swarm.magnitude("flush", 0.2, 200);
    this.#serverClock = new MachineClock({ rate: 1.005, offsetMs: 5000, wallOffsetMs: -200 });
    this.#recorder = new HistoryRecorder(() => this.#simulation.nowMs);
    this.#server = this.#startServer();
    for (let client = 0; client < 5; client++) this.#clientEndpoints.push(this.#startClient(client));
    this.#clients = new Clients({
      simulation: this.#simulation,
      recorder: this.#recorder,
      clientCount: 5,
      keyCount: 5,
      operationsPerKey: 100,
      operationCount: Math.ceil(600 * options.workload),
      thinkMs: 20,
      readShare: 0.5,
      incrementShare: 0.1,
      execute: (client, key, operation, done) => this.#execute(client, { key, operation }, done),
    });
  }

  run(): RunReport {
    const simulation = this.#simulation;
    this.#clients.start();
    this.#plagueWith("crash", () => this.#crash());
    this.#plagueWith("pause", () => this.#pause());
    this.#plagueWith("partition", () => this.#partition());
    simulation.runUntil(FAULT_PHASE_MS);
    this.#network.heal();
    this.#network.weather = CALM_NETWORK;
    const isServed = simulation.runUntilTrue(FAULT_PHASE_MS + 60_000, () => this.#clients.isDone);
    if (!isServed && simulation.violation === null) {
      simulation.fail("all clients are served after the faults", `${this.#clients.endedCount} operations have ended`);
    }
    if (simulation.violation === null) {
      const [violation] = checkHistory(this.#recorder.history());
      if (violation !== undefined) simulation.fail("linearizable", violation.report);
    }
    return {
      seed: this.#options.seed,
      violation: simulation.violation,
      traceHash: simulation.trace.hash,
      eventCount: simulation.eventCount,
      virtualMs: simulation.nowMs,
      operationCount: this.#clients.endedCount,
      faults: this.#swarm.faults,
      markers: simulation.markers.counts,
    };
  }

  #startServer(): SimProcess {
    const simulation = this.#simulation;
    const random = simulation.randomFor(`server ${simulation.nowMs}`);
    const process = new SimProcess({ simulation, name: SERVER, clock: this.#serverClock, random });
    const flushMs = (): number => 0.1 + random.next() * this.#flushMsMax;
    process.enter(() => {
      const server = new ToyServer({ process, disk: this.#disk, flushMs, bug: this.#bug });
      this.#network.endpoint(SERVER, process).listen(server);
    });
    return process;
  }

  #startClient(client: number): SimEndpoint {
    const simulation = this.#simulation;
    const clock = new MachineClock({ rate: 1, offsetMs: 0, wallOffsetMs: 0 });
    const name = `client-${client}:1`;
    const process = new SimProcess({ simulation, name, clock, random: simulation.randomFor(name) });
    return this.#network.endpoint(name, process);
  }

  #execute(
    client: number,
    body: { key: string; operation: RegisterOperation },
    done: (outcome: Outcome) => void,
  ): void {
    const request = Buffer.from(JSON.stringify(body));
    this.#clientEndpoints[client]?.request(SERVER, {
      body: request,
      timeoutMs: 2000,
      done: (answer) => {
        if ("error" in answer) {
          this.#simulation.markers.sometimes(answer.sent ? "answer unknown" : "answer not sent");
          done({ kind: answer.sent ? "unknown" : "notApplied" });
        } else {
          done({ kind: "ok", result: JSON.parse(answer.body.toString()) as RegisterResult });
        }
      },
    });
  }

  /** Repeats a fault at random intervals during the fault phase, if the seed has it. */
  #plagueWith(name: string, strike: () => void): void {
    if (!this.#swarm.has(name)) return;
    const random = this.#simulation.randomFor(name);
    const everyMs = this.#swarm.magnitude(`${name} interval`, 300, 5000);
    const next = (): void => {
      this.#simulation.schedule(random.next() * 2 * everyMs, `strikes ${name}`, () => {
        if (this.#simulation.nowMs >= FAULT_PHASE_MS) return;
        strike();
        next();
      });
    };
    next();
  }

  #crash(): void {
    if (!this.#server.isAlive) return;
    const random = this.#simulation.randomFor(`crash ${this.#simulation.nowMs}`);
    this.#simulation.note("fault", "crash");
    this.#simulation.markers.sometimes("crash with calls open", !this.#clients.isDone);
    this.#server.kill();
    this.#network.leave(SERVER, random.next() < 0.3 ? "silent" : "closed");
    this.#simulation.schedule(random.next() * 2000, "restart", () => (this.#server = this.#startServer()));
  }

  #pause(): void {
    const durationMs = this.#swarm.magnitude(`pause ${this.#simulation.nowMs}`, 10, 5000);
    this.#simulation.note("fault", `pause of ${durationMs.toFixed(0)} ms`);
    this.#simulation.markers.sometimes("pause");
    this.#server.pause(durationMs);
  }

  #partition(): void {
    const random = this.#simulation.randomFor(`partition ${this.#simulation.nowMs}`);
    const client = this.#clientEndpoints[random.below(this.#clientEndpoints.length)]?.node ?? "";
    this.#simulation.markers.sometimes("partition");
    if (random.next() < 0.6) this.#network.block(client, SERVER);
    if (random.next() < 0.6) this.#network.block(SERVER, client);
    this.#simulation.schedule(random.next() * 5000, "heal", () => this.#network.heal());
  }
}

function drawWeather(swarm: Swarm): NetworkWeather {
  return {
    ...CALM_NETWORK,
    latencyMedianMs: swarm.magnitude("latency", 0.1, 20),
    latencySigma: swarm.magnitude("latency spread", 0.1, 1),
    spikeShare: swarm.has("spikes") ? 0.01 : 0,
    spikeMsMax: 3000,
    resetShare: swarm.has("resets") ? 0.01 : 0,
    halfOpenShare: swarm.has("half-open") ? 0.5 : 0,
    lingerShare: swarm.has("linger") ? 0.5 : 0,
    duplicateShare: swarm.has("duplicates") ? 0.5 : 0,
  };
}
