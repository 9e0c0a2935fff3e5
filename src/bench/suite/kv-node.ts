import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { HOST } from "./cores.ts";
import { NodeMetrics } from "./node-metrics.ts";
import type { StartedProcess } from "./started-process.ts";
import { waitUntil } from "./wait-until.ts";
import type { Workbench } from "./workbench.ts";

/** Offsets of a node's other ports from its HTTP port: the product's defaults. */
export const PEER_OFFSET = 1000;
export const RESP_OFFSET = 2000;

export interface KvNodePlan {
  readonly shard: string;
  readonly isReplica: boolean;
  readonly httpPort: number;
  readonly directory: string;
  readonly configFile: string;
  readonly core: number | null;
}

const READY_SECONDS = 120;
const DRAIN_SECONDS = 300;
const DRAIN_PAUSE_MS = 200;

/** One of our nodes: a process that may be ended and started again over its data. */
export class KvNode {
  readonly shard: string;
  readonly httpPort: number;
  readonly respPort: number;
  readonly #bench: Workbench;
  readonly #plan: KvNodePlan;
  #process: StartedProcess;

  constructor(bench: Workbench, plan: KvNodePlan) {
    this.shard = plan.shard;
    this.httpPort = plan.httpPort;
    this.respPort = plan.httpPort + RESP_OFFSET;
    this.#bench = bench;
    this.#plan = plan;
    this.#process = this.#start();
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Waits until it serves; asks every 20 ms. */
  async waitReady(): Promise<void> {
    const started = this.#process;
    const ready = waitUntil(`node ${this.shard} is ready`, { seconds: READY_SECONDS }, async () => {
      // Nothing to wait for any more; `died` has told.
      if (!started.isRunning) return true;
      const response = await fetch(`http://${HOST}:${this.httpPort}/readyz`);
      await response.arrayBuffer();
      return response.status === 200;
    });
    const died = started.ended.then(() => {
      throw new Error(`node ${this.shard} ended: ${started.lastWords}`);
    });
    await Promise.race([ready, died]);
  }

  async metrics(): Promise<NodeMetrics> {
    return NodeMetrics.read(this.httpPort);
  }

  /** Waits until the tree has everything that is in the log: nothing goes on in the background then. */
  async waitDrained(): Promise<void> {
    await waitUntil(
      `the tree of ${this.shard} has caught up`,
      { seconds: DRAIN_SECONDS, pauseMs: DRAIN_PAUSE_MS },
      async () => {
        const metrics = await this.metrics();
        return metrics.unappliedEntries === 0;
      },
    );
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.signal(signal);
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }

  async kill(): Promise<void> {
    await this.#process.kill();
  }

  /** Starts it again over the same data. */
  restart(): void {
    this.#process = this.#start();
  }

  get cpuSeconds(): number {
    return this.#process.cpuSeconds;
  }

  /** Memory of its own that is in RAM: heap and buffers, without mapped files. */
  get anonymousBytes(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, "latin1");
    const kilobytes = /^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1];
    if (kilobytes === undefined) throw new Error("the kernel does not tell RssAnon");
    return Number(kilobytes) * 1024;
  }

  #start(): StartedProcess {
    const { shard, isReplica, httpPort, directory, configFile, core } = this.#plan;
    const program = fileURLToPath(new URL("../../cli/kv.ts", import.meta.url));
    const parameters = [
      ...process.execArgv,
      program,
      "serve",
      ["--shard", shard],
      isReplica ? "--replica" : [],
      ["--http-addr", `${HOST}:${httpPort}`],
      ["--db-location", directory],
      ["--config-file", configFile],
    ].flat();
    return this.#bench.start({ name: `kv ${shard}`, program: process.execPath, parameters, core });
  }
}
