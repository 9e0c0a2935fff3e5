import type { Clock, Timer, Timers } from "../../../src/base/clock.ts";
import type { SeededRandom } from "../../../src/base/random.ts";
import type { SimEvent } from "./event-heap.ts";
import type { MachineClock } from "./machine-clock.ts";
import type { Simulation } from "./simulation.ts";

/** The phases of an event loop's turn. After a pause, what piled up is delivered phase by phase, in any order of phases. */
export type LoopPhase = "timer" | "network" | "disk";

interface HeldEvent {
  readonly phase: LoopPhase | "soon";
  readonly run: () => void;
  readonly event: SimEvent;
}

export interface SimProcessOptions {
  readonly simulation: Simulation;
  /** Name of the node, for the trace. */
  readonly name: string;
  readonly clock: MachineClock;
  readonly random: SeededRandom;
  /** Called once when code of the process throws; the process is dead by then. Default: a violation. */
  readonly onUncaught?: (error: unknown) => void;
}

/**
 * One process on one machine, from start to death: its clock, its timers and the gate through which everything reaches it.
 *
 * Invariant: nothing runs in a dead process, ever again; nothing runs in a paused one until it goes on, and then all that was
 * due comes in a burst while its clock has moved on. Code that throws kills the process, as it does in production.
 */
export class SimProcess implements Clock, Timers {
  readonly name: string;
  readonly #simulation: Simulation;
  readonly #clock: MachineClock;
  readonly #random: SeededRandom;
  readonly #onUncaught: (error: unknown) => void;
  readonly #labels: Readonly<Record<LoopPhase | "soon", string>>;
  #isAlive = true;
  #pausedUntilMs = 0;
  #held: HeldEvent[] = [];

  constructor(options: SimProcessOptions) {
    const { name, simulation } = options;
    this.name = name;
    this.#simulation = simulation;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#onUncaught = options.onUncaught ?? ((error) => this.#failOn(error));
    this.#labels = { timer: `${name} timer`, network: `${name} network`, disk: `${name} disk`, soon: `${name} soon` };
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get isPaused(): boolean {
    return this.#pausedUntilMs > this.#simulation.nowMs;
  }

  nowMs(): number {
    return this.#clock.monotonicMs(this.#simulation.nowMs);
  }

  wallMs(): number {
    return this.#clock.wallMs(this.#simulation.nowMs);
  }

  after(delayMs: number, run: () => void): Timer {
    return this.deliver({ phase: "timer", delayMs: this.#clock.trueDelayMs(Math.max(0, delayMs)), run });
  }

  soon(run: () => void): void {
    this.#schedule({ phase: "soon", delayMs: 0, run });
  }

  /** Has `run` called inside this process in `delayMs` of true time: how network and disk reach it. */
  deliver(delivery: { readonly phase: LoopPhase; readonly delayMs: number; readonly run: () => void }): Timer {
    const event = this.#schedule(delivery);
    return { cancel: () => void (event.isCancelled = true) };
  }

  /** Runs `run` now, as this process: start-up code, and calls of clients on the same machine. */
  enter(run: () => void): void {
    if (!this.#isAlive) return;
    try {
      run();
    } catch (error) {
      this.kill();
      this.#onUncaught(error);
    }
  }

  /** Stops the process for `durationMs` of true time (SIGSTOP, garbage collection, a stalled loop); its clocks run on. */
  pause(durationMs: number): void {
    if (!this.#isAlive) return;
    const untilMs = this.#simulation.nowMs + durationMs;
    if (untilMs <= this.#pausedUntilMs) return;
    this.#pausedUntilMs = untilMs;
    this.#simulation.schedule(durationMs, `${this.name} resumes`, () => this.#resume(), { tieBreak: 0 });
  }

  /** Ends the process between two events: nothing of it runs any more. */
  kill(): void {
    this.#isAlive = false;
    this.#held = [];
  }

  #schedule({ phase, delayMs, run }: { phase: LoopPhase | "soon"; delayMs: number; run: () => void }): SimEvent {
    // What is wanted "soon" comes before any timer of the same instant.
    const options = phase === "soon" ? { tieBreak: 0 } : {};
    const event: SimEvent = this.#simulation.schedule(
      delayMs,
      this.#labels[phase],
      () => this.#pass({ phase, run, event }),
      options,
    );
    return event;
  }

  /** The gate: runs what has become due, unless the process is dead or paused. */
  #pass(due: HeldEvent): void {
    if (!this.#isAlive || due.event.isCancelled) return;
    if (this.isPaused) this.#held.push(due);
    else this.enter(due.run);
  }

  #resume(): void {
    if (!this.#isAlive || this.isPaused) return;
    const held = this.#held;
    this.#held = [];
    const rank = { soon: -1, timer: this.#random.next(), network: this.#random.next(), disk: this.#random.next() };
    held.sort(
      (a, b) => rank[a.phase] - rank[b.phase] || a.event.timeMs - b.event.timeMs || a.event.order - b.event.order,
    );
    for (const [index, due] of held.entries()) {
      const tieBreak = index / (held.length + 1) / 2;
      this.#simulation.schedule(0, this.#labels[due.phase], () => this.#pass(due), { tieBreak });
    }
  }

  #failOn(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#simulation.fail("no process dies of its own fault", `${this.name}: ${text}`);
  }
}
