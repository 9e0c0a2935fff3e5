import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { RunningProgram } from "./program.ts";

/** Why nothing can be injected into system calls here; false when it can. */
export function straceMissing(): string | false {
  try {
    execFileSync("strace", ["--version"], { stdio: "ignore" });
    return false;
  } catch {
    return "strace is missing (Debian: apt-get install strace)";
  }
}

/**
 * A fault injected into the system calls of a process that runs, all of its threads, until `detach`.
 *
 * Owns the tracer, and the file that counts the calls that were hit: a test whose fault never happened must fail.
 */
export class SystemCallFault {
  readonly #tracer: RunningProgram;
  readonly #logFile: string;

  /** `fault` as strace writes it: `fdatasync:error=EIO`. Resolves when all threads are attached. */
  static async inject(pid: number, fault: string, directory: string): Promise<SystemCallFault> {
    const [call = ""] = fault.split(":");
    const logFile = join(directory, `strace-${pid}-${Date.now()}.log`);
    const words = ["strace", "-f", "-p", String(pid), "-o", logFile, "-e", `trace=${call}`, "-e", `inject=${fault}`];
    const tracer = new RunningProgram(words, {});
    await tracer.waitFor(`Process ${pid} attached`);
    return new SystemCallFault(tracer, logFile);
  }

  private constructor(tracer: RunningProgram, logFile: string) {
    this.#tracer = tracer;
    this.#logFile = logFile;
  }

  /** Lets go of the process, which goes on unharmed if it still runs; gives how many calls were hit. */
  async detach(): Promise<number> {
    this.#tracer.signal("SIGINT");
    await this.#tracer.exited;
    const hits = readFileSync(this.#logFile, "utf8").match(/\((?:INJECTED|DELAYED)\)/g) ?? [];
    assert(hits.length > 0, "the fault was injected at least once");
    return hits.length;
  }
}
