import type { Logger } from "../base/logger.ts";

/** What undoes one step of a start; calls `done` once, perhaps before it returns. */
export type ShutdownStep = (done: () => void) => void;

/**
 * What has to be undone, last first: the stack of everything that was started.
 *
 * A step that fails is told of and does not keep the others from running. Runs once; later calls wait for the same end.
 */
export class ShutdownSteps {
  readonly #logger: Logger;
  readonly #steps: ShutdownStep[] = [];
  #running: Promise<void> | null = null;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(step: ShutdownStep): void {
    this.#steps.push(step);
  }

  run(): Promise<void> {
    this.#running ??= this.#run();
    return this.#running;
  }

  async #run(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        const { promise, resolve } = Promise.withResolvers<void>();
        step(resolve);
        await promise;
      } catch (error) {
        const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
        this.#logger.error("A step of the shutdown failed", { reason });
      }
    }
  }
}
