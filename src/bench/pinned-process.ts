import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { text as readText } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { HttpConnection, renderRequest } from "./http-connection.ts";

/** A program, and the core that it may use. */
export interface PinnedCommand {
  readonly core: number;
  readonly command: string;
  readonly parameters: readonly string[];
}

/** Whether `name` is a program on the PATH. */
export function isInstalled(name: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, name)));
}

/** A server under test, pinned to one core. Ends with `stop`; its output is kept for when it fails. */
export class PinnedServer {
  readonly #process: ChildProcess;
  #output = "";

  constructor(command: PinnedCommand) {
    this.#process = spawn("taskset", tasksetParameters(command), { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.on("data", (chunk: Buffer) => (this.#output = (this.#output + chunk.toString()).slice(-4000)));
    }
  }

  /** Waits until `path` answers with a status below 500. Throws with the server's last words. */
  async waitReady(host: string, port: number, path: string): Promise<void> {
    for (let attempt = 0; attempt < 300; attempt++) {
      if (this.#process.exitCode !== null) break;
      const connection = new HttpConnection(host, port);
      const status = await new Promise<number>((resolve) => {
        const request = renderRequest({ method: "GET", target: path, host: `${host}:${port}` });
        connection.send(request, (answer) => resolve(answer.status));
      });
      connection.close();
      if (status > 0 && status < 500) return;
      await sleep(100);
    }
    throw new Error(`the server did not get ready:\n${this.#output}`);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => {
      this.#process.once("exit", () => resolve());
    });
    this.#process.kill("SIGTERM");
    await ended;
  }
}

/** Runs a program to its end and returns what it printed. Throws when its exit code is not 0. */
export async function runPinned(command: PinnedCommand): Promise<string> {
  const child = spawn("taskset", tasksetParameters(command), { stdio: ["ignore", "pipe", "inherit"] });
  const exited = new Promise<number | null>((resolve) => {
    child.once("exit", resolve);
  });
  const output = await readText(child.stdout);
  const exitCode = await exited;
  if (exitCode !== 0) throw new Error(`${command.command} ended with exit code ${exitCode}`);
  return output;
}

function tasksetParameters({ core, command, parameters }: PinnedCommand): string[] {
  return ["--cpu-list", String(core), command, ...parameters];
}
