import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";

/** A program to start. `core` null: on any. */
export interface Command {
  readonly name: string;
  readonly program: string;
  readonly parameters: readonly string[];
  readonly core: number | null;
}

const WORDS_KEPT = 4000;
const STOP_PATIENCE_MS = 10_000;
/** What /proc counts in: 100 on every Linux that Node runs on. */
const CLOCK_TICKS_PER_SECOND = 100;

/**
 * A child process of a benchmark, pinned or not, with its output. The kernel kills it when the benchmark dies
 * (`setpriv --pdeathsig`), so that nothing goes on loading the machine.
 */
export class StartedProcess {
  readonly name: string;
  /** Resolves with the exit code when the process is gone; null after a signal. */
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;
  #standardOutput = "";
  #lastWords = "";
  #isRunning = true;

  constructor({ name, program, parameters, core }: Command) {
    this.name = name;
    const pinning = core === null ? [] : ["taskset", "--cpu-list", String(core)];
    // Each of these replaces itself by the next, so that the child's id is the program's.
    const words = ["--pdeathsig", "KILL", ...pinning, program, ...parameters];
    this.#child = spawn("setpriv", words, { stdio: ["ignore", "pipe", "pipe"] });
    this.#child.stdout?.on("data", (chunk: Buffer) => (this.#standardOutput += chunk.toString()));
    this.#child.stderr?.on(
      "data",
      (chunk: Buffer) => (this.#lastWords = (this.#lastWords + chunk.toString()).slice(-WORDS_KEPT)),
    );
    this.ended = new Promise((resolve) => {
      const settle = (code: number | null): void => {
        this.#isRunning = false;
        resolve(code);
      };
      // "close" and not "exit": only then is the whole output here.
      this.#child.once("close", settle);
      this.#child.once("error", (error) => {
        this.#lastWords += error.message;
        settle(1);
      });
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.name} could not be started: ${this.#lastWords}`);
    return this.#child.pid;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  get standardOutput(): string {
    return this.#standardOutput;
  }

  /** The end of what it wrote to standard error, or else to standard output. */
  get lastWords(): string {
    return this.#lastWords.trim() === "" ? this.#standardOutput.slice(-WORDS_KEPT) : this.#lastWords;
  }

  /** CPU seconds of all its threads so far, in user and kernel mode. */
  get cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, "latin1");
    // The second field is the program's name in parentheses and may hold anything; utime and stime are the 14th and 15th.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#isRunning) this.#child.kill(signal);
  }

  /** Asks it to end, and insists after a while. */
  async stop(): Promise<void> {
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.signal("SIGKILL"), STOP_PATIENCE_MS);
    await this.ended;
    clearTimeout(timer);
  }

  /** Ends it at once, also when it is stopped. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }
}
