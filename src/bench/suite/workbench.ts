import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { StartedProcess, type Command } from "./started-process.ts";

/**
 * Where rows are measured: a folder for everybody's data, so that all servers write to the same disk, and the processes
 * that were started.
 *
 * Owns both. Whatever happens, `close` ends every process and removes the folder; the kernel ends the processes too when
 * this one dies without a word.
 */
export class Workbench {
  readonly #root: string;
  readonly #processes = new Set<StartedProcess>();
  readonly #say: (line: string) => void;
  #folderCount = 0;
  #isClosed = false;

  /** `parent` is made when there is none. */
  constructor(parent: string, say: (line: string) => void) {
    mkdirSync(parent, { recursive: true });
    this.#root = mkdtempSync(join(parent, "bench-"));
    this.#say = say;
  }

  get root(): string {
    return this.#root;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Tells the person what is going on. */
  say(line: string): void {
    this.#say(line);
  }

  /** A fresh folder for one server. */
  folder(name: string): string {
    this.#folderCount += 1;
    const path = join(this.#root, `${this.#folderCount}-${name}`);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** Starts a program that goes on until it is stopped. */
  start(command: Command): StartedProcess {
    if (this.#isClosed) throw new Error("the benchmark is over");
    const started = new StartedProcess(command);
    this.#processes.add(started);
    void started.ended.then(() => this.#processes.delete(started));
    return started;
  }

  /** Runs a program to its end and returns what it printed. Throws with its last words when its exit code is not 0. */
  async run(command: Command): Promise<string> {
    const started = this.start(command);
    const exitCode = await started.ended;
    if (exitCode === 0) return started.standardOutput;
    throw new Error(`${command.name} ended with ${exitCode ?? "a signal"}: ${started.lastWords}`);
  }

  /** Ends all processes that are left: what a row started ends with the row. */
  async endAll(): Promise<void> {
    await Promise.all([...this.#processes].map(async (one) => one.kill()));
  }

  /** Removes what rows have left in the folder. */
  clear(): void {
    rmSync(this.#root, { recursive: true, force: true });
    if (!this.#isClosed) mkdirSync(this.#root, { recursive: true });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.endAll();
    this.clear();
  }
}
