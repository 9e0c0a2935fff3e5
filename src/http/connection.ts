import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { KvError } from "../model/errors.ts";
import type { Answer } from "./answer.ts";
import { renderLastAnswer, writeAnswer } from "./answer-writer.ts";
import { type BodyOrder, BodyReader, bodyTooLarge } from "./body-reader.ts";
import type { ClientConnection } from "./client-connection.ts";
import type { FrontDoor } from "./front-door.ts";
import { problemAnswer } from "./problem.ts";
import { type Framing, readFraming, readRequestHead } from "./request-head.ts";
import { readHeaders, type RequestHeaders } from "./request-headers.ts";
import type { Work } from "./route.ts";

/** A body up to this size, left over behind an early answer, is read and dropped; behind a larger one we hang up. */
const DROPPED_BODY_BYTES_MAX = 65_536;
const NO_BODY: Buffer = Buffer.alloc(0);

/** One request and its answer to be. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly expectsContinue: boolean;
  startedMs: number;
  route: string;
}

/** A request understood up to its body. */
interface Understood {
  readonly work: Work;
  readonly framing: Framing;
}

/**
 * One client connection of the ordinary path, behind Node's parser: its requests are carried out one after the other, in the order sent.
 *
 * Owns the requests that wait behind the current one, and the body being read. Invariants: at most one request is being
 * carried out, so that a client which pipelines reads of large values holds one of them in memory, not all; while requests
 * wait, nothing more is read from the socket; after a request whose end is in doubt nothing is ever read again. A client
 * that breaks off costs nothing further: answers to it are dropped.
 */
export class Connection implements ClientConnection {
  readonly #socket: Socket;
  readonly #door: FrontDoor;
  readonly #waiting: Exchange[] = [];
  #current: Exchange | null = null;
  #body: BodyReader | null = null;
  /** What is wrong with the bytes behind the last whole request; nothing behind it is ever understood. */
  #fault: KvError | null = null;
  #isLast = false;
  #isRunning = false;
  #isAnswering = false;
  #stopping = false;
  #sweeps = 0;

  constructor(socket: Socket, door: FrontDoor) {
    this.#socket = socket;
    this.#door = door;
  }

  /** A request whose head has arrived. */
  accept(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    if (this.#isLast) return;
    const exchange = { request, response, expectsContinue, startedMs: 0, route: "none" };
    // Before Node's own listener, which hangs up behind this answer when the client has shut down its side.
    response.prependOnceListener("finish", () => this.#tellFaultBehind(exchange));
    response.once("finish", () => this.#onFinished(exchange));
    if (this.#current === null) {
      this.#start(exchange);
    } else {
      this.#waiting.push(exchange);
      this.#socket.pause();
    }
  }

  /** The bytes that follow are no request. Answers that are owed go out first, so that none is taken for another's. */
  fail(error: KvError): void {
    if (this.#isLast || this.#fault !== null) return;
    this.#fault = error;
    this.#socket.pause();
    if (this.#current === null) this.#answerLast(null, problemAnswer(error));
    else if (!this.#current.request.complete) this.#body?.fail(error);
  }

  /** Called at every sweep: cuts off clients that stopped sending or taking. */
  sweep(): void {
    this.#sweeps++;
    const { settings } = this.#door;
    if (this.#isLast) {
      if (this.#sweeps >= settings.lingerSweeps) this.#socket.destroy();
    } else if (this.#body !== null) {
      this.#body.sweep(settings);
    } else if (this.#isAnswering) {
      const isStalled = this.#sweeps >= settings.stalledSweepsMax;
      if (isStalled || this.#socket.writableLength > settings.outgoingBytesMax) this.#socket.destroy();
    }
  }

  /** The server stops: the request in flight is still answered, those behind it are refused. */
  stop(): void {
    this.#stopping = true;
    if (this.#current === null && !this.#isLast) this.#socket.destroy();
  }

  /** The socket is gone. */
  onClosed(): void {
    this.#isLast = true;
    this.#waiting.length = 0;
    // What is being carried out still holds its body, and so its share of the budget.
    if (!this.#isRunning) this.#dropBody();
  }

  #start(exchange: Exchange): void {
    this.#current = exchange;
    exchange.startedMs = this.#door.clock.nowMs();
    let framing: Framing | null = null;
    try {
      const headers = readHeaders(exchange.request.rawHeaders);
      framing = readFraming(headers, exchange.request.httpVersion);
      this.#proceed(exchange, { work: this.#understand(exchange, headers), framing });
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      this.#refuse(exchange, error, framing);
    }
  }

  #understand(exchange: Exchange, headers: RequestHeaders): Work {
    const { method = "", url = "", httpVersion, socket } = exchange.request;
    const { guard, router } = this.#door;
    guard.check(headers, { httpVersion, localAddress: socket.localAddress });
    const head = readRequestHead(method, url, headers);
    const route = router.find(method, head.path);
    exchange.route = route.name;
    if (this.#stopping) throw new KvError("STOPPING", "This node is shutting down");
    const expectation = headers.get("expect")?.toLowerCase();
    if (expectation !== undefined && expectation !== "100-continue") {
      throw new KvError("INVALID_ARGUMENT", "The only expectation that can be met is 100-continue");
    }
    return route.prepare(head);
  }

  #proceed(exchange: Exchange, { work, framing }: Understood): void {
    if (framing.kind === "none") {
      this.#run(exchange, work, NO_BODY);
      return;
    }
    const { bodyBytesMax } = work;
    const byteCount = framing.kind === "length" ? framing.byteCount : null;
    if (byteCount !== null && byteCount > bodyBytesMax) throw bodyTooLarge(bodyBytesMax);
    if (exchange.expectsContinue) exchange.response.writeContinue();
    this.#readBody(exchange, { bytesMax: bodyBytesMax, byteCount, discard: false }, (body) =>
      this.#run(exchange, work, body),
    );
  }

  #run(exchange: Exchange, work: Work, body: Buffer): void {
    this.#isRunning = true;
    try {
      work.run(body, (answer) => this.#answer(exchange, answer));
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      this.#answer(exchange, problemAnswer(error));
    }
  }

  /** Answers a request whose body has not been read. Where its end is in doubt, or far, the connection ends here. */
  #refuse(exchange: Exchange, error: KvError, framing: Framing | null): void {
    const answer = problemAnswer(error);
    const isShort = framing?.kind === "length" && framing.byteCount <= DROPPED_BODY_BYTES_MAX;
    if (framing?.kind === "none") {
      this.#answer(exchange, answer);
    } else if (isShort && error.kind.http !== 413 && !exchange.expectsContinue) {
      this.#readBody(exchange, { bytesMax: framing.byteCount, byteCount: framing.byteCount, discard: true }, () =>
        this.#answer(exchange, answer),
      );
    } else {
      this.#answerLast(exchange, answer);
    }
  }

  #readBody(exchange: Exchange, order: BodyOrder, done: (body: Buffer) => void): void {
    const { budget } = this.#door;
    const { request } = exchange;
    this.#sweeps = 0;
    const reader = new BodyReader(order, budget, (body) => {
      if (this.#isLast) return;
      if (body instanceof KvError) this.#answerLast(exchange, problemAnswer(body));
      else done(body);
    });
    this.#body = reader;
    // A fault that came while this request waited behind others: its body will never be whole.
    if (this.#fault !== null && !request.complete) {
      reader.fail(this.#fault);
      return;
    }
    request.on("data", (chunk: Buffer) => reader.take(chunk));
    request.on("end", () => reader.end());
  }

  #answer(exchange: Exchange, answer: Answer): void {
    this.#isRunning = false;
    this.#dropBody();
    this.#count(exchange, answer.status);
    if (this.#isLast || this.#socket.destroyed) return;
    this.#isAnswering = true;
    this.#sweeps = 0;
    if (this.#stopping || this.#door.isLeaving()) exchange.response.shouldKeepAlive = false;
    writeAnswer(exchange.response, answer, () => {
      this.#sweeps = 0;
    });
  }

  /** Says the last word on this connection, then hangs up without reading what may still come. */
  #answerLast(exchange: Exchange | null, answer: Answer): void {
    if (this.#isLast) return;
    this.#isLast = true;
    this.#sweeps = 0;
    this.#waiting.length = 0;
    this.#dropBody();
    if (this.#socket.writableEnded) return;
    this.#count(exchange, answer.status);
    this.#socket.pause();
    // Closing at once would reset the connection while the client still sends, and it might never see the answer.
    this.#socket.end(renderLastAnswer(answer, exchange?.request.method === "HEAD"));
  }

  #tellFaultBehind(exchange: Exchange): void {
    if (this.#current !== exchange || this.#waiting.length > 0 || this.#fault === null) return;
    this.#answerLast(null, problemAnswer(this.#fault));
  }

  #onFinished(exchange: Exchange): void {
    if (this.#current !== exchange) return;
    this.#current = null;
    this.#isAnswering = false;
    if (this.#isLast) return;
    if (!exchange.response.shouldKeepAlive) {
      // The answer said so: nothing behind it is carried out (RFC 9112 §9.6). Node hangs up.
      this.#isLast = true;
      this.#sweeps = 0;
      this.#waiting.length = 0;
      return;
    }
    const next = this.#waiting.shift();
    if (next !== undefined) {
      if (this.#waiting.length === 0 && this.#fault === null) this.#socket.resume();
      this.#start(next);
    } else if (this.#stopping) {
      this.#socket.end();
    }
  }

  #count(exchange: Exchange | null, status: number): void {
    const { clock, metrics } = this.#door;
    const durationMs = exchange === null ? 0 : clock.nowMs() - exchange.startedMs;
    metrics.count(exchange?.route ?? "none", status, durationMs);
  }

  #dropBody(): void {
    this.#body?.release();
    this.#body = null;
  }
}
