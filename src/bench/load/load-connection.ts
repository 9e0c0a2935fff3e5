import { connect, type Socket } from "node:net";
import { assert } from "../../base/assert.ts";
import type { HostPort } from "../../server/node-address.ts";
import { AnswerReader } from "./answer-reader.ts";
import type { Answer, ClientProtocol } from "./client-protocol.ts";
import { Operation } from "./operation.ts";

/** Who drives connections. Calls come while bytes are taken in; `operation` may be used again once a call returns. */
export interface ConnectionOwner {
  opened(connection: LoadConnection): void;
  answered(connection: LoadConnection, operation: Operation, answer: Answer): void;
  /** All answers of one packet have been handed over: time to send again. */
  caughtUp(connection: LoadConnection): void;
  /** The operation will get no answer. */
  lost(operation: Operation, failure: ConnectionFailure): void;
}

export interface ConnectionFailure {
  readonly code: "CONNECTION" | "TIMEOUT" | "PROTOCOL";
  readonly text: string;
}

export interface LoadConnectionParts {
  /** The one to use first in front; the next is tried when a connection fails. */
  readonly addresses: readonly [HostPort, ...HostPort[]];
  readonly protocolFor: (address: HostPort) => ClientProtocol;
  /** Operations under way at most. */
  readonly depth: number;
  /** Its shard's index where each key goes to its leader, else 0. */
  readonly group: number;
  readonly owner: ConnectionOwner;
}

/** How long a connection that failed waits before the next attempt, so that a dead server is not hammered. */
const RECONNECT_MS = 20;

/**
 * One pipelined connection over a bare socket.
 *
 * Owns the socket and a ring of the operations under way, answered in the order sent. Every operation begun is handed back
 * exactly once, as answered or as lost; when the connection fails all of them are lost, and it tries again until it is closed.
 */
export class LoadConnection {
  readonly group: number;
  /** Set by the owner: for now nothing shall begin here. */
  isResting = false;
  readonly #parts: LoadConnectionParts;
  readonly #ring: Operation[];
  #addressIndex = 0;
  #socket: Socket | null = null;
  #protocol: ClientProtocol | null = null;
  #isClosed = false;
  #timer: NodeJS.Timeout | null = null;
  #head = 0;
  #count = 0;
  #outgoing = "";
  #failure: ConnectionFailure | null = null;
  #failuresInARow = 0;

  constructor(parts: LoadConnectionParts) {
    this.group = parts.group;
    this.#parts = parts;
    this.#ring = Array.from({ length: parts.depth }, () => new Operation());
    this.#connect();
  }

  get hasRoom(): boolean {
    return this.#protocol !== null && !this.isResting && this.#count < this.#ring.length;
  }

  get isOpen(): boolean {
    return this.#protocol !== null;
  }

  get protocol(): ClientProtocol {
    assert(this.#protocol !== null, "requests are made for open connections only");
    return this.#protocol;
  }

  /** Why every address has failed since the connection was last open; null while one may still answer. */
  get refusal(): string | null {
    return this.#failuresInARow >= this.#parts.addresses.length
      ? (this.#failure?.text ?? "the connection was closed")
      : null;
  }

  /** Takes a place in the ring; the caller fills it and sends its request. */
  begin(): Operation {
    assert(this.#count < this.#ring.length, "an operation begins only where there is room");
    const operation = this.#ring[(this.#head + this.#count) % this.#ring.length];
    assert(operation !== undefined, "the ring has a place for every operation");
    this.#count += 1;
    return operation;
  }

  /** Adds a request to what the next flush writes. */
  send(request: string): void {
    this.#outgoing += request;
  }

  /** Writes everything that was sent since the last flush with one call. */
  flush(): void {
    if (this.#outgoing === "") return;
    const bytes = this.#outgoing;
    this.#outgoing = "";
    this.#socket?.write(bytes, "latin1");
  }

  /** Gives the connection up when its oldest request was sent before `sentBeforeMs`. */
  expire(sentBeforeMs: number): void {
    const oldest = this.#ring[this.#head];
    if (this.#count === 0 || oldest === undefined || oldest.sentMs >= sentBeforeMs) return;
    this.#fail({ code: "TIMEOUT", text: "no answer came in time" });
  }

  close(): void {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#fail({ code: "CONNECTION", text: "the load ended before the answer came" });
  }

  #connect(): void {
    const { addresses, protocolFor, owner } = this.#parts;
    const address = addresses[this.#addressIndex] ?? addresses[0];
    const protocol = protocolFor(address);
    const socket = connect({ host: address.host, port: address.port, noDelay: true });
    const reader = new AnswerReader((answer) => this.#take(socket, answer));
    this.#socket = socket;
    socket.on("connect", () => {
      this.#protocol = protocol;
      this.#failure = null;
      this.#failuresInARow = 0;
      owner.opened(this);
      this.flush();
    });
    socket.on("data", (chunk: Buffer) => {
      if (this.#socket !== socket) return;
      reader.take(chunk, protocol);
      if (this.#socket !== socket) return;
      owner.caughtUp(this);
      this.flush();
    });
    socket.on("error", (error) => {
      if (this.#socket === socket) this.#failure = { code: "CONNECTION", text: error.message };
    });
    socket.on("close", () => {
      if (this.#socket === socket) this.#lose();
    });
  }

  #take(socket: Socket, answer: Answer): void {
    if (this.#socket !== socket) return;
    if (answer.kind === "malformed" || this.#count === 0) {
      const start = answer.bytes.toString("latin1", answer.start, Math.min(answer.end, answer.start + 60));
      this.#fail({ code: "PROTOCOL", text: `an answer that is none: ${JSON.stringify(start)}` });
      return;
    }
    const operation = this.#ring[this.#head];
    assert(operation !== undefined, "the ring has a place for every operation");
    this.#head = (this.#head + 1) % this.#ring.length;
    this.#count -= 1;
    this.#parts.owner.answered(this, operation, answer);
  }

  #fail(failure: ConnectionFailure): void {
    this.#failure = failure;
    this.#socket?.destroy();
    this.#lose();
  }

  #lose(): void {
    const failure = this.#failure ?? { code: "CONNECTION", text: "the connection was closed" };
    this.#failuresInARow += 1;
    this.#socket = null;
    this.#protocol = null;
    this.#outgoing = "";
    while (this.#count > 0) {
      const operation = this.#ring[this.#head];
      this.#head = (this.#head + 1) % this.#ring.length;
      this.#count -= 1;
      if (operation !== undefined) this.#parts.owner.lost(operation, failure);
    }
    if (this.#isClosed || this.#timer !== null) return;
    this.#addressIndex = (this.#addressIndex + 1) % this.#parts.addresses.length;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#connect();
    }, RECONNECT_MS);
  }
}
