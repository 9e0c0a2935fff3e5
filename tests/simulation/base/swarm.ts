import type { SeededRandom } from "../../../src/base/random.ts";

/** What is not left to chance: whether a run has some faults, and values of parameters (of `pick`, one of its choices). */
export interface Decided {
  readonly faults?: Readonly<Record<string, boolean>>;
  readonly parameters?: Readonly<Record<string, number>>;
}

/**
 * Which faults a run has, and how strong its parameters are: each seed draws a random subset ("swarm testing"), because a run with
 * every fault at once rarely gets far enough to meet the rare ones.
 *
 * Every name is drawn whether it is switched off by hand or not, from a sub-stream of its own, so that shrinking a failing seed
 * (switching faults off one by one) leaves everything else as it was.
 */
export class Swarm {
  readonly #random: SeededRandom;
  readonly #off: ReadonlySet<string>;
  readonly #decided: Decided;
  readonly #on: Set<string> = new Set();
  readonly #appetite: number;

  /** `off` names the faults that this run must do without; what is `decided` is not drawn. */
  constructor(random: SeededRandom, off: readonly string[], decided: Decided = {}) {
    this.#random = random;
    this.#off = new Set(off);
    this.#decided = decided;
    this.#appetite = 0.2 + 0.6 * random.fork("appetite").next();
  }

  /** Whether the run has the fault `name`. */
  has(name: string): boolean {
    const isDrawn = this.#random.fork(`has ${name}`).next() < this.#appetite;
    const isOn = (this.#decided.faults?.[name] ?? isDrawn) && !this.#off.has(name);
    if (isOn) this.#on.add(name);
    return isOn;
  }

  /** A parameter between `least` and `most`, each order of magnitude as likely as the others. Both must be positive. */
  magnitude(name: string, least: number, most: number): number {
    return this.#decided.parameters?.[name] ?? least * (most / least) ** this.#random.fork(name).next();
  }

  /** One of `choices`. */
  pick<Choice>(name: string, choices: readonly [Choice, ...Choice[]]): Choice {
    const decided = choices.find((choice) => choice === this.#decided.parameters?.[name]);
    return decided ?? choices[this.#random.fork(name).below(choices.length)] ?? choices[0];
  }

  /** The faults asked for so far that the run has. */
  get faults(): string[] {
    return [...this.#on];
  }
}
