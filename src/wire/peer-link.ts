import { connect, isIP, type Socket } from "node:net";
import type { Clock, Timers } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import { KvError } from "../model/errors.ts";
import type { NodeName } from "../model/position.ts";
import type { PeerIdentity } from "./handshake.ts";
import type { PeerConnection, PeerTimings } from "./peer-connection.ts";
import type { MutablePeerCounters } from "./peer-counters.ts";
import type { PeerMessage, PeerRequest } from "./peer-network.ts";
import { socketAddressOf } from "./socket-address.ts";

export interface LinkOptions {
  readonly node: NodeName;
  /** Where its peer port is, `host:port`, as far as the topology knows. */
  readonly addressOf: (node: NodeName) => string | undefined;
  /** Own address to dial from; null leaves it to the system. */
  readonly localHost: string | null;
  readonly clock: Clock & Timers;
  readonly random: Random;
  readonly logger: Logger;
  readonly counters: MutablePeerCounters;
  readonly timings: PeerTimings;
  /** Makes a connection of a socket that is being dialled. */
  readonly adopt: (socket: Socket, link: PeerLink) => PeerConnection;
}

/** A connection that ends sooner after its handshake counts as a failed attempt, so that a quarrel does not spin. */
const SETTLED_AFTER_MS = 1000;
const STARTING_MS = 3000;

/**
 * Everything about one other node: at most one connection dialled and one accepted, and when to dial again.
 *
 * What is sent goes over one connection as long as it lives, so that its order is kept; another is used only after that
 * one is lost. Without any, the node is dialled, and what is sent meanwhile waits in the new connection. After a failure
 * everything is refused at once until the back-off (doubling, with jitter) has passed.
 */
export class PeerLink {
  readonly node: NodeName;
  readonly #options: LinkOptions;
  #dialled: PeerConnection | null = null;
  #accepted: PeerConnection | null = null;
  #current: PeerConnection | null = null;
  #failures = 0;
  #dialAgainAtMs = 0;
  #wasConnected = false;
  #downSinceMs: number | null = null;
  /** Why there is no connection, and what was last said of it. */
  #whyNot = "it was never dialled";
  #complaint: KvError["code"] | null = null;

  constructor(options: LinkOptions) {
    this.node = options.node;
    this.#options = options;
  }

  get isConnected(): boolean {
    return this.#dialled?.isReady === true || this.#accepted?.isReady === true;
  }

  /** The other node, as it named itself in its last handshake; null while there is no connection. */
  get peer(): PeerIdentity | null {
    return this.#current?.isReady === true ? this.#current.peer : null;
  }

  send(message: PeerMessage): boolean {
    const connection = this.#usable();
    return !(connection instanceof KvError) && connection.send(message);
  }

  request(request: PeerRequest): void {
    const connection = this.#usable();
    if (connection instanceof KvError) request.done({ error: connection, sent: false });
    else connection.request(request);
  }

  /** A connection has done its handshake. Older ones of a former life of the node, or of the same direction, are given up. */
  attach(connection: PeerConnection, peer: PeerIdentity): void {
    const { counters, logger } = this.#options;
    const isDialled = connection === this.#dialled;
    const replaced = new KvError("UNREACHABLE", `Node ${this.node} made a new connection`);
    if (!isDialled) this.#accepted?.close(replaced);
    const other = isDialled ? this.#accepted : this.#dialled;
    if (other?.isReady === true && other.peer?.boot !== peer.boot) other.close(replaced);
    if (!isDialled) this.#accepted = connection;
    this.#current = this.#current?.isReady === true ? this.#current : connection;
    counters.connects++;
    if (this.#wasConnected) counters.reconnects++;
    // The end of an outage that was complained of; that nodes find each other at the start goes without saying.
    if (this.#complaint !== null) logger.info("Connected with a node again", { node: this.node, boot: peer.boot });
    this.#wasConnected = true;
    this.#dialAgainAtMs = 0;
    this.#downSinceMs = null;
    this.#complaint = null;
  }

  /** A connection of this link is gone. */
  detach(connection: PeerConnection, reason: KvError): void {
    const { clock, counters } = this.#options;
    if (connection === this.#accepted) this.#accepted = null;
    if (connection === this.#current) this.#current = null;
    const isSettled = connection.peer !== null && clock.nowMs() - connection.startedAtMs >= SETTLED_AFTER_MS;
    if (connection === this.#dialled) {
      this.#dialled = null;
      if (connection.peer === null) counters.dialFailures++;
      if (isSettled) this.#failures = 0;
      else this.#backOff();
    }
    this.#complain(reason);
  }

  #backOff(): void {
    const { clock, random, timings } = this.#options;
    const waitMs = Math.min(timings.backoffFirstMs * 2 ** this.#failures, timings.backoffLastMs);
    this.#failures = Math.min(this.#failures + 1, 30);
    this.#dialAgainAtMs = clock.nowMs() + waitMs * (0.5 + random.next() / 2);
  }

  /**
   * Says why there is no connection, once for each kind of reason: a node that is down refuses in many words. Nothing is said
   * while another connection lives, nor while the other node may simply not have started yet.
   */
  #complain(reason: KvError): void {
    if (this.isConnected) return;
    this.#whyNot = reason.message;
    const nowMs = this.#options.clock.nowMs();
    this.#downSinceMs ??= nowMs;
    const mayBeStarting = !this.#wasConnected && reason.code === "UNREACHABLE";
    if (mayBeStarting && nowMs - this.#downSinceMs < STARTING_MS) return;
    if (reason.code === this.#complaint || reason.code === "STOPPING") return;
    this.#complaint = reason.code;
    this.#options.logger.warn("No connection with a node", {
      node: this.node,
      code: reason.code,
      reason: reason.message,
    });
  }

  /** The connection to use now, dialling if there is none; or why there cannot be one. */
  #usable(): PeerConnection | KvError {
    if (this.#current?.isReady === true) return this.#current;
    for (const other of [this.#dialled, this.#accepted]) {
      if (other?.isReady !== true) continue;
      this.#current = other;
      return other;
    }
    if (this.#dialled !== null) return this.#dialled;
    if (this.#options.clock.nowMs() < this.#dialAgainAtMs) return this.#unreachable(this.#whyNot);
    return this.#dial();
  }

  #dial(): PeerConnection | KvError {
    const { addressOf, localHost, adopt } = this.#options;
    const address = socketAddressOf(addressOf(this.node) ?? "");
    if (address === null) return this.#unreachable("the topology has no address of it");
    const canBind = localHost !== null && address.isLoopback && isIP(localHost) === isIP(address.host);
    const socket = connect({
      host: address.host,
      port: address.port,
      noDelay: true,
      keepAlive: true,
      ...(canBind ? { localAddress: localHost } : {}),
    });
    this.#dialled = adopt(socket, this);
    return this.#dialled;
  }

  #unreachable(why: string): KvError {
    return new KvError("UNREACHABLE", `Node ${this.node} cannot be reached: ${why}`);
  }
}
