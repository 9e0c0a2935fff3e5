import type { SeededRandom } from "../../../src/base/random.ts";
import { LIMITS } from "../../../src/model/limits.ts";
import type { NodeName } from "../../../src/model/position.ts";
import type { SimProcess } from "../base/sim-process.ts";
import type { Simulation } from "../base/simulation.ts";
import type { NetworkWeather } from "./network-weather.ts";
import { drawLatencyMs } from "./network-weather.ts";
import type { Frame } from "./sim-connection.ts";
import { ConnectionEnd, frameBytes, SimConnection } from "./sim-connection.ts";
import { SimEndpoint } from "./sim-endpoint.ts";

/** How a process leaves the network: its kernel closes its connections at once, or the machine just falls silent. */
export type Departure = "closed" | "silent";

/**
 * The network between all nodes of a run: delays, resets, duplicates, one-way and partial partitions, half-open connections.
 *
 * Frames of one connection and direction arrive in order or not at all. What is sent into a blocked path waits; if the block outlasts
 * the patience of the ends, they close. Every delivery goes through the gate of the receiving process.
 */
export class SimNetwork {
  weather: NetworkWeather;
  /** Is told of every message that arrives, by type. */
  watch: ((to: NodeName, type: string) => void) | null = null;
  readonly #simulation: Simulation;
  readonly #random: SeededRandom;
  readonly #endpoints: Map<NodeName, SimEndpoint> = new Map();
  readonly #connections: Set<SimConnection> = new Set();
  readonly #silent: Set<NodeName> = new Set();
  /** Blocked directions, `from>to`, each with the number of its block. */
  readonly #blocked: Map<string, number> = new Map();
  #blockCount = 0;
  #connectionCount = 0;

  constructor(simulation: Simulation, weather: NetworkWeather) {
    this.#simulation = simulation;
    this.weather = weather;
    this.#random = simulation.randomFor("network");
  }

  /** The network for a new process of `node`; the one of its former process is gone by then (`leave`). */
  endpoint(node: NodeName, process: SimProcess): SimEndpoint {
    const endpoint = new SimEndpoint(node, process, this);
    this.#endpoints.set(node, endpoint);
    this.#silent.delete(node);
    return endpoint;
  }

  /** The process of `node` has ended. */
  leave(node: NodeName, departure: Departure): void {
    const endpoint = this.#endpoints.get(node);
    this.#endpoints.delete(node);
    if (departure === "silent") this.#silent.add(node);
    if (endpoint === undefined) return;
    for (const connection of this.#connections) {
      const own = connection.ends.find((end) => end.endpoint === endpoint);
      if (own === undefined) continue;
      own.isOpen = false;
      this.#kill(connection, departure === "silent" ? "halfOpen" : "reset");
    }
  }

  /** Blocks what `from` sends to `to`. The other direction is not touched. */
  block(from: NodeName, to: NodeName): void {
    const direction = `${from}>${to}`;
    if (this.#blocked.has(direction)) return;
    const number = ++this.#blockCount;
    this.#blocked.set(direction, number);
    this.#simulation.note("network", `blocks ${direction}`);
    for (const connection of this.#connections) {
      const nodes = connection.ends.map((end) => end.endpoint.node);
      if (!nodes.includes(from) || !nodes.includes(to)) continue;
      const patienceMs = this.weather.silenceMsMax * (0.3 + 0.7 * this.#random.next());
      this.#simulation.schedule(patienceMs, "network patience", () => {
        if (this.#blocked.get(direction) === number) this.#kill(connection, "reset");
      });
    }
  }

  unblock(from: NodeName, to: NodeName): void {
    if (!this.#blocked.delete(`${from}>${to}`)) return;
    this.#simulation.note("network", `heals ${from}>${to}`);
    for (const connection of this.#connections) {
      const end = connection.ends.find(({ endpoint, peer }) => endpoint.node === to && peer === from);
      if (end === undefined) continue;
      const { stalledCount } = end;
      end.stalledCount = 0;
      for (let count = 0; count < stalledCount; count++) this.#scheduleDelivery(connection, end, 0);
    }
  }

  /** Cuts `node` off from all `others`, in both directions. */
  isolate(node: NodeName, others: readonly NodeName[]): void {
    for (const other of others) {
      if (other === node) continue;
      this.block(node, other);
      this.block(other, node);
    }
  }

  /** Ends every block. */
  heal(): void {
    const directions = [...this.#blocked.keys()].map((direction) => direction.split(">"));
    for (const [from = "", to = ""] of directions) this.unblock(from, to);
  }

  get isBlocked(): boolean {
    return this.#blocked.size > 0;
  }

  /** Whether anything between `a` and `b` is blocked, in whichever direction. */
  isBlockedBetween(a: NodeName, b: NodeName): boolean {
    return this.#blocked.has(`${a}>${b}`) || this.#blocked.has(`${b}>${a}`);
  }

  /** Resets every connection between `a` and `b`. */
  resetBetween(a: NodeName, b: NodeName): void {
    for (const connection of this.#connections) {
      const nodes = connection.ends.map((end) => end.endpoint.node);
      if (nodes.includes(a) && nodes.includes(b)) this.reset(connection);
    }
  }

  reset(connection: SimConnection): void {
    this.#kill(connection, this.#random.next() < this.weather.halfOpenShare ? "halfOpen" : "reset");
  }

  /** A node could not make sense of what another sent. */
  noteProtocolError(node: NodeName, error: Error): void {
    this.#simulation.note("network", `${node} met a protocol error: ${error.message}`);
    this.#simulation.markers.sometimes("protocol error");
  }

  /** Starts an attempt to connect; the endpoint hears of its end. */
  connect(from: SimEndpoint, to: NodeName): void {
    const attempt: ConnectAttempt = { from, to, isOver: false };
    from.process.after(this.weather.connectTimeoutMs, () => failAttempt(attempt));
    this.#simulation.schedule(this.#latencyMs(), "network connects", () => this.#knock(attempt));
  }

  /** Puts `frame` on its way from `sender`; false when too much is on its way already. */
  transmit(connection: SimConnection, sender: SimEndpoint, frame: Frame): boolean {
    const own = connection.ends[0].endpoint === sender ? connection.ends[0] : connection.ends[1];
    const receiver = connection.oppositeOf(own);
    const bytes = frameBytes(frame);
    if (receiver.inboxBytes > 0 && receiver.inboxBytes + bytes > LIMITS.peerOutgoingBytesMax) return false;
    if (connection.isDead) {
      // Sending into a dead connection is what makes a half-open end notice, if somebody is there to say so.
      const peer = receiver.endpoint.node;
      const isAnswered = !this.isBlockedBetween(sender.node, peer) && !this.#silent.has(peer);
      if (isAnswered) this.#notice(connection, own, this.#latencyMs() * 2);
      return true;
    }
    receiver.push(copyFrame(frame));
    const arrivalMs = Math.max(
      receiver.lastArrivalMs,
      this.#simulation.nowMs + drawLatencyMs(this.weather, bytes, this.#random),
    );
    receiver.lastArrivalMs = arrivalMs;
    this.#scheduleDelivery(connection, receiver, arrivalMs - this.#simulation.nowMs);
    if (this.#random.next() < this.weather.resetShare) {
      this.#simulation.schedule(this.#latencyMs() * 2 * this.#random.next(), "network resets", () =>
        this.reset(connection),
      );
    }
    return true;
  }

  #knock(attempt: ConnectAttempt): void {
    const { from, to } = attempt;
    if (this.isBlockedBetween(from.node, to) || this.#silent.has(to)) return;
    const target = this.#endpoints.get(to);
    if (target === undefined || !target.isListening) {
      this.#refuse(attempt);
    } else {
      // Through the gate: a paused process does not shake hands.
      target.process.deliver({ phase: "network", delayMs: 0, run: () => this.#accept(attempt, target) });
    }
  }

  #refuse(attempt: ConnectAttempt): void {
    const refuse = (): void => failAttempt(attempt);
    attempt.from.process.deliver({ phase: "network", delayMs: this.#latencyMs(), run: refuse });
  }

  #isThere(endpoint: SimEndpoint): boolean {
    return this.#endpoints.get(endpoint.node) === endpoint;
  }

  #accept(attempt: ConnectAttempt, target: SimEndpoint): void {
    const { from } = attempt;
    // Whoever knocked has died meanwhile: its kernel would take nothing that comes back.
    if (!from.process.isAlive || !this.#isThere(from)) return;
    // A process that is stopping has closed its sockets before it ends.
    if (!this.#isThere(target)) return this.#refuse(attempt);
    const ends = [new ConnectionEnd(from, target.node), new ConnectionEnd(target, from.node)] as const;
    const connection = new SimConnection(++this.#connectionCount, ends);
    this.#connections.add(connection);
    this.#simulation.trace.remark(this.#simulation.nowMs, "network", () => `connects ${from.node} – ${target.node}`);
    const delayMs = this.#latencyMs();
    ends[0].lastArrivalMs = this.#simulation.nowMs + delayMs + 0.001;
    ends[1].isOpen = true;
    target.opened(from.node, connection);
    from.process.deliver({ phase: "network", delayMs, run: () => this.#establish(attempt, connection) });
  }

  #establish(attempt: ConnectAttempt, connection: SimConnection): void {
    if (attempt.isOver || connection.isDead || !this.#isThere(attempt.from)) {
      this.#kill(connection, "reset");
      failAttempt(attempt);
      return;
    }
    attempt.isOver = true;
    connection.ends[0].isOpen = true;
    attempt.from.opened(attempt.to, connection);
  }

  #scheduleDelivery(connection: SimConnection, end: ConnectionEnd, delayMs: number): void {
    end.endpoint.process.deliver({ phase: "network", delayMs, run: () => this.#deliverNext(connection, end) });
  }

  #deliverNext(connection: SimConnection, end: ConnectionEnd): void {
    if (!end.isOpen) return;
    if (this.#blocked.has(`${end.peer}>${end.endpoint.node}`)) {
      end.stalledCount++;
      return;
    }
    const frame = end.shift();
    if (frame === undefined) return;
    this.#simulation.trace.event(this.#simulation.nowMs, frame.kind === "message" ? frame.type : frame.kind);
    this.#remark(end, frame);
    if (frame.kind === "message") this.watch?.(end.endpoint.node, frame.type);
    end.endpoint.receive(connection, end, frame);
  }

  /** Ends a connection: part of what is under way is lost, and each end will notice in its own time. */
  #kill(connection: SimConnection, kind: "reset" | "halfOpen"): void {
    if (connection.isDead) return;
    connection.isDead = true;
    this.#connections.delete(connection);
    const blindEnd = kind === "halfOpen" ? this.#random.below(2) : -1;
    for (const [index, end] of connection.ends.entries()) {
      if (!end.isOpen) continue;
      const isCut = this.#blocked.has(`${end.peer}>${end.endpoint.node}`);
      end.keepFirst(isCut ? 0 : this.#random.below(end.inbox.length + 1));
      const lingerMs = this.#random.next() < this.weather.lingerShare ? 50 + this.#random.next() * 2000 : 0;
      if (lingerMs > 0) this.#deliverLate(connection, end, lingerMs);
      const otherIsGone = !connection.oppositeOf(end).isOpen;
      // What would tell of it does not come through a path that is cut.
      const isBlind = isCut || (kind === "halfOpen" && (index === blindEnd || otherIsGone));
      const silenceMs = isBlind ? this.weather.silenceMsMax * (0.3 + 0.7 * this.#random.next()) : 0;
      const arrivalMs = Math.max(0, end.inbox.length > 0 ? end.lastArrivalMs - this.#simulation.nowMs : 0);
      this.#notice(connection, end, Math.max(this.#latencyMs(), lingerMs, silenceMs, arrivalMs));
      if (this.#random.next() < this.weather.duplicateShare) this.#duplicate(connection, end);
    }
  }

  /** Has the frames that survived at `end` arrive only in `lingerMs`. */
  #deliverLate(connection: SimConnection, end: ConnectionEnd, lingerMs: number): void {
    const late = end.inbox.splice(0);
    end.endpoint.process.deliver({
      phase: "network",
      delayMs: lingerMs,
      run: () => {
        for (const frame of late) if (end.isOpen) end.endpoint.receive(connection, end, frame);
      },
    });
  }

  #duplicate(connection: SimConnection, end: ConnectionEnd): void {
    const { delivered } = end;
    const again = delivered.slice(this.#random.below(delivered.length + 1));
    const delayMs = this.#random.next() * 2000;
    const run = (): void => {
      for (const frame of again) end.endpoint.receive(connection, end, frame);
    };
    if (again.length > 0) end.endpoint.process.deliver({ phase: "network", delayMs, run });
  }

  #notice(connection: SimConnection, end: ConnectionEnd, delayMs: number): void {
    const run = (): void => end.endpoint.closed(connection, end);
    end.endpoint.process.deliver({ phase: "network", delayMs, run });
  }

  #latencyMs(): number {
    return drawLatencyMs(this.weather, 0, this.#random);
  }

  #remark(end: ConnectionEnd, frame: Frame): void {
    this.#simulation.trace.remark(this.#simulation.nowMs, `${end.peer}→${end.endpoint.node}`, () =>
      frame.kind === "message" ? `${frame.type} ${frame.header}` : `${frame.kind} ${frame.id}`,
    );
  }
}

interface ConnectAttempt {
  readonly from: SimEndpoint;
  readonly to: NodeName;
  isOver: boolean;
}

function failAttempt(attempt: ConnectAttempt): void {
  if (attempt.isOver) return;
  attempt.isOver = true;
  attempt.from.connectFailed(attempt.to);
}

/** Frames are copied where a real network would: the sender may reuse its bytes, the receiver never shares them. */
function copyFrame(frame: Frame): Frame {
  return { ...frame, body: Buffer.from(frame.body) };
}
