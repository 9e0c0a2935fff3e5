import { Presets, SingleBar } from "cli-progress";
import { formatDuration } from "../latency.ts";
import type { LoadRun } from "./load-run.ts";

/** Percentiles walk through a histogram: not with every frame. */
const PERCENTILE_EVERY = 10;
/** To the beginning of the terminal's line, and nothing on it any more. */
const CLEAR_LINE = "\r\u001b[K";

/**
 * The bar of a load on standard error; where that is no terminal, nothing.
 *
 * Owns one line of the terminal until it is stopped.
 */
export class LoadProgress {
  readonly #bar: SingleBar | null;
  readonly #doneOf: (run: LoadRun) => number;
  #frame = 0;
  #p99 = "–";

  /** `total` in whatever `doneOf` counts: milliseconds or operations. */
  constructor(name: string, total: number, doneOf: (run: LoadRun) => number) {
    this.#doneOf = doneOf;
    this.#bar = process.stderr.isTTY ? makeBar(name) : null;
    this.#bar?.start(total, 0, { rate: 0, p99: "–", late: "" });
  }

  show(run: LoadRun): void {
    if (this.#bar === null) return;
    if (this.#frame++ % PERCENTILE_EVERY === 0) this.#p99 = formatDuration(run.statistics.latencies().percentile(99));
    const { backlog } = run;
    const rate = Math.round((run.statistics.answered * 1000) / Math.max(1, run.measuredMs)).toLocaleString("en-US");
    const late = backlog > 0 ? ` · backlog ${backlog}` : "";
    this.#bar.update(Math.min(this.#bar.getTotal(), this.#doneOf(run)), { rate, p99: this.#p99, late });
  }

  /** Prints a line for people on standard output, above the bar. */
  say(line: string): void {
    if (this.#bar !== null) process.stderr.write(CLEAR_LINE);
    console.log(line);
  }

  stop(): void {
    this.#bar?.stop();
  }
}

function makeBar(name: string): SingleBar {
  const format = `${name} {bar} {percentage} % · {rate} ops/s · p99 {p99}{late} · {eta_formatted} left`;
  return new SingleBar(
    { format, stream: process.stderr, clearOnComplete: true, hideCursor: true, fps: 8 },
    Presets.shades_classic,
  );
}
