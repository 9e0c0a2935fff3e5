import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const ROOT = new URL("../../../", import.meta.url);

/** What a program that ran to its end left behind. */
export interface ProgramResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The same as bytes: for output that is no text. */
  readonly stdoutBytes: Buffer;
}

export interface ProgramOptions {
  readonly cwd?: string;
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS_DEFAULT = 60_000;

/** The command line that runs a TypeScript program of the repository with this Node; `path` is relative to its root. */
export function programCommand(path: string, words: readonly string[]): [string, ...string[]] {
  return [process.execPath, "--disable-warning=ExperimentalWarning", fileURLToPath(new URL(path, ROOT)), ...words];
}

/** Runs `kv …` to its end. */
export async function runKv(words: readonly string[], options: ProgramOptions = {}): Promise<ProgramResult> {
  return runProgram("src/cli/kv.ts", words, options);
}

/** Runs a program of the repository to its end; one that takes too long is killed (exit code null). */
export async function runProgram(
  path: string,
  words: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const { cwd, input = "", env = {}, timeoutMs = TIMEOUT_MS_DEFAULT } = options;
  const [command, ...parameters] = programCommand(path, words);
  const child = spawn(command, parameters, {
    env: { ...process.env, NO_COLOR: "1", ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  // A program that refuses its input at once closes the pipe under our hands.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const exitCode = await new Promise<number | null>((resolve) => {
    child.once("close", resolve);
  });
  clearTimeout(timer);
  const stdoutBytes = Buffer.concat(stdout);
  return { exitCode, stdout: stdoutBytes.toString(), stderr: Buffer.concat(stderr).toString(), stdoutBytes };
}

/** A program that goes on until it is stopped; everything it prints is kept. */
export class RunningProgram {
  readonly process: ChildProcess;
  readonly exited: Promise<number | null>;
  readonly #ownsGroup: boolean;
  #output = "";

  constructor(
    command: readonly string[],
    options: { cwd?: string; env?: Readonly<Record<string, string>>; withChannel?: boolean; ownGroup?: boolean },
  ) {
    const [program = "", ...parameters] = command;
    this.#ownsGroup = options.ownGroup === true;
    this.process = spawn(program, parameters, {
      stdio: options.withChannel === true ? ["ignore", "pipe", "pipe", "ipc"] : ["ignore", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1", ...options.env },
      detached: options.ownGroup === true,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.on("data", (chunk: Buffer) => (this.#output += chunk.toString()));
    }
    this.exited = new Promise((resolve) => {
      this.process.once("close", (code) => resolve(code));
      this.process.once("error", (error) => {
        this.#output += `${error.message}\n`;
        resolve(null);
      });
    });
  }

  get output(): string {
    return this.#output;
  }

  get pid(): number {
    return this.process.pid ?? -1;
  }

  /** To the process, or to its whole group when it has one of its own. */
  signal(signal: NodeJS.Signals): void {
    if (this.hasExited) return;
    if (this.#ownsGroup) process.kill(-this.pid, signal);
    else this.process.kill(signal);
  }

  get hasExited(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  /** Waits until `text` is in the output. Throws with the output when the program ends first or it takes too long. */
  async waitFor(text: string, timeoutMs = 30_000): Promise<void> {
    const endMs = performance.now() + timeoutMs;
    while (!this.#output.includes(text)) {
      if (this.hasExited || performance.now() > endMs) {
        throw new Error(`"${text}" did not appear in:\n${this.#output}`);
      }
      await new Promise((resolve) => {
        setTimeout(resolve, 20);
      });
    }
  }
}
