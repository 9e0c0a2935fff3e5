import type { SeededRandom } from "../../src/base/random.ts";
import type { HistoryRecorder } from "../support/linearizability/history-recorder.ts";
import type { Outcome, RegisterOperation } from "../support/linearizability/history.ts";
import type { Simulation } from "./base/simulation.ts";

export interface ClientsOptions {
  readonly simulation: Simulation;
  readonly recorder: HistoryRecorder;
  readonly clientCount: number;
  /** Keys in use at one time; each is given up for a new one after `operationsPerKey`, so that the search stays cheap. */
  readonly keyCount: number;
  readonly operationsPerKey: number;
  /** All clients together stop after so many. */
  readonly operationCount: number;
  /** Mean pause between the answer and the next call of a client. */
  readonly thinkMs: number;
  /** Shares of reads, and of increments among the writes. */
  readonly readShare: number;
  readonly incrementShare: number;
  /** Sends one operation; must call `done` exactly once, or never. */
  readonly execute: (
    client: number,
    key: string,
    operation: RegisterOperation,
    done: (outcome: Outcome) => void,
  ) => void;
}

interface KeyInUse {
  readonly name: string;
  used: number;
  /** The newest version that any client has seen of it. */
  version: number;
}

/**
 * The clients of a run: each calls, waits for the answer, thinks, and calls again, on a changing set of keys of which the first are
 * the hottest. Every call and answer goes into the recorder.
 */
export class Clients {
  readonly #options: ClientsOptions;
  readonly #random: SeededRandom;
  readonly #keys: KeyInUse[] = [];
  #keyCount = 0;
  #calledCount = 0;
  #endedCount = 0;
  #openCount = 0;

  constructor(options: ClientsOptions) {
    this.#options = options;
    this.#random = options.simulation.randomFor("workload");
    for (let slot = 0; slot < options.keyCount; slot++) this.#keys.push(this.#newKey());
  }

  /** Has all clients begin. */
  start(): void {
    for (let client = 0; client < this.#options.clientCount; client++) this.#think(client);
  }

  /** Operations that have ended, whatever their outcome. */
  get endedCount(): number {
    return this.#endedCount;
  }

  /** True when every operation of the run has been called and none waits for its answer. */
  get isDone(): boolean {
    return this.#calledCount >= this.#options.operationCount && this.#openCount === 0;
  }

  #think(client: number, factor = 1): void {
    const delayMs = -Math.log(1 - this.#random.next()) * this.#options.thinkMs * factor;
    this.#options.simulation.schedule(delayMs, "client calls", () => this.#call(client));
  }

  #call(client: number): void {
    const { recorder, execute, operationCount } = this.#options;
    if (this.#calledCount >= operationCount) return;
    this.#calledCount++;
    this.#openCount++;
    const key = this.#pickKey();
    const operation = this.#pickOperation(key);
    const id = recorder.invoke(client, key.name, operation);
    let isEnded = false;
    execute(client, key.name, operation, (outcome) => {
      if (isEnded) {
        this.#options.simulation.fail("every request is answered once", `operation #${id} was answered twice`);
        return;
      }
      isEnded = true;
      this.#openCount--;
      this.#endedCount++;
      if (outcome.kind === "ok" && "version" in outcome.result) {
        key.version = Math.max(key.version, outcome.result.version ?? 0);
      }
      recorder.complete(id, outcome);
      // A client that was refused waits before it tries again, or refusals at once would use up the whole workload.
      this.#think(client, outcome.kind === "notApplied" ? 10 : 1);
    });
  }

  #pickKey(): KeyInUse {
    const slot = Math.floor(this.#keys.length * this.#random.next() * this.#random.next());
    const key = this.#keys[slot];
    if (key !== undefined && key.used++ < this.#options.operationsPerKey) return key;
    return (this.#keys[slot] = this.#newKey());
  }

  #newKey(): KeyInUse {
    return { name: `key-${++this.#keyCount}`, used: 0, version: 0 };
  }

  #pickOperation(key: KeyInUse): RegisterOperation {
    const random = this.#random;
    if (random.next() < this.#options.readShare) return { kind: "get" };
    if (random.next() < this.#options.incrementShare) return { kind: "increment", by: 1 + random.below(3) };
    const value = `v${this.#calledCount}`;
    switch (random.below(8)) {
      case 0:
        return { kind: "delete" };
      case 1:
        return { kind: "putIfAbsent", value };
      case 2:
      case 3:
        return { kind: "putIfVersion", value, version: key.version };
      case 4:
        return { kind: "deleteIfVersion", version: key.version };
      default:
        return { kind: "put", value };
    }
  }
}
