import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock, Timer, Timers } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { findListener, processPhrase } from "../base/process-finder.ts";
import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import type { Gateway } from "../node/gateway.ts";
import { ByteBudget } from "./byte-budget.ts";
import { errorOfFault, type ParserFault } from "./client-fault.ts";
import { Connection } from "./connection.ts";
import type { FrontDoor } from "./front-door.ts";
import { memberMetrics } from "./member-metrics.ts";
import type { MetricFamily, MetricSource } from "./metric-family.ts";
import { singleMetric } from "./metric-family.ts";
import { HttpMetrics } from "./metrics.ts";
import { OriginGuard } from "./origin-guard.ts";
import { Router } from "./router.ts";
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
  /** The cluster's name: cursors belong to it. */
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
 * clients. Node's parser reads heads and chunks in its strict mode; everything above that is decided here, so that no input
 * is dropped, joined or repaired silently. Bad input is answered with a problem; only a fault of the program is thrown.
 */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #settings: HttpSettings;
  readonly #door: FrontDoor;
  readonly #server: Server;
  readonly #connections = new Map<Duplex, Connection>();
  #turnedAwayCount = 0;
  #malformedCount = 0;
  #sweepTimer: Timer | null = null;
  #closed: Promise<void> | null = null;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#settings = { ...DEFAULT_HTTP_SETTINGS, ...options.settings };
    const { gateway, cluster, clock } = options;
    const sources = [() => this.#ownFamilies(), memberMetrics(gateway), ...(options.metricSources ?? [])];
    const metrics = new HttpMetrics(options.metricLabels ?? { node: gateway.node }, sources);
    this.#door = {
      gateway,
      clock,
      metrics,
      settings: this.#settings,
      router: new Router({ gateway, cluster, metrics }),
      guard: new OriginGuard(options.address, [hostOf(gateway.node), ...(options.hosts ?? [])]),
      budget: new ByteBudget(this.#settings.bodiesInFlightBytesMax),
    };
    this.#server = this.#createServer();
  }

  /** `host:port` that it listens on: the one asked for, with the real port. */
  get address(): string {
    const bound = this.#server.address();
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
    this.#server.once("error", reject);
    this.#server.listen({ host, port, backlog: BACKLOG_CONNECTIONS_MAX }, resolve);
    try {
      await promise;
    } catch (error) {
      throw listenError(address, port, error);
    }
    this.#server.off("error", reject);
    this.#server.on("error", (error) => logger.error("The HTTP listener failed", { error: error.message }));
    this.#scheduleSweep();
    logger.info("HTTP is listening", { address: this.address });
  }

  /** Stops accepting, lets the requests in flight finish for `closeGraceMs`, then cuts what is left. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    for (const connection of this.#connections.values()) connection.stop();
    const deadline = this.#options.timers.after(this.#settings.closeGraceMs, () => {
      for (const socket of this.#connections.keys()) socket.destroy();
    });
    await promise;
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
    server.maxConnections = settings.connectionsMax + TURNED_AWAY_MAX;
    // A client that has sent everything may shut down its side and still read the answer.
    Object.assign(server, { httpAllowHalfOpen: true });
    server.on("connection", (socket) => this.#onConnection(socket));
    server.on("request", (request, response) => this.#onRequest(request, response, false));
    server.on("checkContinue", (request, response) => this.#onRequest(request, response, true));
    server.on("checkExpectation", (request, response) => this.#onRequest(request, response, false));
    server.on("connect", (_request, socket) => this.#onConnect(socket));
    server.on("clientError", (error, socket) => this.#onClientError(error, socket));
    return server;
  }

  #onConnection(socket: Socket): void {
    const connection = new Connection(socket, this.#door);
    this.#connections.set(socket, connection);
    socket.once("close", () => {
      this.#connections.delete(socket);
      connection.onClosed();
    });
    if (this.#connections.size <= this.#settings.connectionsMax) return;
    this.#turnedAwayCount++;
    connection.turnAway(
      new KvError("TOO_MANY_CONNECTIONS", `This node has its ${this.#settings.connectionsMax} connections`),
    );
  }

  #onRequest(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    this.#connections.get(request.socket)?.accept(request, response, expectsContinue);
  }

  #onConnect(socket: Duplex): void {
    this.#connections.get(socket)?.fail(new KvError("METHOD_NOT_ALLOWED", "This is a database, not a proxy"));
  }

  #onClientError(fault: ParserFault, socket: Duplex): void {
    const error = errorOfFault(fault);
    const connection = this.#connections.get(socket);
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
        "kv_http_unknown_outcomes_total",
        "Answers that leave the outcome open",
        this.#door.metrics.countOfStatus(504),
      ),
    ];
  }
}

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
