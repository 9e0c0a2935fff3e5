import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SystemRandom } from "../../../src/base/random.ts";
import { SystemClock } from "../../../src/base/system-clock.ts";
import { findFreePorts } from "../../../src/bench/suite/free-ports.ts";
import type { EndpointAddress } from "../../../src/coordinator/checked-agent.ts";
import type { Coordinator } from "../../../src/coordinator/coordinator.ts";
import { EmbeddedCoordinator } from "../../../src/coordinator/embedded-coordinator.ts";
import { programCommand, RunningProgram } from "../../cluster/support/program.ts";
import type { RealKind } from "./real-system.ts";

const LISTENING = "The coordinator is listening";

/** `kv coordinator` as a process of its own. It ends with the test process: the channel between them closes. */
export class EmbeddedKind implements RealKind {
  readonly directory: string = mkdtempSync(join(tmpdir(), "kv-coordinator-"));
  readonly endpoints: readonly EndpointAddress[];
  #program: RunningProgram | null = null;

  private constructor(port: number) {
    this.endpoints = [{ host: "127.0.0.1", port, tls: null }];
  }

  static async start(): Promise<EmbeddedKind> {
    const kind = new EmbeddedKind(await findFreePorts([0]));
    await kind.restart();
    return kind;
  }

  get address(): string {
    return this.endpoints.map(({ host, port }) => `${host}:${port}`).join();
  }

  get output(): string {
    return this.#program?.output ?? "";
  }

  open(endpoints: readonly EndpointAddress[], deadlineMs?: number): Coordinator {
    const [address] = endpoints;
    if (address === undefined) throw new Error("there is no endpoint");
    const options = { address, clock: new SystemClock(), random: new SystemRandom() };
    return new EmbeddedCoordinator(deadlineMs === undefined ? options : { ...options, deadlineMs });
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<number | null> {
    this.#program?.signal(signal);
    return (await this.#program?.exited) ?? null;
  }

  async restart(): Promise<void> {
    const words = ["coordinator", "--listen", this.address, "--data", this.directory];
    this.#program = new RunningProgram(programCommand("src/cli/kv.ts", words), { withChannel: true });
    await this.#program.waitFor(LISTENING);
  }

  async dispose(): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
