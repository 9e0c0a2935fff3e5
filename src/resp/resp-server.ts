import { createServer, type Server, type Socket } from "node:net";
import type { Clock, Timer, Timers } from "../base/clock.ts";
import { Departure } from "../base/departure.ts";
import { directSocket } from "../base/direct-socket.ts";
import type { Logger } from "../base/logger.ts";
import { findListener, processPhrase } from "../base/process-finder.ts";
import type { Random } from "../base/random.ts";
import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import type { Gateway } from "../node/gateway.ts";
import { COMMAND_COUNT } from "./command-table.ts";
import { RespConnection } from "./connection.ts";
import { type Door, type Flushable, RespCounters } from "./door.ts";
import { Session } from "./session.ts";

export interface RespServerOptions {
  readonly gateway: Gateway;
  /** `host:port` to listen on, IPv6 hosts in brackets; port 0 picks a free one. */
  readonly address: string;
  readonly shardCount: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
  readonly connectionsMax?: number;
}

const SWEEP_MS = 1000;
/** A client that takes nothing of its replies for so many sweeps is cut off; sooner when much waits for it. */
const STALLED_SWEEPS_MAX = 20;
const CLOSE_GRACE_MS = 5000;
const BACKLOG_CONNECTIONS_MAX = 1024;

/** Starts to listen. Throws ADDRESS_IN_USE, which names the process in the way where it can be found. */
export async function startRespServer(options: RespServerOptions): Promise<RespServer> {
  const server = new RespServer(options);
  await server.listen();
  return server;
}

/**
 * The front door of one node for clients that speak the Redis protocol.
 *
 * Owns the listening socket, every client connection, and what they share: the count of bytes held of unfinished commands,
 * and the list of connections that have something to send at the end of this turn of the loop. Bad input ends one
 * connection; only a fault of the program is thrown.
 */
export class RespServer {
  readonly counters: RespCounters = new RespCounters();
  readonly #options: RespServerOptions;
  readonly #server: Server;
  readonly #departure: Departure;
  readonly #door: Door;
  readonly #connections = new Map<Socket, RespConnection>();
  #toFlush: Flushable[] = [];
  #heldBytes = 0;
  #lastId = 0;
  #sweepTimer: Timer | null = null;
  #closed: Promise<void> | null = null;

  constructor(options: RespServerOptions) {
    this.#options = options;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#onConnection(directSocket(socket)),
    );
    this.#departure = new Departure(this.#server, options.timers);
    this.#door = this.#makeDoor();
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

  /** What is held of unfinished commands, by connections that hold much. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  async listen(): Promise<void> {
    const { address, logger } = this.#options;
    const host = hostOf(address).replaceAll(/^\[|\]$/g, "");
    const port = Number(address.slice(address.lastIndexOf(":") + 1));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject);
    this.#server.listen({ host, port, backlog: BACKLOG_CONNECTIONS_MAX }, resolve);
    try {
      await promise;
    } catch (error) {
      throw listenError(address, port, error);
    }
    this.#server.off("error", reject);
    this.#server.on("error", (error) => logger.error("The RESP listener failed", { error: error.message }));
    this.#scheduleSweep();
    logger.info("RESP is listening", { address: this.address });
  }

  /**
   * Stops accepting, and goes on answering who is there: the protocol has no word for a connection that is about to close.
   * Resolves when all have gone, or after `LIMITS.farewellMs`.
   */
  farewell(): Promise<void> {
    return this.#departure.farewell(LIMITS.farewellMs);
  }

  /** Stops accepting, lets commands under way be answered, then cuts what is left. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const allGone = this.#departure.stopAccepting();
    for (const connection of this.#connections.values()) connection.stop();
    const deadline = this.#options.timers.after(CLOSE_GRACE_MS, () => {
      for (const socket of this.#connections.keys()) socket.destroy();
    });
    await allGone;
    deadline.cancel();
    this.#sweepTimer?.cancel();
  }

  #makeDoor(): Door {
    const { gateway, clock, timers, random, shardCount } = this.#options;
    const { counters } = this;
    const connections = this.#connections;
    return {
      gateway,
      clock,
      timers,
      random,
      counters,
      server: {
        startedMs: clock.nowMs(),
        address: this.#options.address,
        shardCount,
        commandCount: COMMAND_COUNT,
        get connectionsReceived() {
          return counters.connections;
        },
        *sessions() {
          for (const { session } of connections.values()) yield session;
        },
      },
      flushSoon: (connection) => this.#flushSoon(connection),
      hold: (byteCount) => {
        this.#heldBytes += byteCount;
        return byteCount <= 0 || this.#heldBytes <= LIMITS.bodiesInFlightBytesMax;
      },
    };
  }

  #flushSoon(connection: Flushable): void {
    this.#toFlush.push(connection);
    if (this.#toFlush.length > 1) return;
    this.#options.timers.soon(() => {
      const ready = this.#toFlush;
      this.#toFlush = [];
      for (const one of ready) one.flush();
    });
  }

  #onConnection(socket: Socket): void {
    this.counters.connections++;
    const session = new Session({
      id: ++this.#lastId,
      remoteAddress: `${socket.remoteAddress ?? "?"}:${socket.remotePort ?? 0}`,
      localAddress: `${socket.localAddress ?? "?"}:${socket.localPort ?? 0}`,
      nowMs: this.#options.clock.nowMs(),
    });
    const connection = new RespConnection(socket, session, this.#door);
    this.#connections.set(socket, connection);
    // What happens to a connection is told by its end; an error without a listener would end the process.
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      this.#connections.delete(socket);
      connection.onClosed();
    });
    if (this.#connections.size <= (this.#options.connectionsMax ?? LIMITS.connectionsMax)) return;
    this.counters.turnedAway++;
    connection.turnAway("ERR max number of clients reached");
  }

  #scheduleSweep(): void {
    this.#sweepTimer = this.#options.timers.after(SWEEP_MS, () => {
      for (const connection of this.#connections.values()) connection.sweep(STALLED_SWEEPS_MAX);
      this.#scheduleSweep();
    });
  }
}

function listenError(address: string, port: number, error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error) || error.code !== "EADDRINUSE") return error;
  const found = findListener(port, hostOf(address));
  const owner = found === null ? "another process" : processPhrase(found);
  return new KvError("ADDRESS_IN_USE", `Cannot listen on ${address} for RESP: ${owner} does already`, { cause: error });
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(":"));
}
