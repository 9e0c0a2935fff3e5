import type { Logger } from "../base/logger.ts";

/** How a process is to end. */
export interface CloseOptions {
  /** Others go on, and may take over what this process does. False when all of them stop at once: then there is nobody to. */
  readonly handsOver: boolean;
}

/** What is closed before the process ends. */
export interface Closable {
  close(options: CloseOptions): Promise<void>;
}

/** What a parent process says over the channel to a child when everything stops; the channel's end means the same. */
export const STOP_MESSAGE = "stop";

/** A shutdown that takes longer is given up: what was answered is on disk anyway. */
const SHUTDOWN_MS_MAX = 12_000;
const EXIT_FAILURE = 1;
/** 128 + SIGTERM, as a shell reports a process that the signal ended. */
const EXIT_TERMINATED = 143;

/**
 * How a process ends by request: gracefully, or at the second signal at once; also while it is still starting.
 *
 * Owns the process's handlers of signals and of the channel to its parent. What takes too long to close is given up.
 */
export class ProcessEnding {
  readonly #logger: Logger;
  #server: Closable | null = null;
  #request: CloseOptions | null = null;

  constructor(logger: Logger) {
    this.#logger = logger;
    process.on("SIGTERM", () => this.#onSignal("SIGTERM"));
    process.on("SIGHUP", () => logger.info("SIGHUP: there is nothing to load again"));
    if (process.send === undefined) {
      process.on("SIGINT", () => this.#onSignal("SIGINT"));
      return;
    }
    process.on("SIGINT", () => {});
    process.on("disconnect", () => this.#end("the end of the parent process", { handsOver: false }));
    process.on("message", (message) => {
      if (message === STOP_MESSAGE) this.#end("the parent process", { handsOver: false });
    });
  }

  /** From now on a request to end closes `server`; at once, if there was one already. */
  serve(server: Closable): void {
    this.#server = server;
    if (this.#request !== null) this.#close(server, this.#request);
  }

  #onSignal(signal: string): void {
    if (this.#request !== null) process.exit(EXIT_TERMINATED);
    this.#end(signal, { handsOver: true });
  }

  #end(by: string, options: CloseOptions): void {
    if (this.#request !== null) return;
    this.#request = options;
    this.#logger.info("Stops", { by });
    if (this.#server !== null) this.#close(this.#server, options);
  }

  #close(server: Closable, options: CloseOptions): void {
    setTimeout(() => {
      this.#logger.error("The shutdown takes too long and is given up");
      process.exit(EXIT_FAILURE);
    }, SHUTDOWN_MS_MAX).unref();
    void server.close(options).then(() => {
      this.#logger.info("Has stopped");
      process.exit(0);
    });
  }
}
