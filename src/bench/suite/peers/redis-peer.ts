import { HOST } from "../cores.ts";
import { findFreePorts } from "../free-ports.ts";
import { RespConnection } from "../resp-connection.ts";
import type { StartedProcess } from "../started-process.ts";
import { waitUntil } from "../wait-until.ts";
import type { Workbench } from "../workbench.ts";

const READY_SECONDS = 30;
const REWRITE_SECONDS = 120;

/** A Redis that flushes every write before it answers, as we do. Everything else is its default. */
export class RedisPeer {
  readonly port: number;
  readonly #process: StartedProcess;
  readonly #connection: RespConnection;

  private constructor(port: number, started: StartedProcess, connection: RespConnection) {
    this.port = port;
    this.#process = started;
    this.#connection = connection;
  }

  static async start(bench: Workbench, core: number | null): Promise<RedisPeer> {
    const port = await findFreePorts([0]);
    const parameters = [
      ["--bind", HOST],
      ["--port", String(port)],
      ["--dir", bench.folder("redis")],
      ["--appendonly", "yes"],
      ["--appendfsync", "always"],
      ["--save", ""],
      ["--loglevel", "warning"],
    ].flat();
    const started = bench.start({ name: "redis-server", program: "redis-server", parameters, core });
    let connection: RespConnection | null = null;
    await waitUntil("redis-server answers", { seconds: READY_SECONDS }, async () => {
      if (!started.isRunning) throw new Error(started.lastWords);
      connection = await RespConnection.open(HOST, port);
      return (await connection.ask("PING")) === "PONG";
    });
    const peer = new RedisPeer(port, started, connection ?? (await RespConnection.open(HOST, port)));
    await peer.#checkDurable();
    return peer;
  }

  /** A number of `INFO`. */
  async info(name: string): Promise<number> {
    const text = await this.#connection.ask("INFO", "everything");
    const value = new RegExp(`^${name}:(\\d+)\r?$`, "m").exec(text)?.[1];
    if (value === undefined) throw new Error(`INFO of redis-server has no ${name}`);
    return Number(value);
  }

  /** Waits until it does not rewrite its log in the background any more. */
  async waitIdle(): Promise<void> {
    await waitUntil("redis-server is idle", { seconds: REWRITE_SECONDS }, async () => {
      const isRewriting = (await this.info("aof_rewrite_in_progress")) + (await this.info("aof_rewrite_scheduled"));
      return isRewriting === 0;
    });
  }

  get cpuSeconds(): number {
    return this.#process.cpuSeconds;
  }

  async stop(): Promise<void> {
    this.#connection.close();
    await this.#process.stop();
  }

  async #checkDurable(): Promise<void> {
    if ((await this.info("aof_enabled")) !== 1) throw new Error("redis-server runs without its append-only file");
  }
}
