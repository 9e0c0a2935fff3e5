import { setTimeout as sleep } from "node:timers/promises";
import { programCommand, RunningProgram } from "./program.ts";

export interface TestNodeParts {
  readonly node: string;
  readonly shard: string;
  readonly isReplica: boolean;
  readonly dataDirectory: string;
  readonly configFile: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface StartOptions {
  /** As `kv up` starts nodes: it waits longer for the others. */
  readonly startedTogether?: boolean;
  /** Words before the node's command line: `["strace", "-f", …]`. Signals then go to both. */
  readonly wrapper?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const READY_TIMEOUT_MS = 30_000;
const POLL_MS = 20;
/** A refusal for now that lasts longer is one to be told of. */
const BUSY_MS_MAX = 10_000;
const BUSY_PAUSE_MS = 50;

/**
 * One node as a process of its own. It may be killed and started again any number of times; its data directory stays. It
 * ends with the test process: the channel between them closes.
 */
export class TestNode {
  readonly name: string;
  readonly shard: string;
  readonly isReplica: boolean;
  readonly dataDirectory: string;
  readonly #parts: TestNodeParts;
  #program: RunningProgram | null = null;
  #earlierOutput = "";

  constructor(parts: TestNodeParts) {
    this.#parts = parts;
    this.name = parts.node;
    this.shard = parts.shard;
    this.isReplica = parts.isReplica;
    this.dataDirectory = parts.dataDirectory;
  }

  get url(): string {
    return `http://${this.name}`;
  }

  get pid(): number {
    return this.#running().pid;
  }

  get isRunning(): boolean {
    return this.#program !== null && !this.#program.hasExited;
  }

  /** Everything that the node has printed, over all its lives. */
  get output(): string {
    return this.#earlierOutput + (this.#program?.output ?? "");
  }

  start(options: StartOptions = {}): void {
    if (this.isRunning) throw new Error(`${this.name} runs already`);
    this.#earlierOutput = this.output;
    const { shard, isReplica, dataDirectory, configFile, env } = this.#parts;
    const words = ["serve", "--shard", shard, "--http-addr", this.name, "--db-location", dataDirectory];
    if (isReplica) words.push("--replica");
    if (options.startedTogether === true) words.push("--started-together");
    const command = programCommand("src/cli/kv.ts", [...words, "--config-file", configFile]);
    this.#program = new RunningProgram([...(options.wrapper ?? []), ...command], {
      env: { ...env, ...options.env },
      withChannel: true,
      ownGroup: options.wrapper !== undefined,
    });
  }

  /** Starts the node and waits until it is ready. */
  async startReady(options: StartOptions = {}): Promise<void> {
    this.start(options);
    await this.waitReady();
  }

  /** Until `/readyz` says so. Throws with the node's output when it ends, or takes too long. */
  async waitReady(timeoutMs: number = READY_TIMEOUT_MS): Promise<void> {
    const endMs = performance.now() + timeoutMs;
    let last = "it never answered";
    while (performance.now() < endMs) {
      if (!this.isRunning) throw new Error(`${this.name} ended while it was waited for:\n${this.output}`);
      try {
        const answer = await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(2000) });
        last = await answer.text();
        if (answer.ok) return;
      } catch (error) {
        last = String(error);
      }
      await sleep(POLL_MS);
    }
    throw new Error(`${this.name} was not ready within ${timeoutMs} ms (${last}):\n${this.output}`);
  }

  /** Sends a signal and returns at once. */
  signal(signal: NodeJS.Signals): void {
    this.#running().signal(signal);
  }

  /** `kill -9`, and waits until the process is gone. Does nothing when it does not run. */
  async kill(): Promise<void> {
    if (this.#program === null) return;
    this.#program.signal("SIGKILL");
    await this.#program.exited;
  }

  /** SIGTERM; the exit code, once the process is gone. */
  async stop(): Promise<number | null> {
    if (this.#program === null) return null;
    this.#program.signal("SIGTERM");
    return this.#program.exited;
  }

  /** The exit code, once the process ends by itself. */
  async exited(): Promise<number | null> {
    return this.#running().exited;
  }

  /** Sends a request to this node; `path` as in `/v1/kv/key`. */
  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(this.url + path, { signal: AbortSignal.timeout(15_000), ...init });
  }

  /** As `fetch`; what was not applied for now, as it may be just after a change of leaders, is asked for again. */
  async ask(path: string, init: RequestInit = {}): Promise<Response> {
    const endMs = performance.now() + BUSY_MS_MAX;
    for (;;) {
      const answer = await this.fetch(path, init);
      if (answer.status !== 503 || performance.now() > endMs) return answer;
      const text = await answer.clone().text();
      if (!text.includes('"outcome":"not_applied"')) return answer;
      await answer.body?.cancel();
      await sleep(BUSY_PAUSE_MS);
    }
  }

  /** Stores a value through this node; throws unless the answer is ok. */
  async put(key: string, value: string | Uint8Array<ArrayBuffer>, query = ""): Promise<void> {
    const answer = await this.ask(`/v1/kv/${encodeURIComponent(key)}${query}`, { method: "PUT", body: value });
    if (!answer.ok) throw new Error(`PUT ${key}: ${answer.status} ${await answer.text()}`);
    await answer.body?.cancel();
  }

  /** Stores a value as soon as the shard takes it, again and again until then. */
  async putSoon(key: string, value: string, timeoutMs: number = READY_TIMEOUT_MS): Promise<void> {
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      try {
        await this.put(key, value);
        return;
      } catch (error) {
        if (performance.now() > endMs) throw error;
        await sleep(POLL_MS);
      }
    }
  }

  /** The value of a key as text, through this node; null when there is none. Throws on any other answer. */
  async get(key: string, query = ""): Promise<string | null> {
    const answer = await this.ask(`/v1/kv/${encodeURIComponent(key)}${query}`);
    const text = await answer.text();
    if (answer.status === 404) return null;
    if (answer.status !== 200) throw new Error(`GET ${key}: ${answer.status} ${text}`);
    return text;
  }

  #running(): RunningProgram {
    if (this.#program === null) throw new Error(`${this.name} was never started`);
    return this.#program;
  }
}
