import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createAcceptor, type Server as Acceptor, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock, Timer, Timers } from "../base/clock.ts";
import { Departure } from "../base/departure.ts";
import { directSocket } from "../base/direct-socket.ts";
import type { Logger } from "../base/logger.ts";
import { findListener, processPhrase } from "../base/process-finder.ts";
import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import type { Gateway } from "../node/gateway.ts";
import { AnswerTemplates } from "./answer-template.ts";
import { ByteBudget } from "./byte-budget.ts";
import { errorOfFault, type ParserFault } from "./client-fault.ts";
import type { ClientConnection } from "./client-connection.ts";
import { Connection } from "./connection.ts";
import { FastConnection } from "./fast-connection.ts";
import type { FrontDoor } from "./front-door.ts";
import { HeadTail } from "./head-tail.ts";
import { memberMetrics } from "./member-metrics.ts";
import type { MetricFamily, MetricSource } from "./metric-family.ts";
import { singleMetric } from "./metric-family.ts";
import { HttpMetrics } from "./metrics.ts";
import { OriginGuard } from "./origin-guard.ts";
import { Router } from "./router.ts";
import { SessionTokens } from "./session-token.ts";
import { DEFAULT_HTTP_SETTINGS, type HttpSettings } from "./settings.ts";

/** The parser counts target and headers as one sum; each is checked by itself behind it. */
const PARSER_HEAD_BYTES_MAX: number = LIMITS.urlBytesMax + LIMITS.headerBytesMax + 4096;
const BACKLOG_CONNECTIONS_MAX = 1024;
/** Room for clients that are being told that there is no room. */
const TURNED_AWAY_MAX = 256;

export interface HttpServerOptions {
  readonly gateway: Gateway;
  /** `host:port` to listen on, IPv6 hosts in brackets; port 0 picks a free one. */
  readonly address: string;
  /** The cluster's name: cursors and session tokens belong to it. */
  readonly cluster: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Further host names (without port) under which clients reach this node: those of its cluster. */
  readonly hosts?: readonly string[];
  /** What other parts of the node tell at /metrics, besides this server and the node's member. */
  readonly metricSources?: readonly MetricSource[];
  /** Labels of every metric. */
  readonly metricLabels?: Readonly<Record<string, string>>;
  readonly settings?: Partial<HttpSettings>;
}

/** Starts to listen. Throws ADDRESS_IN_USE, which names the process in the way where it can be found. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const server = new HttpServer(options);
  await server.listen();
  return server;
}

/**
 * The HTTP front door of one node.
 *
 * Owns the listening socket, every client connection, the budget for bodies in flight, and the sweep that finds slow
 * clients. A connection starts on the fast path; at the first request that is none of the hot shapes it goes to Node's own
 * server, which never listens. Node's parser reads heads and chunks in its strict mode; everything above that is decided here, so that no input
 * is dropped, joined or repaired silently. Bad input is answered with a problem; only a fault of the program is thrown.
 */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #settings: HttpSettings;
  readonly #door: FrontDoor;
  readonly #acceptor: Acceptor;
  readonly #departure: Departure;
  readonly #server: Server;
  readonly #connections = new Map<Duplex, ClientConnection>();
  readonly #ordinary = new Map<Duplex, Connection>();
  #turnedAwayCount = 0;
  #malformedCount = 0;
  #handedOverCount = 0;
  #sweepTimer: Timer | null = null;
  #isLeaving = false;
  #closed: Promise<void> | null = null;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#settings = { ...DEFAULT_HTTP_SETTINGS, ...options.settings };
    const { gateway, cluster, clock } = options;
    const tokens = new SessionTokens(cluster);
    const sources = [() => this.#ownFamilies(), memberMetrics(gateway), ...(options.metricSources ?? [])];
    const metrics = new HttpMetrics(options.metricLabels ?? { node: gateway.node }, sources);
    this.#door = {
      gateway,
      clock,
      timers: options.timers,
      templates: new AnswerTemplates(),
      tail: new HeadTail(clock, this.#settings.idleMsMax),
      metrics,
      settings: this.#settings,
      tokens,
      router: new Router({ gateway, tokens, cluster, metrics }),
      guard: new OriginGuard(options.address, [hostOf(gateway.node), ...(options.hosts ?? [])]),
      budget: new ByteBudget(this.#settings.bodiesInFlightBytesMax),
      isLeaving: () => this.#isLeaving,
    };
    this.#server = this.#createServer();
    this.#acceptor = createAcceptor({ allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#onSocket(directSocket(socket)),
    );
    this.#departure = new Departure(this.#acceptor, options.timers);
    this.#acceptor.maxConnections = this.#settings.connectionsMax + TURNED_AWAY_MAX;
  }

  /** `host:port` that it listens on: the one asked for, with the real port. */
  get address(): string {
    const bound = this.#acceptor.address();
    const port = typeof bound === "object" && bound !== null ? bound.port : 0;
    return `${hostOf(this.#options.address)}:${port}`;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  async listen(): Promise<void> {
    const { address, logger } = this.#options;
    const { host, port } = splitAddress(address);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#acceptor.once("error", reject);
    this.#acceptor.listen({ host, port, backlog: BACKLOG_CONNECTIONS_MAX }, resolve);
    try {
      await promise;
    } catch (error) {
      throw listenError(address, port, error);
    }
    this.#acceptor.off("error", reject);
    this.#acceptor.on("error", (error) => logger.error("The HTTP listener failed", { error: error.message }));
    // Node's server looks for heads that do not end from this event on, and has it only when it listens itself.
    this.#server.emit("listening");
    this.#scheduleSweep();
    logger.info("HTTP is listening", { address: this.address });
  }

  /**
   * Stops accepting, and sends its clients away without losing a request: each gets its next answer, which says that the
   * connection closes. Resolves when all have gone, or after `LIMITS.farewellMs`.
   */
  farewell(): Promise<void> {
    this.#isLeaving = true;
    return this.#departure.farewell(LIMITS.farewellMs);
  }

  /** Stops accepting, lets the requests in flight finish for `closeGraceMs`, then cuts what is left. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const allGone = this.#departure.stopAccepting();
    this.#server.close();
    for (const connection of this.#connections.values()) connection.stop();
    const deadline = this.#options.timers.after(this.#settings.closeGraceMs, () => {
      for (const socket of this.#connections.keys()) socket.destroy();
    });
    await allGone;
    deadline.cancel();
    this.#sweepTimer?.cancel();
  }

  #createServer(): Server {
    const settings = this.#settings;
    const server = createServer({
      insecureHTTPParser: false,
      // Told by `Connection` instead, as a problem.
      requireHostHeader: false,
      maxHeaderSize: PARSER_HEAD_BYTES_MAX,
      headersTimeout: settings.headerDeadlineMs,
      requestTimeout: 0,
      keepAliveTimeout: settings.idleMsMax,
      keepAliveTimeoutBuffer: 0,
      connectionsCheckingInterval: settings.sweepMs,
      noDelay: true,
    });
    // Otherwise Node would drop headers beyond a number of them, silently.
    server.maxHeadersCount = 0;
    // A client that has sent everything may shut down its side and still read the answer.
    Object.assign(server, { httpAllowHalfOpen: true });
    server.on("request", (request, response) => this.#onRequest(request, response, false));
    server.on("checkContinue", (request, response) => this.#onRequest(request, response, true));
    server.on("checkExpectation", (request, response) => this.#onRequest(request, response, false));
    server.on("connect", (_request, socket) => this.#onConnect(socket));
    server.on("clientError", (error, socket) => this.#onClientError(error, socket));
    return server;
  }

  #onSocket(socket: Socket): void {
    const isOverfull = this.#connections.size >= this.#settings.connectionsMax;
    socket.once("close", () => this.#onClosed(socket));
    if (!this.#settings.isFastPathOn && !isOverfull) {
      this.#takeOver(socket);
      return;
    }
    const connection = new FastConnection(socket, this.#door, {
      takeOver: (one) => {
        this.#handedOverCount++;
        this.#takeOver(one);
      },
      onMalformed: () => this.#malformedCount++,
    });
    this.#connections.set(socket, connection);
    if (!isOverfull) return;
    this.#turnedAwayCount++;
    connection.turnAway(
      new KvError("TOO_MANY_CONNECTIONS", `This node has its ${this.#settings.connectionsMax} connections`),
    );
  }

  /** Gives a socket to Node's server, with what lies unread in it, for the rest of its life. */
  #takeOver(socket: Socket): void {
    const connection = new Connection(socket, this.#door);
    this.#connections.set(socket, connection);
    this.#ordinary.set(socket, connection);
    this.#server.emit("connection", socket);
    // Node's parser reads from the descriptor itself, past what lies in the socket's buffer, unless somebody else listens.
    socket.on("data", ignore);
    socket.resume();
  }

  #onClosed(socket: Socket): void {
    this.#connections.get(socket)?.onClosed();
    this.#connections.delete(socket);
    this.#ordinary.delete(socket);
  }

  #onRequest(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    this.#ordinary.get(request.socket)?.accept(request, response, expectsContinue);
  }

  #onConnect(socket: Duplex): void {
    this.#ordinary.get(socket)?.fail(new KvError("METHOD_NOT_ALLOWED", "This is a database, not a proxy"));
  }

  #onClientError(fault: ParserFault, socket: Duplex): void {
    const error = errorOfFault(fault);
    const connection = this.#ordinary.get(socket);
    if (error === null || connection === undefined) {
      socket.destroy();
      return;
    }
    this.#malformedCount++;
    connection.fail(error);
  }

  #scheduleSweep(): void {
    // Measured from the end of the last sweep: after a stall of this process, clients get their time again.
    this.#sweepTimer = this.#options.timers.after(this.#settings.sweepMs, () => {
      for (const connection of this.#connections.values()) connection.sweep();
      this.#scheduleSweep();
    });
  }

  #ownFamilies(): MetricFamily[] {
    const counter = (name: string, help: string, value: number): MetricFamily =>
      singleMetric("counter", name, { help, value });
    return [
      singleMetric("gauge", "kv_http_connections", { help: "Open client connections", value: this.#connections.size }),
      singleMetric("gauge", "kv_http_body_bytes_in_flight", {
        help: "Bytes of request bodies held",
        value: this.#door.budget.bytesTaken,
      }),
      counter("kv_http_connections_turned_away_total", "Connections beyond the maximum", this.#turnedAwayCount),
      counter("kv_http_malformed_requests_total", "Requests whose bytes were not HTTP", this.#malformedCount),
      counter(
        "kv_http_connections_handed_over_total",
        "Connections that left the fast path, for good",
        this.#handedOverCount,
      ),
      counter(
        "kv_http_unknown_outcomes_total",
        "Answers that leave the outcome open",
        this.#door.metrics.countOfStatus(504),
      ),
    ];
  }
}

function ignore(): void {}

function listenError(address: string, port: number, error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error) || error.code !== "EADDRINUSE") return error;
  const found = findListener(port, hostOf(address));
  const owner = found === null ? "another process" : processPhrase(found);
  return new KvError("ADDRESS_IN_USE", `Cannot listen on ${address} for HTTP: ${owner} does already`, { cause: error });
}

function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(":");
  return { host: hostOf(address).replace(/^\[|\]$/g, ""), port: Number(address.slice(colon + 1)) };
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(":"));
}
