import type { Socket } from "node:net";
import { KvError } from "../model/errors.ts";
import type { Reply } from "../model/operation.ts";
import type { Answer } from "./answer.ts";
import { AnswerOutput } from "./answer-output.ts";
import { answerHead, renderLastAnswer } from "./answer-writer.ts";
import { BodyReader } from "./body-reader.ts";
import { errorOfFault, type ParserFault } from "./client-fault.ts";
import type { ClientConnection } from "./client-connection.ts";
import type { FrontDoor } from "./front-door.ts";
import { executeHot, hotAnswer } from "./hot-operation.ts";
import { type HotRequest, HotRequestReader } from "./hot-request.ts";
import { KEY_ROUTE } from "./key-request.ts";
import { problemAnswer } from "./problem.ts";

/** Then other connections have their turn. */
const REQUESTS_PER_TURN = 256;
/** A body that shares a chunk with this much else is copied out of it, so that its value does not keep all of it alive. */
const SHARED_BYTES_MAX = 1024;
const NO_BODY: Buffer = Buffer.alloc(0);

/** Where the connection's bytes go when they are not for the fast path. */
export interface OrdinaryPath {
  /** Takes the socket over: paused, what has not been understood in its buffer, no answer owed, no listener of ours left. */
  takeOver(socket: Socket): void;
  /** Counts bytes that were no request. */
  onMalformed(): void;
}

/**
 * One client connection on the fast path: requests of the hot shapes, answered from their raw bytes, one after the other.
 *
 * Owns the request under way, its body, and a head that has not fully arrived; all other bytes that were read too early go
 * back into the socket's buffer. Invariants: one request at a time is carried out, as on the ordinary path; what is read is
 * certain to mean the same there; at the first doubt, when everything owed has been sent, the socket goes to the ordinary
 * path with every byte from the doubt on, for the rest of its life. A client that breaks off costs nothing further.
 */
export class FastConnection implements ClientConnection {
  readonly #socket: Socket;
  readonly #door: FrontDoor;
  readonly #ordinary: OrdinaryPath;
  readonly #reader: HotRequestReader;
  readonly #output: AnswerOutput;
  /** A head that has not fully arrived, so far without a fault. */
  #partialHead: Buffer | null = null;
  #request: HotRequest | null = null;
  #body: BodyReader | null = null;
  #bytesTaken = 0;
  #startedMs = 0;
  #isRunning = false;
  #isWorking = false;
  #isWaitingForTurn = false;
  #isFresh = true;
  #isStopping = false;
  #isInputOver = false;
  /** The last answer said so: nothing behind its request is carried out (RFC 9112 §9.6). */
  #isLastAnswered = false;
  /** Everything has been answered; the client has only to take it. */
  #isEnding = false;
  /** Nothing is read any more: the last answer has been given, or the socket belongs to the ordinary path. */
  #isOver = false;
  #sweeps = 0;

  constructor(socket: Socket, door: FrontDoor, ordinary: OrdinaryPath) {
    this.#socket = socket;
    this.#door = door;
    this.#ordinary = ordinary;
    this.#reader = new HotRequestReader(door.guard, socket.localAddress);
    this.#output = new AnswerOutput(socket, () => this.#goOn());
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("error", this.#onError);
  }

  /** Turns the client away before its first request: the node has no room for it. */
  turnAway(error: KvError): void {
    this.#answerLast(problemAnswer(error));
  }

  sweep(): void {
    this.#sweeps++;
    const { settings } = this.#door;
    if (this.#output.isStalled(settings.stalledSweepsMax)) this.#socket.destroy();
    else if (this.#isOver) this.#sweepLingering();
    else if (!this.#isRunning && !this.#output.isBlocked) this.#sweepWaiting();
  }

  /** The client is to send something. */
  #sweepWaiting(): void {
    const { settings } = this.#door;
    if (this.#body !== null) this.#body.sweep(settings);
    else if (this.#partialHead !== null || this.#isFresh) this.#sweepHead();
    else if (this.#isLongerThan(settings.idleMsMax) && this.#socket.writableLength === 0) this.#socket.destroy();
  }

  stop(): void {
    this.#isStopping = true;
    if (this.#request !== null || this.#isOver || this.#output.isBlocked) return;
    this.#end();
    if (this.#socket.writableLength === 0) this.#socket.destroy();
  }

  onClosed(): void {
    this.#isOver = true;
    // What is being carried out still holds its body, and so its share of the budget.
    if (!this.#isRunning) this.#giveBack();
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#isOver) return;
    if (this.#isRunning || this.#isWaitingForTurn || this.#output.isBlocked) {
      this.#putBack(chunk);
    } else if (this.#body !== null) {
      this.#takeBody(this.#body, chunk);
    } else if (this.#partialHead === null) {
      this.#sweeps = 0;
      this.#work(chunk, 0);
    } else {
      const bytes = Buffer.concat([this.#partialHead, chunk]);
      this.#partialHead = null;
      this.#work(bytes, 0);
    }
  };

  /** The client sends no more; it may still read. Everything that it sent has been read. */
  readonly #onEnd = (): void => {
    if (this.#isOver) return;
    this.#isInputOver = true;
    if (!this.#isRunning && (this.#body !== null || this.#partialHead !== null)) {
      this.#fail({ code: "HPE_INVALID_EOF_STATE", reason: "Invalid EOF state" });
    } else {
      this.#goOn();
    }
  };

  readonly #onError = (): void => {
    this.#socket.destroy();
  };

  /** Carries out what `bytes` hold from `start` on, as far as it may, then sends the answers that came at once. */
  #work(bytes: Buffer, start: number): void {
    this.#isWorking = true;
    let at = start;
    for (let left = REQUESTS_PER_TURN; at < bytes.length && this.#isReady(); left--) {
      if (left === 0) {
        this.#waitForTurn();
        break;
      }
      const reading = this.#reader.read(bytes, at);
      if (reading === "other") {
        this.#handOver(bytes.subarray(at));
        at = bytes.length;
      } else if (reading === "unfinished") {
        // A copy: the rest of a large chunk is not kept for a few bytes of it.
        this.#partialHead = at === 0 ? bytes : Buffer.from(bytes.subarray(at));
        at = bytes.length;
      } else {
        at = this.#begin(reading, bytes);
      }
    }
    this.#isWorking = false;
    if (at < bytes.length && !this.#isOver) this.#putBack(bytes.subarray(at));
    this.#output.flush();
    if (this.#isLastAnswered) this.#goOn();
  }

  #isReady(): boolean {
    return !this.#isRunning && !this.#isOver && !this.#isLastAnswered && !this.#output.isBlocked;
  }

  /** Begins a request whose head has been read; returns where the bytes behind it begin. */
  #begin(request: HotRequest, bytes: Buffer): number {
    const { headEnd } = request;
    const { byteCount } = request.headers;
    const bodyEnd = headEnd + byteCount;
    this.#request = request;
    this.#isFresh = false;
    this.#startedMs = this.#door.clock.nowMs();
    if (byteCount === 0) {
      this.#run(NO_BODY);
      return headEnd;
    }
    if (bodyEnd > bytes.length || !this.#door.budget.take(byteCount)) {
      // The reader also says what there is to say when the budget is used up.
      this.#awaitBody(byteCount, bytes.subarray(headEnd, bodyEnd));
      return Math.min(bodyEnd, bytes.length);
    }
    this.#bytesTaken = byteCount;
    const body = bytes.subarray(headEnd, bodyEnd);
    this.#run(bytes.length - byteCount <= SHARED_BYTES_MAX ? body : Buffer.from(body));
    return bodyEnd;
  }

  #awaitBody(byteCount: number, arrived: Buffer): void {
    const order = { bytesMax: byteCount, byteCount, discard: false };
    const reader = new BodyReader(order, this.#door.budget, (body) => {
      if (this.#isOver) return;
      if (body instanceof KvError) this.#answerLast(problemAnswer(body));
      else this.#run(body);
    });
    this.#body = reader;
    this.#takeBody(reader, arrived);
  }

  #takeBody(body: BodyReader, chunk: Buffer): void {
    const { missingByteCount } = body;
    if (chunk.length > missingByteCount) this.#putBack(chunk.subarray(missingByteCount));
    body.take(chunk.subarray(0, missingByteCount));
    if (body.missingByteCount > 0) return;
    body.end();
    if (!this.#isWorking) this.#goOn();
  }

  #run(body: Buffer): void {
    const { gateway } = this.#door;
    const request = this.#request;
    if (request === null) return;
    this.#isRunning = true;
    try {
      executeHot(gateway, request, body, this.#onReply);
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      this.#answer(problemAnswer(error));
    }
  }

  readonly #onReply = (reply: Reply): void => {
    const request = this.#request;
    if (request !== null) this.#answerReply(request, reply);
    if (!this.#isWorking) this.#goOn();
  };

  #answerReply(request: HotRequest, reply: Reply): void {
    const { templates } = this.#door;
    const answerOf = (one: Reply): Answer => hotAnswer(this.#door, request, one);
    const text = templates.text(reply, answerOf);
    if (text === null) {
      this.#answer(answerOf(reply));
    } else if (this.#onAnswered(text.status)) {
      const head = text.head + this.#tail();
      if (request.method === "HEAD") this.#output.add(head, null);
      else this.#output.add(head + text.body, text.value);
    }
  }

  #answer(answer: Answer): void {
    const isHead = this.#request?.method === "HEAD";
    if (this.#onAnswered(answer.status)) {
      this.#output.add(answerHead(answer) + this.#tail(), isHead ? null : answer.body);
    }
  }

  /** The request is over. False when nobody is there to read its answer. */
  #onAnswered(status: number): boolean {
    this.#isRunning = false;
    this.#giveBack();
    this.#count(status);
    this.#request = null;
    this.#sweeps = 0;
    return !this.#isOver && !this.#socket.destroyed;
  }

  #tail(): string {
    const { tail, isLeaving } = this.#door;
    if (!this.#isStopping && !isLeaving()) return tail.keepAlive();
    this.#isLastAnswered = true;
    return tail.close();
  }

  /** Sends what has gathered and reads on, or ends where no more is to come. */
  #goOn(): void {
    if (this.#isWorking || this.#isOver) return;
    this.#output.flush();
    if (this.#isRunning || this.#isWaitingForTurn || this.#output.isBlocked) return;
    if (this.#isLastAnswered || (this.#isStopping && this.#request === null)) this.#end();
    else if (this.#socket.isPaused()) this.#socket.resume();
    else if (this.#isInputOver) this.#end();
  }

  #end(): void {
    this.#isOver = true;
    this.#isEnding = true;
    this.#sweeps = 0;
    this.#socket.end();
    // What still comes is dropped: unread, it would keep the client's own end from being seen.
    this.#socket.resume();
  }

  #waitForTurn(): void {
    this.#isWaitingForTurn = true;
    this.#door.timers.soon(() => {
      this.#isWaitingForTurn = false;
      this.#goOn();
    });
  }

  /** Bytes that were read too early. In the socket's buffer they also keep its end from being told before its time. */
  #putBack(bytes: Buffer): void {
    this.#socket.pause();
    if (bytes.length > 0) this.#socket.unshift(bytes);
  }

  #handOver(rest: Buffer): void {
    const socket = this.#socket;
    this.#isOver = true;
    this.#putBack(rest);
    socket.off("data", this.#onData);
    socket.off("end", this.#onEnd);
    this.#output.flush();
    this.#output.whenSent(() => {
      if (socket.destroyed || this.#isStopping) {
        socket.destroy();
        return;
      }
      this.#output.release();
      socket.off("error", this.#onError);
      this.#ordinary.takeOver(socket);
    });
  }

  /** What came is no request, and nothing more will come, or not in time. */
  #fail(fault: Pick<ParserFault, "code" | "reason">): void {
    const error = errorOfFault(Object.assign(new Error(fault.reason), fault));
    this.#ordinary.onMalformed();
    if (error === null) this.#socket.destroy();
    else this.#answerLast(problemAnswer(error));
  }

  /** Says the last word on this connection, then hangs up without reading what may still come. */
  #answerLast(answer: Answer): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sweeps = 0;
    this.#partialHead = null;
    this.#giveBack();
    this.#count(answer.status);
    this.#socket.pause();
    this.#output.flush();
    // Closing at once would reset the connection while the client still sends, and it might never see the answer.
    this.#socket.end(renderLastAnswer(answer, this.#request?.method === "HEAD"));
    this.#request = null;
  }

  #sweepLingering(): void {
    const { writableEnded, writableLength } = this.#socket;
    if (!writableEnded || (this.#isEnding && writableLength > 0)) return;
    if (this.#sweeps >= this.#door.settings.lingerSweeps) this.#socket.destroy();
  }

  #sweepHead(): void {
    if (this.#isLongerThan(this.#door.settings.headerDeadlineMs)) this.#fail({ code: "ERR_HTTP_REQUEST_TIMEOUT" });
  }

  /** Counted in sweeps, which do not run on while this process stands still. */
  #isLongerThan(durationMs: number): boolean {
    return (this.#sweeps - 1) * this.#door.settings.sweepMs >= durationMs;
  }

  #count(status: number): void {
    const { clock, metrics } = this.#door;
    if (this.#request === null) metrics.count("none", status, 0);
    else metrics.count(KEY_ROUTE, status, clock.nowMs() - this.#startedMs);
  }

  #giveBack(): void {
    this.#body?.release();
    this.#body = null;
    if (this.#bytesTaken > 0) this.#door.budget.giveBack(this.#bytesTaken);
    this.#bytesTaken = 0;
  }
}
