import { assert } from "../../../src/base/assert.ts";
import type { Timer } from "../../../src/base/clock.ts";
import { KvError } from "../../../src/model/errors.ts";
import { LIMITS } from "../../../src/model/limits.ts";
import type { NodeName } from "../../../src/model/position.ts";
import type { PeerHandler, PeerMessage, PeerNetwork, PeerRequest } from "../../../src/wire/peer-network.ts";
import { ProtocolError } from "../../../src/wire/protocol-error.ts";
import type { SimProcess } from "../base/sim-process.ts";
import type { ConnectionEnd, Frame, SimConnection } from "./sim-connection.ts";
import { frameBytes } from "./sim-connection.ts";
import type { SimNetwork } from "./sim-network.ts";

/** What one process knows of its ways to one other node. */
interface Link {
  /** Connections that this side believes to be open, oldest first; the newest is used. */
  readonly connections: SimConnection[];
  isConnecting: boolean;
  /** What waits for the connection under way. */
  queue: Frame[];
  queuedBytes: number;
  backoffUntilMs: number;
}

interface OpenRequest {
  readonly request: PeerRequest;
  readonly to: NodeName;
  readonly timer: Timer;
  /** The connection it went out on; null while it waits for one. */
  connection: SimConnection | null;
}

/**
 * The network as one process sees it: the simulated `PeerNetwork`.
 *
 * Owns this side's view of its connections, what waits for them, and the requests without an answer; each of these is ended
 * exactly once: by an answer, its time-out, the loss of its connection, or a failed attempt to connect. Dies with its process.
 */
export class SimEndpoint implements PeerNetwork {
  readonly node: NodeName;
  readonly process: SimProcess;
  readonly #network: SimNetwork;
  readonly #links: Map<NodeName, Link> = new Map();
  readonly #open: Map<number, OpenRequest> = new Map();
  #handler: PeerHandler | null = null;
  #nextRequestId = 1;

  constructor(node: NodeName, process: SimProcess, network: SimNetwork) {
    this.node = node;
    this.process = process;
    this.#network = network;
  }

  /** Whether the process takes connections. */
  get isListening(): boolean {
    return this.#handler !== null && this.process.isAlive;
  }

  /** Starts taking connections and handing what arrives to `handler`. */
  listen(handler: PeerHandler): void {
    this.#handler = handler;
  }

  /** Connections this side believes to be open, to anybody. */
  get connections(): SimConnection[] {
    return [...this.#links.values()].flatMap((link) => link.connections);
  }

  send(to: NodeName, { type, shard, header, body }: PeerMessage): boolean {
    return this.#dispatch(to, { kind: "message", type, shard, header: JSON.stringify(header), body }) !== "refused";
  }

  request(to: NodeName, request: PeerRequest): void {
    const id = this.#nextRequestId++;
    if (this.#open.size >= LIMITS.peerRequestsInFlightMax) {
      request.done({ error: new KvError("OVERLOADED", `Too many requests to other nodes are in flight`), sent: false });
      return;
    }
    const timer = this.process.after(request.timeoutMs, () => this.#timeOut(id));
    const entry: OpenRequest = { request, to, timer, connection: null };
    this.#open.set(id, entry);
    const fate = this.#dispatch(to, { kind: "request", id, body: request.body });
    if (fate === "refused") this.#fail(id);
    else if (fate !== "queued") entry.connection = fate;
  }

  /** A connection has been made with `peer`, by either side. */
  opened(peer: NodeName, connection: SimConnection): void {
    const link = this.#linkTo(peer);
    const older = [...link.connections];
    link.connections.push(connection);
    link.isConnecting = false;
    const { queue } = link;
    link.queue = [];
    link.queuedBytes = 0;
    for (const frame of queue) {
      const entry = frame.kind === "request" ? this.#open.get(frame.id) : undefined;
      if (frame.kind === "request" && entry === undefined) continue;
      if (entry !== undefined) entry.connection = connection;
      this.#network.transmit(connection, this, frame);
    }
    // Requests go one way at a time, as those of `PeerLink` do: over two, later ones could overtake those before them. What
    // those who are told ask next goes behind what has waited.
    for (const other of older) this.#failAllOn(other);
  }

  /** The attempt to connect to `peer` came to nothing. */
  connectFailed(peer: NodeName): void {
    const link = this.#linkTo(peer);
    if (!link.isConnecting) return;
    link.isConnecting = false;
    link.backoffUntilMs = this.process.nowMs() + this.#network.weather.backoffMs;
    const { queue } = link;
    link.queue = [];
    link.queuedBytes = 0;
    for (const frame of queue) if (frame.kind === "request") this.#fail(frame.id);
  }

  /** This side has noticed that its end of `connection` is gone. */
  closed(connection: SimConnection, end: ConnectionEnd): void {
    if (!end.isOpen) return;
    end.isOpen = false;
    const { connections } = this.#linkTo(end.peer);
    const index = connections.indexOf(connection);
    assert(index !== -1, "an open end is known to its endpoint");
    connections.splice(index, 1);
    this.#failAllOn(connection);
    if (connections.length === 0) this.#handler?.onDisconnected(end.peer);
  }

  /** A frame has arrived over `connection`. */
  receive(connection: SimConnection, end: ConnectionEnd, frame: Frame): void {
    if (frame.kind === "response") {
      this.#answer(frame.id, frame.body);
      return;
    }
    const handler = this.#handler;
    if (handler === null) return;
    try {
      if (frame.kind === "message") {
        const header: unknown = JSON.parse(frame.header);
        handler.onMessage(end.peer, { type: frame.type, shard: frame.shard, header, body: frame.body });
      } else {
        handler.onRequest(end.peer, frame.body, this.#respondOnce(connection, end, frame.id));
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#network.noteProtocolError(this.node, error);
      this.#network.reset(connection);
    }
  }

  /** Sends over the newest connection, or lets `frame` wait for the one being made. */
  #dispatch(to: NodeName, frame: Frame): SimConnection | "queued" | "refused" {
    assert(to !== this.node, "a node does not send to itself");
    const link = this.#linkTo(to);
    const connection = link.connections.at(-1);
    if (connection !== undefined) {
      return this.#network.transmit(connection, this, frame) ? connection : "refused";
    }
    if (this.process.nowMs() < link.backoffUntilMs) return "refused";
    const bytes = frameBytes(frame);
    if (link.queuedBytes > 0 && link.queuedBytes + bytes > LIMITS.peerOutgoingBytesMax) return "refused";
    link.queue.push(frame);
    link.queuedBytes += bytes;
    if (!link.isConnecting) {
      link.isConnecting = true;
      this.#network.connect(this, to);
    }
    return "queued";
  }

  #linkTo(node: NodeName): Link {
    const known = this.#links.get(node);
    if (known !== undefined) return known;
    const link: Link = { connections: [], isConnecting: false, queue: [], queuedBytes: 0, backoffUntilMs: -Infinity };
    this.#links.set(node, link);
    return link;
  }

  #respondOnce(connection: SimConnection, end: ConnectionEnd, id: number): (body: Buffer) => void {
    let isAnswered = false;
    return (body) => {
      if (isAnswered || !end.isOpen) return;
      isAnswered = true;
      this.#network.transmit(connection, this, { kind: "response", id, body });
    };
  }

  #answer(id: number, body: Buffer): void {
    const entry = this.#open.get(id);
    if (entry === undefined) return;
    this.#open.delete(id);
    entry.timer.cancel();
    entry.request.done({ body });
  }

  #timeOut(id: number): void {
    const entry = this.#open.get(id);
    if (entry === undefined) return;
    this.#open.delete(id);
    const sent = entry.connection !== null;
    const code = sent ? "UNKNOWN_OUTCOME" : "DEADLINE_EXCEEDED";
    entry.request.done({ error: new KvError(code, `${entry.to} did not answer in time`), sent });
  }

  #failAllOn(connection: SimConnection): void {
    const lost = [...this.#open].filter(([, entry]) => entry.connection === connection);
    for (const [id] of lost) this.#fail(id);
  }

  /** Ends a request whose connection was lost or never made. */
  #fail(id: number): void {
    const entry = this.#open.get(id);
    if (entry === undefined) return;
    this.#open.delete(id);
    entry.timer.cancel();
    const sent = entry.connection !== null;
    const error = sent
      ? new KvError("UNKNOWN_OUTCOME", `The connection to ${entry.to} was lost before it answered`)
      : new KvError("UNREACHABLE", `${entry.to} cannot be reached`);
    entry.request.done({ error, sent });
  }
}
