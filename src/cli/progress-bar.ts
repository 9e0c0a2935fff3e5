import { Presets, SingleBar } from "cli-progress";

/**
 * A progress bar on standard error.
 *
 * Owns one line of the terminal until it is stopped; where standard error is no terminal it draws nothing at all. Without a
 * known total it only counts.
 */
export class ProgressBar {
  readonly #bar: SingleBar | null;
  readonly #startedMs = performance.now();
  #count = 0;

  /** `what` says what is counted: "rows". */
  constructor(what: string, total: number | null) {
    if (!process.stderr.isTTY) {
      this.#bar = null;
      return;
    }
    const format =
      total === null
        ? `{value} ${what} · {rate}/s`
        : `{bar} {percentage} % · {value} of {total} ${what} · {rate}/s · {eta_formatted} left`;
    this.#bar = new SingleBar({ format, stream: process.stderr, hideCursor: true, fps: 8 }, Presets.shades_classic);
    this.#bar.start(total ?? 0, 0, { rate: 0 });
  }

  get count(): number {
    return this.#count;
  }

  add(count: number): void {
    this.#count += count;
    const seconds = (performance.now() - this.#startedMs) / 1000;
    this.#bar?.update(this.#count, { rate: Math.round(this.#count / Math.max(seconds, 0.001)) });
  }

  stop(): void {
    this.#bar?.stop();
  }
}
