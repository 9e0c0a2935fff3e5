import type { SeededRandom } from "../../../src/base/random.ts";
import { KvError } from "../../../src/model/errors.ts";
import type { Reply } from "../../../src/model/operation.ts";
import type { Gateway, RequestSequence } from "../../../src/node/gateway.ts";
import type { Simulation } from "../base/simulation.ts";
import type { RunningNode, SimMachine } from "./sim-machine.ts";

export interface Client {
  readonly index: number;
  /** How many requests it may have open at once on its connection. */
  readonly depth: number;
  machine: SimMachine;
  connection: Connection | null;
  openCount: number;
}

/** A client's connection to one life of one node. */
export interface Connection {
  readonly id: number;
  readonly to: RunningNode;
  readonly sequence: RequestSequence;
  nextOrder: number;
  /** When the last request sent arrives: nothing overtakes on a connection. */
  arrivalMs: number;
}

/** One call to a node; ends once: by its answer, the node's death, or the client's patience. */
export interface Call {
  readonly isOver: () => boolean;
  /** Ends the call; false when it had ended before. */
  readonly end: () => boolean;
  /** Ends it without an answer. */
  readonly giveUp: () => void;
}

export interface ClientCallsParts {
  readonly simulation: Simulation;
  readonly random: SeededRandom;
  /** A client with one call at a time has had its answer, or gave up; it thinks `factor` times as long as usual. */
  readonly onFree: (client: Client, factor: number) => void;
}

const PATIENCE_MS = 25_000;
/** Calls that have had their answer: a second one is a defect, even when the client had given up before. */
const answered = new WeakSet<Call>();

/**
 * The calls of a run's clients, from sending to their one end.
 *
 * Owns what is open, and demands that every call is answered once unless its node died or stood still meanwhile. On a connection
 * nothing overtakes.
 */
export class ClientCalls {
  readonly #simulation: Simulation;
  readonly #random: SeededRandom;
  readonly #onFree: ClientCallsParts["onFree"];
  /** Answers that were ok, by client: whether everybody is served. */
  readonly okCounts: number[] = [];
  openCount = 0;
  endedCount = 0;
  #count = 0;
  #connectionCount = 0;

  constructor({ simulation, random, onFree }: ClientCallsParts) {
    this.#simulation = simulation;
    this.#random = random;
    this.#onFree = onFree;
  }

  /** Another one with every call. */
  nextNumber(): number {
    return ++this.#count;
  }

  /** Opens a call; `giveUp` is for its end without an answer. */
  open(giveUp: () => void, client?: Client): Call {
    let isOver = false;
    this.openCount++;
    if (client !== undefined) client.openCount++;
    const end = (): boolean => {
      if (isOver) return false;
      isOver = true;
      this.openCount--;
      this.endedCount++;
      if (client !== undefined) client.openCount--;
      return true;
    };
    const abandon = (): void => {
      if (!end()) return;
      giveUp();
      this.#simulation.markers.sometimes("call without an answer");
      if (client !== undefined && client.depth === 1) this.#onFree(client, 1);
    };
    return { isOver: () => isOver, end, giveUp: abandon };
  }

  /** Ends a call with an answer; false when it had ended (the client may have given up, but must not be answered twice). */
  finish(call: Call, client?: Client, isOk = false): boolean {
    if (answered.has(call)) {
      this.#simulation.fail("every request is answered once", "a request was answered twice");
      return false;
    }
    answered.add(call);
    if (!call.end()) return false;
    if (client === undefined) return true;
    if (isOk) this.okCounts[client.index] = (this.okCounts[client.index] ?? 0) + 1;
    // Who was refused waits before trying again, or refusals at once would use up the whole workload.
    if (client.depth === 1) this.#onFree(client, isOk ? 1 : 3);
    return true;
  }

  /** Has `run` called on the client's node, or `refuse` when that is down. */
  ask(client: Client, call: Call, refuse: (reply: Reply) => void, run: (node: RunningNode) => void): void {
    if (client.machine.running === null) refuse(refused());
    else this.send(client.machine, call, run, client.connection);
  }

  send(machine: SimMachine, call: Call, run: (node: RunningNode) => void, connection: Connection | null = null): void {
    const simulation = this.#simulation;
    const node = machine.running;
    if (node === null) return;
    const id = this.nextNumber();
    const sentMs = simulation.nowMs;
    node.openCalls.set(id, call.giveUp);
    const arrivalMs = Math.max((connection?.arrivalMs ?? 0) + 0.001, sentMs + 0.02 + this.#random.next() * 0.2);
    if (connection !== null) connection.arrivalMs = arrivalMs;
    const delayMs = arrivalMs - sentMs;
    node.process.deliver({ phase: "network", delayMs, run: () => run(node) });
    simulation.schedule(PATIENCE_MS, "client patience", () => {
      node.openCalls.delete(id);
      if (call.isOver()) return;
      const isRunning = machine.running === node && machine.lastPausedMs < sentMs;
      if (isRunning) simulation.fail("every request is answered", `a call to ${machine.node} at ${sentMs} was not`);
      call.giveUp();
    });
  }

  /** The client's connection to its node's present life; null when that is down. */
  connect(client: Client): Connection | null {
    const to = client.machine.running;
    if (to === null) return null;
    if (client.connection?.to === to) return client.connection;
    const gateway: Gateway = to.core;
    client.connection = { id: ++this.#connectionCount, to, sequence: gateway.sequence(), nextOrder: 0, arrivalMs: 0 };
    return client.connection;
  }
}

/** What a client hears that finds nobody. */
export function refused(): Reply {
  return { ok: false, error: new KvError("UNREACHABLE", "The node is down") };
}
