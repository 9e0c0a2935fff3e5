import type { Server } from "node:net";
import type { Timers } from "./clock.ts";

/** How a listening server takes its leave: it stops accepting, once, and those who are there get time to go. */
export class Departure {
  readonly #server: Server;
  readonly #timers: Timers;
  #allGone: Promise<void> | null = null;

  constructor(server: Server, timers: Timers) {
    this.#server = server;
    this.#timers = timers;
  }

  /** Stops accepting; resolves when the last connection is closed. */
  stopAccepting(): Promise<void> {
    this.#allGone ??= new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
    return this.#allGone;
  }

  /** Stops accepting; resolves when the last connection is closed, or after `limitMs`. */
  async farewell(limitMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    // What arrived while this process stood still is read first.
    const limit = this.#timers.after(limitMs, () => this.#timers.soon(resolve));
    void this.stopAccepting().then(resolve);
    await promise;
    limit.cancel();
  }
}
