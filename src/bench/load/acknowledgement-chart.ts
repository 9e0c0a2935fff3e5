const LEVELS = "▁▂▃▄▅▆▇█";
const NOTHING = "·";

/** How many writes of one shard were acknowledged in each piece of a load's time, as a line of blocks. */
export class AcknowledgementChart {
  readonly #beganMs: number;
  readonly #columnMs: number;
  readonly #counts: number[];

  /** Of a load from `beganMs` on, with `columns` pieces of `columnMs`. */
  constructor(parts: { readonly beganMs: number; readonly columnMs: number; readonly columns: number }) {
    this.#beganMs = parts.beganMs;
    this.#columnMs = parts.columnMs;
    this.#counts = Array.from({ length: parts.columns }, () => 0);
  }

  acknowledged(nowMs: number): void {
    const column = Math.floor((nowMs - this.#beganMs) / this.#columnMs);
    const count = this.#counts[column];
    if (count !== undefined) this.#counts[column] = count + 1;
  }

  /** A character a column, from `·` (none at all) to `█` (as many as in the best one). */
  render(): string {
    const most = Math.max(1, ...this.#counts);
    return this.#counts.map((count) => (count === 0 ? NOTHING : levelOf(count / most))).join("");
  }
}

function levelOf(share: number): string {
  return LEVELS[Math.min(LEVELS.length - 1, Math.floor(share * LEVELS.length))] ?? NOTHING;
}
