import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { STOP_MESSAGE } from "../server/process-ending.ts";
import type { PlannedProcess } from "./planned-process.ts";

/** As in scripts/node-runtime.sh, for an installed package: freed large values go back to the system. Only glibc looks at it. */
const MALLOC_SETTINGS = { MALLOC_MMAP_THRESHOLD_: "1048576", MALLOC_TRIM_THRESHOLD_: "8388608" };

export interface ChildEvents {
  readonly onLine: (line: string) => void;
  /** `how` completes "The process …": "ended with exit code 1", "was killed by SIGKILL". */
  readonly onExit: (how: string, exitCode: number | null) => void;
}

/**
 * One process of the cluster as a child, in the process group of `kv up`.
 *
 * Owns the process and the channel to it. A child stops when it is told to, or when the channel closes because `kv up` is
 * gone, however it went: none outlives it. `onExit` is called once.
 */
export class ClusterChild {
  readonly #process: ChildProcess;
  #hasExited = false;

  constructor({ words }: PlannedProcess, events: ChildEvents) {
    const program = fileURLToPath(new URL("./kv.ts", import.meta.url));
    this.#process = spawn(process.execPath, [...process.execArgv, program, ...words], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: { ...MALLOC_SETTINGS, ...process.env },
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on("line", events.onLine);
    }
    // "close" comes after the last line of output, unlike "exit".
    this.#process.once("close", (code, signal) => {
      this.#hasExited = true;
      events.onExit(signal === null ? `ended with exit code ${code ?? 0}` : `was killed by ${signal}`, code);
    });
    this.#process.once("error", (error) => events.onLine(`cannot be started: ${error.message}`));
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get hasExited(): boolean {
    return this.#hasExited;
  }

  stop(): void {
    if (!this.#process.connected) return;
    // A child that dies at this very moment has what was asked of it: the error says no more than that.
    this.#process.send(STOP_MESSAGE, () => {});
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }
}
