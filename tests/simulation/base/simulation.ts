import { assert } from "../../../src/base/assert.ts";
import { SeededRandom } from "../../../src/base/random.ts";
import type { SimEvent } from "./event-heap.ts";
import { EventHeap } from "./event-heap.ts";
import { Markers } from "./markers.ts";
import type { TraceSink } from "./trace.ts";
import { Trace } from "./trace.ts";

/** A promise of the product that a run broke. */
export interface PropertyViolation {
  /** Short and stable, such as "linearizable". */
  readonly property: string;
  readonly detail: string;
  readonly atMs: number;
}

export interface EventOptions {
  /** Instead of a random one: 0 comes before all others of the same time. */
  readonly tieBreak?: number;
}

/**
 * The world of one run: virtual time, the events still to come, the source of all chance, the trace and the verdict.
 *
 * Invariant: a seed decides everything. Each concern draws from a sub-stream of its own (`randomFor`), so that a new kind of fault
 * does not reshuffle the others. Time moves only from one event to the next. The first violated property ends the run.
 */
export class Simulation {
  readonly seed: number;
  readonly trace: Trace;
  readonly markers: Markers = new Markers();
  readonly #heap = new EventHeap();
  readonly #root: SeededRandom;
  readonly #tieBreaks: SeededRandom;
  #nowMs = 0;
  #order = 0;
  #eventCount = 0;
  #violation: PropertyViolation | null = null;
  /** Looks at the world after every event; must not change it. */
  afterEvent: (() => void) | null = null;

  constructor(seed: number, sink: TraceSink = null) {
    this.seed = seed;
    this.trace = new Trace(sink);
    this.#root = new SeededRandom(seed);
    this.#tieBreaks = this.randomFor("tie-breaks");
  }

  /** True time in ms since the start of the run; no node sees it. */
  get nowMs(): number {
    return this.#nowMs;
  }

  get eventCount(): number {
    return this.#eventCount;
  }

  /** Events still to come, those included that were cancelled but not yet passed. */
  get pendingCount(): number {
    return this.#heap.size;
  }

  /** The first property that was violated, or null. */
  get violation(): PropertyViolation | null {
    return this.#violation;
  }

  /** The sub-stream of chance for one concern. */
  randomFor(concern: string): SeededRandom {
    return this.#root.fork(concern);
  }

  /** Has `run` called `delayMs` (≥ 0) from now. */
  schedule(delayMs: number, label: string, run: () => void, options: EventOptions = {}): SimEvent {
    assert(delayMs >= 0, "events lie in the future");
    const tieBreak = options.tieBreak ?? this.#tieBreaks.next();
    const event = { timeMs: this.#nowMs + delayMs, tieBreak, order: this.#order++, label, run, isCancelled: false };
    this.#heap.push(event);
    return event;
  }

  /** Runs everything up to and including `timeMs`, which then is the time; stops early at a violation. */
  runUntil(timeMs: number): void {
    this.runUntilTrue(timeMs, () => false);
  }

  /** Runs until `isReached` holds (asked after every event) or `timeMs` has come; returns whether it held. */
  runUntilTrue(timeMs: number, isReached: () => boolean): boolean {
    while (this.#violation === null) {
      if (isReached()) return true;
      const next = this.#heap.peek();
      if (next === undefined || next.timeMs > timeMs) {
        this.#nowMs = Math.max(this.#nowMs, timeMs);
        return isReached();
      }
      this.#heap.pop();
      this.#nowMs = next.timeMs;
      this.#eventCount++;
      this.trace.event(next.timeMs, next.label);
      next.run();
      this.afterEvent?.();
    }
    return false;
  }

  /** Notes something worth reading in a trace. */
  note(label: string, detail: string): void {
    this.trace.note(this.#nowMs, label, detail);
  }

  /** Records that `property` does not hold. Only the first one counts: later ones are mostly its consequences. */
  fail(property: string, detail: string): void {
    this.note("VIOLATION", `${property}: ${detail}`);
    this.#violation ??= { property, detail, atMs: this.#nowMs };
  }
}
