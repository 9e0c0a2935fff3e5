import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { assert } from "../base/assert.ts";
import type { Clock, Timer, Timers } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import type { NodeName } from "../model/position.ts";
import { Handshake, type PeerIdentity } from "./handshake.ts";
import { PeerConnection, type PeerTimings } from "./peer-connection.ts";
import { noCounts, type MutablePeerCounters, type PeerCounters } from "./peer-counters.ts";
import { PeerLink } from "./peer-link.ts";
import type { PeerHandler, PeerMessage, PeerNetwork, PeerRequest } from "./peer-network.ts";
import { socketAddressOf, type SocketAddress } from "./socket-address.ts";

export const DEFAULT_TIMINGS: PeerTimings = {
  handshakeMs: 3000,
  pingAfterMs: 1000,
  silenceMs: 3000,
  lingerMs: 500,
  backoffFirstMs: 50,
  backoffLastMs: 1000,
  sweepMs: 50,
};

export interface TcpPeerNetworkOptions {
  /** Asked at every handshake: a store's id may change while the process lives. */
  readonly identity: () => PeerIdentity;
  /** Shared secret of the cluster; empty when there is none. */
  readonly secret: Buffer;
  /** Own peer address, `host:port`. */
  readonly listenAddress: string;
  readonly isKnownNode: (node: NodeName) => boolean;
  readonly addressOf: (node: NodeName) => string | undefined;
  readonly clock: Clock & Timers;
  readonly random: Random;
  readonly logger: Logger;
  readonly timings?: Partial<PeerTimings>;
}

/**
 * The network between nodes over TCP (docs/protocol.md).
 *
 * Owns the listener on the peer port, every connection, and the one timer that looks after all deadlines. Connections
 * that have not proved themselves are bounded in number, bytes and time. When a connection is lost, its requests fail
 * honestly, the handler is told, and the next use dials again.
 */
export class TcpPeerNetwork implements PeerNetwork {
  readonly #options: TcpPeerNetworkOptions;
  readonly #timings: PeerTimings;
  readonly #counters: MutablePeerCounters = noCounts();
  readonly #own: SocketAddress;
  readonly #links = new Map<NodeName, PeerLink>();
  readonly #connections = new Set<PeerConnection>();
  readonly #server: Server;
  #handler: PeerHandler | null = null;
  #sweepTimer: Timer | null = null;
  #sweptAtMs = 0;
  #isStopping = false;
  /** Set when the listener is gone, and all that is missing is the end of the connections that were dialled. */
  #onAllGone: (() => void) | null = null;
  /** Accepted, but not through their handshake yet; the oldest first. */
  readonly #unproven = new Set<PeerConnection>();
  #warnedAtMs = -Infinity;

  /** Throws CONFIG_INVALID when `listenAddress` is not `host:port`. */
  constructor(options: TcpPeerNetworkOptions) {
    const own = socketAddressOf(options.listenAddress);
    if (own === null) throw new KvError("CONFIG_INVALID", `"${options.listenAddress}" is not a peer address host:port`);
    this.#options = options;
    this.#own = own;
    this.#timings = { ...DEFAULT_TIMINGS, ...options.timings };
    this.#server = createServer({ noDelay: true, keepAlive: true }, (socket) => this.#accept(socket));
  }

  get counters(): PeerCounters {
    return this.#counters;
  }

  /** The port listened on, for a configuration that asked for port 0. */
  get port(): number {
    const address: AddressInfo | string | null = this.#server.address();
    return address === null || typeof address === "string" ? 0 : address.port;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  get requestsInFlight(): number {
    return this.#sum((connection) => connection.requestsInFlight);
  }

  get outgoingBytes(): number {
    return this.#sum((connection) => connection.outgoingBytes);
  }

  /** Who `node` said to be when it connected; null while there is no connection with it. */
  peerOf(node: NodeName): PeerIdentity | null {
    return this.#links.get(node)?.peer ?? null;
  }

  /** Starts to listen. `done` gets ADDRESS_IN_USE (or what else went wrong), or null when connections are accepted. */
  start(handler: PeerHandler, done: (error: KvError | null) => void): void {
    assert(this.#handler === null, "the network is started once");
    this.#handler = handler;
    this.#sweptAtMs = this.#options.clock.nowMs();
    this.#planSweep();
    const { listenAddress, logger } = this.#options;
    let isListening = false;
    this.#server.on("error", (cause) => {
      if (isListening) logger.error("The peer port has trouble", { reason: cause.message });
      else done(new KvError("ADDRESS_IN_USE", `Cannot listen on ${listenAddress}: ${cause.message}`, { cause }));
    });
    this.#server.listen({ host: this.#own.host, port: this.#own.port }, () => {
      isListening = true;
      done(null);
    });
  }

  send(to: NodeName, message: PeerMessage): boolean {
    return !this.#isStopping && this.#linkTo(to).send(message);
  }

  request(to: NodeName, request: PeerRequest): void {
    const { body, done } = request;
    if (this.#isStopping) done({ error: new KvError("STOPPING", "The node is shutting down"), sent: false });
    else if (body.length > LIMITS.messageBytesMax) {
      const message = `A request of ${body.length} bytes exceeds ${LIMITS.messageBytesMax}`;
      done({ error: new KvError("VALUE_TOO_LARGE", message), sent: false });
    } else this.#linkTo(to).request(request);
  }

  /** Stops listening, delivers what was queued, fails what waits for answers, and calls `done` when all sockets are gone. */
  close(done: () => void): void {
    assert(!this.#isStopping, "the network is closed once");
    this.#isStopping = true;
    this.#server.close(() => (this.#onAllGone = done));
    for (const connection of this.#connections) connection.end(new KvError("STOPPING", "The node is shutting down"));
  }

  #linkTo(node: NodeName): PeerLink {
    const known = this.#links.get(node);
    if (known !== undefined) return known;
    assert(node !== this.#options.identity().node, "a node does not send to itself");
    const { addressOf, clock, random, logger } = this.#options;
    const link = new PeerLink({
      node,
      addressOf,
      localHost: this.#own.isLoopback ? this.#own.host : null,
      clock,
      random,
      logger,
      counters: this.#counters,
      timings: this.#timings,
      adopt: (socket, dialler) => this.#adopt(socket, dialler),
    });
    this.#links.set(node, link);
    return link;
  }

  /** When too many knock, the oldest has to go: a node needs milliseconds for its handshake, a stranger never ends it. */
  #accept(socket: Socket): void {
    if (this.#isStopping) {
      socket.destroy();
      return;
    }
    const [oldest] = this.#unproven;
    if (oldest !== undefined && this.#unproven.size >= LIMITS.peerHandshakesMax) {
      this.#counters.handshakesRefused++;
      this.#unproven.delete(oldest);
      oldest.close(new KvError("TOO_MANY_CONNECTIONS", "Too many connections have not done their handshake"));
    }
    this.#unproven.add(this.#adopt(socket, null));
  }

  /** Makes a connection of a socket: dialled by `dialler`, or accepted when that is null. */
  #adopt(socket: Socket, dialler: PeerLink | null): PeerConnection {
    const { identity, secret, isKnownNode, clock, random } = this.#options;
    const handler = this.#handler;
    assert(handler !== null, "the network was started");
    const handshake = new Handshake({
      own: identity(),
      secret,
      isKnownNode,
      nonce: random.hex64() + random.hex64(),
      dialled: dialler?.node ?? null,
    });
    const connection = new PeerConnection({
      socket,
      handshake,
      handler,
      clock,
      counters: this.#counters,
      timings: this.#timings,
      onReady: (ready, peer) => {
        this.#unproven.delete(ready);
        this.#linkTo(peer.node).attach(ready, peer);
      },
      onLost: (lost, reason) => this.#onLost(lost, reason, dialler),
    });
    this.#connections.add(connection);
    return connection;
  }

  #onLost(connection: PeerConnection, reason: KvError, dialler: PeerLink | null): void {
    const peer = connection.peer;
    if (peer === null && dialler === null) {
      this.#warnOfStranger(reason);
      return;
    }
    const link = dialler ?? (peer === null ? undefined : this.#links.get(peer.node));
    link?.detach(connection, reason);
    if (peer !== null) this.#handler?.onDisconnected(peer.node);
  }

  /** At most one line a second, so that strangers cannot fill the log. */
  #warnOfStranger(reason: KvError): void {
    const { clock, logger } = this.#options;
    if (clock.nowMs() - this.#warnedAtMs < 1000) return;
    this.#warnedAtMs = clock.nowMs();
    logger.warn("A connection to the peer port was refused", { code: reason.code, reason: reason.message });
  }

  #planSweep(): void {
    this.#sweepTimer = this.#options.clock.after(this.#timings.sweepMs, () => this.#sweep());
  }

  /** A pause of this process must not look like silence of the others: their bytes may lie unread in the kernel. */
  #sweep(): void {
    const nowMs = this.#options.clock.nowMs();
    const elapsedMs = Math.min(nowMs - this.#sweptAtMs, 2 * this.#timings.sweepMs);
    this.#sweptAtMs = nowMs;
    this.#planSweep();
    for (const connection of this.#connections) {
      connection.sweep(nowMs, elapsedMs);
      if (!connection.isClosed) continue;
      this.#connections.delete(connection);
      this.#unproven.delete(connection);
    }
    if (this.#onAllGone === null || this.#connections.size > 0) return;
    this.#sweepTimer?.cancel();
    this.#onAllGone();
    this.#onAllGone = null;
  }

  #sum(measure: (connection: PeerConnection) => number): number {
    let sum = 0;
    for (const connection of this.#connections) sum += measure(connection);
    return sum;
  }
}
