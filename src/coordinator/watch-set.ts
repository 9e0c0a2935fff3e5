import type { Timers } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { Watch } from "./coordinator.ts";
import { WatchLoop, type WatchLoopOptions } from "./watch-loop.ts";

/** The watches of one coordinator's client: each is kept up until it is stopped, all end with `stop`. */
export class WatchSet {
  readonly #time: { readonly timers: Timers; readonly random: Random };
  readonly #loops = new Set<WatchLoop>();

  constructor(time: { readonly timers: Timers; readonly random: Random }) {
    this.#time = time;
  }

  add(stream: Pick<WatchLoopOptions, "open" | "readLine" | "onChange">): Watch {
    const loop = new WatchLoop({ ...this.#time, ...stream });
    this.#loops.add(loop);
    return {
      stop: () => {
        loop.stop();
        this.#loops.delete(loop);
      },
    };
  }

  stop(): void {
    for (const loop of this.#loops) loop.stop();
    this.#loops.clear();
  }
}
