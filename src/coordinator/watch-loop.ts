import type { Timer, Timers } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { Watch } from "./coordinator.ts";
import type { StreamEvents } from "./http-endpoint.ts";

const LINE_BYTES_MAX = 4_194_304;
const PAUSE_MS_MIN = 50;
const PAUSE_MS_MAX = 2000;
const LINE_FEED = 0x0a;

/** What a line of a watch's stream says. */
export type WatchLine = "changed" | "alive" | "ended";

export interface WatchLoopOptions {
  readonly timers: Timers;
  readonly random: Random;
  /** Opens one stream of lines. */
  readonly open: (events: StreamEvents) => { stop(): void };
  /** Must take any bytes, and throw nothing. */
  readonly readLine: (line: Buffer) => WatchLine;
  readonly onChange: () => void;
}

/**
 * One watch, kept up for as long as it is wanted.
 *
 * Owns the stream and its place in it. A stream that ends is opened again after a pause that doubles while nothing comes; whoever
 * opens a stream says "changed" first, since what happened between two streams was seen by nobody (rule C4).
 */
export class WatchLoop implements Watch {
  readonly #options: WatchLoopOptions;
  #stream: { stop(): void } | null = null;
  #pause: Timer | null = null;
  #pauseMs = PAUSE_MS_MIN;
  #held: Buffer = Buffer.alloc(0);
  #isStopped = false;

  constructor(options: WatchLoopOptions) {
    this.#options = options;
    this.#open();
  }

  stop(): void {
    this.#isStopped = true;
    this.#pause?.cancel();
    this.#stream?.stop();
  }

  #open(): void {
    this.#held = Buffer.alloc(0);
    this.#stream = this.#options.open({
      onData: (chunk) => this.#take(chunk),
      onEnd: () => this.#openLater(),
    });
  }

  #openLater(): void {
    if (this.#isStopped) return;
    const delayMs = this.#pauseMs * (0.5 + this.#options.random.next());
    this.#pauseMs = Math.min(PAUSE_MS_MAX, 2 * this.#pauseMs);
    this.#pause = this.#options.timers.after(delayMs, () => this.#open());
  }

  #take(chunk: Buffer): void {
    let rest: Buffer = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    for (let end = rest.indexOf(LINE_FEED); end !== -1 && !this.#isStopped; end = rest.indexOf(LINE_FEED)) {
      const line = rest.subarray(0, end);
      rest = rest.subarray(end + 1);
      const said = this.#options.readLine(line);
      if (said === "ended") {
        this.#endStream();
        return;
      }
      this.#pauseMs = PAUSE_MS_MIN;
      if (said === "changed") this.#options.onChange();
    }
    if (rest.length > LINE_BYTES_MAX) this.#endStream();
    else this.#held = Buffer.from(rest);
  }

  #endStream(): void {
    this.#stream?.stop();
    this.#openLater();
  }
}
