import type { Coordinator } from "../../../src/coordinator/coordinator.ts";
import { MachineClock } from "../../simulation/base/machine-clock.ts";
import { SimCoordinator } from "../../simulation/base/sim-coordinator.ts";
import { SimProcess } from "../../simulation/base/sim-process.ts";
import { Simulation } from "../../simulation/base/simulation.ts";
import { CallRules, type CoordinatorSystem, type HeldClient } from "./coordinator-system.ts";

const ANSWER_MS_MAX = 20_000;
const HINT_LAG_MS = 50;

/** The simulator's coordinator, in virtual time. */
export class SimSystem implements CoordinatorSystem {
  readonly #simulation: Simulation;
  readonly #coordinator: SimCoordinator;
  readonly #rules = new CallRules();
  #processCount = 0;

  constructor(seed: number) {
    this.#simulation = new Simulation(seed);
    this.#coordinator = new SimCoordinator(this.#simulation, {
      latencyMs: 2,
      lostRequestChance: 0,
      lostReplyChance: 0,
      lateRequestChance: 0,
      lateSwapChance: 0,
      lateRequestMsMax: 0,
      lostHintChance: 0,
      doubledHintChance: 0.3,
      hintLagMsMax: HINT_LAG_MS,
    });
  }

  connect({ deadlineMs }: { readonly deadlineMs?: number } = {}): Coordinator {
    return this.#coordinator.connect(this.#startProcess(), deadlineMs);
  }

  async connectHeld({ deadlineMs }: { readonly deadlineMs: number }): Promise<HeldClient> {
    const process = this.#startProcess();
    return {
      coordinator: this.#coordinator.connect(process, deadlineMs),
      hold: () => this.#coordinator.hold(process.name),
      release: async () => this.#coordinator.release(process.name),
    };
  }

  async ask<Result>(start: (done: (result: Result) => void) => void): Promise<Result> {
    const { promise, resolve } = Promise.withResolvers<Result>();
    let isAnswered = false;
    this.#rules.watch(start, (result: Result) => {
      isAnswered = true;
      resolve(result);
    });
    // Calls that are made together start before time goes on.
    await Promise.resolve();
    this.#simulation.runUntilTrue(this.#simulation.nowMs + ANSWER_MS_MAX, () => isAnswered);
    if (!isAnswered) throw new Error(`no answer within ${ANSWER_MS_MAX} virtual ms`);
    return promise;
  }

  async wait(ms: number): Promise<void> {
    this.#simulation.runUntil(this.#simulation.nowMs + ms);
  }

  nowMs(): number {
    return this.#simulation.nowMs;
  }

  async kill(): Promise<void> {
    this.#coordinator.setState("refusing");
  }

  async restart(): Promise<void> {
    this.#coordinator.setState("up");
  }

  async dispose(): Promise<void> {
    this.#rules.check();
    if (this.#simulation.violation !== null) throw new Error(this.#simulation.violation.detail);
  }

  #startProcess(): SimProcess {
    const name = `client-${++this.#processCount}`;
    const clock = new MachineClock({ rate: 1, offsetMs: 0, wallOffsetMs: 0 });
    return new SimProcess({ simulation: this.#simulation, name, clock, random: this.#simulation.randomFor(name) });
  }
}
