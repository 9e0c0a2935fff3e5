/**
 * Counts how often a run came through situations worth testing. A simulation that never meets the situation it exists for proves
 * nothing; over many seeds every declared marker must have been hit.
 */
export class Markers {
  readonly #counts: Map<string, number> = new Map();

  /** Notes that the situation `name` occurred. */
  sometimes(name: string, isTrue = true): void {
    if (isTrue) this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  /** Hits by name, in order of first hit. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }
}
