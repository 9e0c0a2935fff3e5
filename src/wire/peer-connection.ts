import type { Socket } from "node:net";
import type { Clock, Timers } from "../base/clock.ts";
import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import type { NodeName } from "../model/position.ts";
import { decodeFailure, encodeFailure } from "./failure-codec.ts";
import { FlowWindow } from "./flow-window.ts";
import { FrameDecoder } from "./frame-decoder.ts";
import { FRAME, type Frame, type FrameType } from "./frame.ts";
import { FrameWriter } from "./frame-writer.ts";
import { HandshakeRefused, type Handshake, type HandshakeStep, type PeerIdentity } from "./handshake.ts";
import { MessageAssembler, type WireMessage } from "./message-assembler.ts";
import { OutgoingMessage, OutgoingQueue } from "./outgoing-queue.ts";
import type { MutablePeerCounters } from "./peer-counters.ts";
import { decodePeerMessage, encodePeerMessage } from "./peer-message-codec.ts";
import type { PeerHandler, PeerMessage, PeerRequest } from "./peer-network.ts";
import { PendingRequests } from "./pending-requests.ts";
import { ProtocolError } from "./protocol-error.ts";
import { ServedRequests } from "./served-requests.ts";

/** How long things may take between nodes, in milliseconds. */
export interface PeerTimings {
  /** From the start of a connection to the end of its handshake. */
  readonly handshakeMs: number;
  /** Silence after which the other side is asked for a sign of life, and after which it is given up. */
  readonly pingAfterMs: number;
  readonly silenceMs: number;
  /** How long a closing connection may take to deliver what it still has. */
  readonly lingerMs: number;
  /** Wait before the second attempt to dial; doubled each time, up to the last. */
  readonly backoffFirstMs: number;
  readonly backoffLastMs: number;
  /** Between two looks at all deadlines. */
  readonly sweepMs: number;
}

export interface ConnectionOptions {
  readonly socket: Socket;
  readonly handshake: Handshake;
  readonly handler: PeerHandler;
  readonly clock: Clock & Timers;
  readonly counters: MutablePeerCounters;
  readonly timings: PeerTimings;
  /** Called once, when both sides have proved themselves. */
  readonly onReady: (connection: PeerConnection, peer: PeerIdentity) => void;
  /** Called once, when the connection can no longer be used; before it the handshake may never have been done. */
  readonly onLost: (connection: PeerConnection, reason: KvError) => void;
}

/** Handed to the socket at once: what a small message may have to wait for, besides the kernel's buffers. */
const BATCH_BYTES: number = LIMITS.frameBytesMax;
/** How much of the queue requests may fill: large ones leave room to small ones, and both to answers and replication. */
const LARGE_REQUEST_SHARE = 0.75;
const REQUEST_SHARE = 0.875;

/**
 * One socket between two nodes, from its first byte to its last.
 *
 * Owns the socket, the handshake, what waits to be written, and the requests that wait for answers in either direction.
 * Until the handshake is done nothing but it is written or accepted; messages and requests given before wait. Whatever
 * goes wrong ends the connection as a whole: it is reported lost exactly once, requests fail, and nothing that arrives
 * later has any effect.
 */
export class PeerConnection {
  readonly #options: ConnectionOptions;
  readonly #socket: Socket;
  readonly #decoder = new FrameDecoder(LIMITS.peerHandshakeBytesMax);
  readonly #assembler = new MessageAssembler();
  readonly #queue = new OutgoingQueue();
  readonly #writer = new FrameWriter();
  readonly #window = new FlowWindow();
  readonly #pending = new PendingRequests(this.#queue);
  readonly #served = new ServedRequests(
    (message) => this.#answer(message),
    (run) => this.#soon(run),
  );
  readonly startedAtMs: number;
  #peer: PeerIdentity | null = null;
  #state: "handshake" | "ready" | "ending" | "closed" = "handshake";
  #isFlushPlanned = false;
  /** Bytes of the write in progress; 0 when the socket has taken everything. */
  #writingBytes = 0;
  #silentMs = 0;
  #isPinged = false;
  #endingMs = 0;
  #messageCount = 0;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.startedAtMs = options.clock.nowMs();
    const { socket } = options;
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("error", (error) => this.close(lost("was broken", error)));
    socket.on("end", () => this.close(lost("was closed by the other node")));
    socket.on("close", () => this.close(lost("was closed")));
    this.#continueHandshake(options.handshake.start());
  }

  get peer(): PeerIdentity | null {
    return this.#peer;
  }

  get isReady(): boolean {
    return this.#state === "ready";
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  /** Requests made here that have no answer yet. */
  get requestsInFlight(): number {
    return this.#pending.count;
  }

  get outgoingBytes(): number {
    return this.#queue.bytes + this.#writingBytes;
  }

  /** Queues a message; false when there is no room. */
  send(message: PeerMessage): boolean {
    const outgoing = encodePeerMessage(message, this.#messageCount);
    if (this.#isOver() || !this.#hasRoom(outgoing.bytes, 1) || !this.#queue.add(outgoing)) return this.#refuse();
    this.#messageCount = (this.#messageCount + 1) % 0x1_0000_0000;
    this.#planFlush();
    return true;
  }

  request(request: PeerRequest): void {
    const { body, done } = request;
    const share = body.length > LIMITS.peerFragmentBytes ? LARGE_REQUEST_SHARE : REQUEST_SHARE;
    const room = !this.#pending.isFull && this.#hasRoom(body.length, share);
    if (this.#isOver()) return done({ error: lost("has ended"), sent: false });
    if (!room || !this.#pending.add(request, this.#options.clock.nowMs())) {
      this.#refuse();
      done({ error: new KvError("OVERLOADED", "Too many requests wait for the other node"), sent: false });
      return;
    }
    this.#planFlush();
  }

  /** Looks at all deadlines. `elapsedMs` is the time since the last call, without pauses of this process. */
  sweep(nowMs: number, elapsedMs: number): void {
    const { timings, counters } = this.#options;
    counters.requestsTimedOut += this.#pending.expire(nowMs);
    if (this.#state === "ending") {
      this.#endingMs += elapsedMs;
      if (this.#endingMs >= timings.lingerMs) this.close(lost("was closed"));
      return;
    }
    this.#silentMs += elapsedMs;
    if (this.#state === "handshake" && nowMs - this.startedAtMs >= timings.handshakeMs) {
      counters.handshakesRefused++;
      this.close(lost("did not finish its handshake in time"));
    } else if (this.#state === "ready") this.#checkSilence();
  }

  /** Delivers what waits, accepts nothing more, and closes soon. */
  end(error: KvError): void {
    if (this.#isOver()) return;
    if (this.#state === "handshake") {
      this.close(error);
      return;
    }
    this.#pending.failAll(error);
    this.#writeAll();
    this.#finish(error);
  }

  /** Gives the connection up at once. */
  close(reason: KvError): void {
    if (this.#state === "closed") return;
    const wasEnding = this.#state === "ending";
    this.#state = "closed";
    this.#decoder.stop();
    this.#socket.destroy();
    this.#pending.failAll(reason);
    if (!wasEnding) this.#options.onLost(this, reason);
  }

  #onData(chunk: Buffer): void {
    if (this.#isOver()) return;
    this.#silentMs = 0;
    this.#isPinged = false;
    this.#options.counters.bytesIn += chunk.length;
    this.#attempt(() => {
      this.#decoder.push(chunk, (frame) => this.#onFrame(frame));
      this.#reportTaken(chunk.length);
    });
  }

  #soon(run: () => void): void {
    this.#options.clock.soon(() => {
      if (!this.#isOver()) this.#attempt(run);
    });
  }

  /** Does something with what has arrived; where that makes no sense, the connection ends. */
  #attempt(run: () => void): void {
    try {
      run();
    } catch (error) {
      if (error instanceof ProtocolError) this.#onProtocolError(error);
      else if (error instanceof HandshakeRefused) this.#onRefused(error);
      else throw error;
    }
  }

  #reportTaken(bytes: number): void {
    const taken = this.#window.onReceived(bytes);
    if (taken !== null && this.#state === "ready") {
      this.#addUrgent(new OutgoingMessage({ type: FRAME.taken, id: taken, parts: [] }));
    }
  }

  #onFrame(frame: Frame): void {
    this.#options.counters.framesIn++;
    const message = this.#assembler.add(frame);
    if (message === null || this.#isOver()) return;
    if (this.#peer === null) this.#continueHandshake(this.#options.handshake.receive(message));
    else this.#dispatch(message, this.#peer.node);
  }

  #dispatch(message: WireMessage, from: NodeName): void {
    const { handler } = this.#options;
    switch (message.type) {
      case FRAME.message:
        handler.onMessage(from, decodePeerMessage(message));
        return;
      case FRAME.request:
        this.#served.admit(message.id, message.payload, (respond) => {
          handler.onRequest(from, message.payload, respond);
        });
        return;
      case FRAME.response:
        this.#pending.settle(message.id, { body: message.payload });
        return;
      case FRAME.failure:
        this.#pending.settle(message.id, decodeFailure(message.payload));
        return;
      case FRAME.ping:
      case FRAME.pong:
      case FRAME.taken:
        if (message.payload.length !== 0) throw new ProtocolError("A sign of life has a payload");
        if (message.type === FRAME.ping) this.#sendUrgent(FRAME.pong, Buffer.alloc(0));
        else if (message.type === FRAME.taken) this.#onTaken(message.id);
        return;
      default:
        throw new ProtocolError(`A frame of type ${message.type} came after the handshake`);
    }
  }

  #onTaken(count: number): void {
    this.#window.onTaken(count);
    this.#planFlush();
  }

  #continueHandshake(step: HandshakeStep): void {
    if (step.send !== null) this.#sendUrgent(step.send.type, step.send.payload);
    if (step.peer === null) return;
    this.#peer = step.peer;
    this.#state = "ready";
    this.#decoder.raiseLimit(LIMITS.frameBytesMax);
    this.#options.onReady(this, step.peer);
    this.#planFlush();
  }

  /** Before the handshake is done the other side is told why: it may be a node of another version. */
  #onProtocolError(error: ProtocolError): void {
    this.#options.counters.protocolErrors++;
    if (this.#state === "handshake") this.#tellRefusal(error);
    else this.close(error);
  }

  #onRefused(error: HandshakeRefused): void {
    this.#options.counters.handshakesRefused++;
    if (error.byPeer) this.close(error);
    else this.#tellRefusal(error);
  }

  #tellRefusal(error: KvError): void {
    this.#sendUrgent(FRAME.refused, encodeFailure({ error, sent: false }));
    this.#writeAll();
    this.#finish(error);
  }

  /** Ends our side; the other one has `lingerMs` to read what was written. */
  #finish(reason: KvError): void {
    this.#state = "ending";
    this.#decoder.stop();
    this.#socket.end();
    this.#options.onLost(this, reason);
  }

  #checkSilence(): void {
    const { timings, counters } = this.#options;
    if (this.#silentMs >= timings.silenceMs) {
      counters.silences++;
      this.close(lost(`was silent for ${Math.round(this.#silentMs)} ms`));
    } else if (this.#silentMs >= timings.pingAfterMs && !this.#isPinged) {
      this.#isPinged = true;
      this.#sendUrgent(FRAME.ping, Buffer.alloc(0));
    }
  }

  /** Queues an answer; false when there is no room. Failures are small and always queued. */
  #answer(message: OutgoingMessage): boolean {
    if (this.#isOver()) return true;
    if (message.type === FRAME.failure) {
      this.#addUrgent(message);
      return true;
    }
    if (!this.#hasRoom(message.bytes, 1) || !this.#queue.add(message)) return this.#refuse();
    this.#planFlush();
    return true;
  }

  #sendUrgent(type: FrameType, payload: Buffer): void {
    this.#addUrgent(new OutgoingMessage({ type, id: 0, parts: [payload] }));
  }

  /** Such messages are small, but a node that makes us write them and does not read them must not fill our memory. */
  #addUrgent(message: OutgoingMessage): void {
    if (!this.#queue.add(message) || this.#queue.bytes > 2 * LIMITS.peerOutgoingBytesMax) {
      this.close(lost("was not read by the other node"));
    } else this.#planFlush();
  }

  #isOver(): boolean {
    return this.#state === "ending" || this.#state === "closed";
  }

  /** One message is always let in, so that the largest legal one can pass. */
  #hasRoom(bytes: number, share: number): boolean {
    return this.outgoingBytes === 0 || this.outgoingBytes + bytes <= LIMITS.peerOutgoingBytesMax * share;
  }

  #refuse(): false {
    this.#options.counters.overloads++;
    return false;
  }

  /** Writing waits for the end of the turn, so that what was queued in it goes out as one write. */
  #planFlush(): void {
    if (this.#isFlushPlanned || this.#writingBytes > 0) return;
    this.#isFlushPlanned = true;
    this.#options.clock.soon(() => {
      this.#isFlushPlanned = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#isOver() || this.#writingBytes > 0) return;
    if (this.#state === "ready") this.#queue.writeInto(this.#writer, BATCH_BYTES, this.#window.roomBytes);
    else this.#queue.writeUrgentInto(this.#writer);
    this.#write(() => {
      this.#writingBytes = 0;
      this.#flush();
    });
  }

  #writeAll(): void {
    if (this.#state === "ready") this.#queue.writeInto(this.#writer, Infinity);
    else this.#queue.writeUrgentInto(this.#writer);
    this.#write(() => {});
  }

  /** Gives what the writer has to the socket as one write; `onTaken` is called when the kernel has all of it. */
  #write(onTaken: () => void): void {
    const { pieces, bytes, frames } = this.#writer.take();
    const last = pieces.at(-1);
    if (last === undefined) return;
    const { counters } = this.#options;
    this.#writingBytes += bytes;
    this.#window.onSent(bytes);
    counters.framesOut += frames;
    counters.bytesOut += bytes;
    this.#socket.cork();
    for (let i = 0; i < pieces.length - 1; i++) this.#socket.write(pieces[i] ?? "");
    this.#socket.write(last, (error) => {
      if (error === undefined || error === null) onTaken();
    });
    this.#socket.uncork();
  }
}

function lost(what: string, cause?: Error): KvError {
  const detail = cause === undefined ? "" : `: ${cause.message}`;
  return new KvError("UNREACHABLE", `The connection ${what}${detail}`, cause === undefined ? {} : { cause });
}
