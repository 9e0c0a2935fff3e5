import { HOST } from "../cores.ts";
import { findFreePorts } from "../free-ports.ts";
import type { StartedProcess } from "../started-process.ts";
import { waitUntil } from "../wait-until.ts";
import type { Workbench } from "../workbench.ts";

const READY_SECONDS = 60;

/** A single etcd with its HTTP gateway and default settings: it flushes every write before it answers. */
export class EtcdPeer {
  readonly port: number;
  readonly #process: StartedProcess;

  private constructor(port: number, started: StartedProcess) {
    this.port = port;
    this.#process = started;
  }

  static async start(bench: Workbench, core: number | null): Promise<EtcdPeer> {
    const port = await findFreePorts([0, 1]);
    const client = `http://${HOST}:${port}`;
    const peer = `http://${HOST}:${port + 1}`;
    const parameters = [
      ["--name", "bench"],
      ["--data-dir", bench.folder("etcd")],
      ["--listen-client-urls", client],
      ["--advertise-client-urls", client],
      ["--listen-peer-urls", peer],
      ["--initial-advertise-peer-urls", peer],
      ["--initial-cluster", `bench=${peer}`],
      ["--log-level", "error"],
    ].flat();
    const started = bench.start({ name: "etcd", program: "etcd", parameters, core });
    await waitUntil("etcd is healthy", { seconds: READY_SECONDS }, async () => {
      if (!started.isRunning) throw new Error(started.lastWords);
      const response = await fetch(`${client}/health`);
      return (await response.text()).includes('"true"');
    });
    return new EtcdPeer(port, started);
  }

  get cpuSeconds(): number {
    return this.#process.cpuSeconds;
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }
}
