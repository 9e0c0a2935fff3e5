import { setTimeout as sleep } from "node:timers/promises";
import { KvError } from "../model/errors.ts";
import { ClusterChild } from "./cluster-child.ts";
import type { ClusterOutput } from "./cluster-output.ts";
import { CommandFailure } from "./command-failure.ts";
import { NodeHttp } from "./node-http.ts";
import type { PlannedProcess } from "./planned-process.ts";

export interface SupervisorOptions {
  readonly processes: readonly PlannedProcess[];
  readonly restarts: boolean;
  readonly output: ClusterOutput;
}

/** A process of the cluster, and how its last starts went. */
interface Watched {
  readonly planned: PlannedProcess;
  child: ClusterChild | null;
  startedAtMs: number;
  wasReady: boolean;
  /** Starts in a row that ended within moments. */
  quickEnds: number;
}

const RESTART_MS_MAX = 10_000;
const QUICK_END_MS = 3000;
const READY_POLL_MS = 50;
const READY_TIMEOUT_MS = 2000;
const STOP_MS_MAX = 15_000;

/**
 * Runs the processes of a cluster that belong on this machine.
 *
 * One that dies is started again after a moment, longer when it keeps dying at once; one that ends with an error before it was
 * ever ready ends the whole start instead, because its message tells what to mend. After `stop`
 * nothing is started any more and every child is gone.
 */
export class ClusterSupervisor {
  readonly #options: SupervisorOptions;
  readonly #watched: readonly Watched[];
  readonly #http = new NodeHttp();
  #isStopping = false;
  #failure: CommandFailure | null = null;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#watched = options.processes.map((planned) => ({
      planned,
      child: null,
      startedAtMs: 0,
      wasReady: false,
      quickEnds: 0,
    }));
  }

  start(): void {
    for (const watched of this.#watched) this.#startProcess(watched);
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /**
   * Waits until every process says that it serves, or `stop` is called. `onWaiting` is called every `reportMs` with those that
   * do not, and why. Throws the failure of one that ended before it did.
   */
  async waitReady(reportMs: number, onWaiting: (waiting: readonly string[]) => void): Promise<void> {
    let reportAtMs = performance.now() + reportMs;
    while (!this.#isStopping) {
      if (this.#failure !== null) throw this.#failure;
      const reasons = await Promise.all(this.#watched.map(async (watched) => this.#unreadiness(watched)));
      const waiting = reasons.filter((reason) => reason !== null);
      if (waiting.length === 0) return;
      if (performance.now() > reportAtMs) {
        reportAtMs = performance.now() + reportMs;
        onWaiting(waiting);
      }
      await sleep(READY_POLL_MS);
    }
  }

  /** Tells every process to stop and waits for the last one; who does not end in time is killed. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const { child } of this.#watched) child?.stop();
    const killAtMs = performance.now() + STOP_MS_MAX;
    while (this.#running().length > 0) {
      if (performance.now() > killAtMs) this.kill();
      await sleep(20);
    }
    this.#http.close();
  }

  /** Kills every process at once. Nothing acknowledged is lost: what was answered is on disk. */
  kill(): void {
    this.#isStopping = true;
    for (const { planned, child } of this.#running()) {
      this.#options.output.newsOf(planned.name, "is killed");
      child?.kill();
    }
  }

  #running(): readonly Watched[] {
    return this.#watched.filter(({ child }) => child !== null && !child.hasExited);
  }

  #startProcess(watched: Watched): void {
    const { planned } = watched;
    watched.startedAtMs = performance.now();
    watched.child = new ClusterChild(planned, {
      onLine: (line) => this.#options.output.lineOf(planned.name, line),
      onExit: (how, exitCode) => this.#onExit(watched, how, exitCode),
    });
  }

  #onExit(watched: Watched, how: string, exitCode: number | null): void {
    watched.child = null;
    if (this.#isStopping) return;
    const { planned, wasReady } = watched;
    const { output, restarts } = this.#options;
    if (!wasReady && exitCode !== null) {
      output.showWithheld(planned.name);
      this.#failure = new CommandFailure(`${planned.label} ${how} before it was ready; its lines above say why`);
      return;
    }
    if (!restarts) {
      output.newsOf(planned.name, `${how} and stays down (--no-restart)`);
      return;
    }
    const isQuick = performance.now() - watched.startedAtMs < QUICK_END_MS;
    watched.quickEnds = isQuick ? watched.quickEnds + 1 : 0;
    const pauseMs = Math.min(planned.restartMs * 2 ** Math.max(0, watched.quickEnds - 1), RESTART_MS_MAX);
    output.newsOf(planned.name, `${how}; it is started again in ${pauseMs / 1000} s`);
    setTimeout(() => {
      if (!this.#isStopping) this.#startProcess(watched);
    }, pauseMs);
  }

  /** null when the process serves. */
  async #unreadiness(watched: Watched): Promise<string | null> {
    if (watched.wasReady) return null;
    const { name, readyPath: path } = watched.planned;
    try {
      const answer = await this.#http.ask(name, { method: "GET", path, timeoutMs: READY_TIMEOUT_MS });
      if (answer.status === 200) {
        watched.wasReady = true;
        return null;
      }
      return `${name}: ${detailOf(answer.body)}`;
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      return `${name}: does not answer yet`;
    }
  }
}

function detailOf(body: Buffer): string {
  const detail = /"detail":"((?:[^"\\]|\\.)*)"/.exec(body.toString("utf8"))?.[1];
  return detail ?? "is not ready yet";
}
