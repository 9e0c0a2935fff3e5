import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import { FRAME } from "./frame.ts";
import { OutgoingMessage, type OutgoingQueue } from "./outgoing-queue.ts";
import type { PeerRequest, RequestFailure } from "./peer-network.ts";
import { ProtocolError } from "./protocol-error.ts";

interface PendingRequest {
  readonly message: OutgoingMessage;
  readonly deadlineAtMs: number;
  readonly done: PeerRequest["done"];
}

const ID_COUNT = 0x1_0000_0000;

/**
 * The requests of one connection that have no answer yet.
 *
 * Owns their ids and deadlines. Each `done` is called exactly once: by an answer, a deadline, or the end of the
 * connection. `sent` is decided by whether the last byte of the request was handed to the socket: until then the other
 * node cannot have it whole, and cannot act on it (rule U5).
 */
export class PendingRequests {
  readonly #queue: OutgoingQueue;
  readonly #pending = new Map<number, PendingRequest>();
  #nextId = 1;
  /** No deadline is earlier than this, so that most sweeps have nothing to look at. */
  #earliestDeadlineMs = Infinity;

  constructor(queue: OutgoingQueue) {
    this.#queue = queue;
  }

  get count(): number {
    return this.#pending.size;
  }

  get isFull(): boolean {
    return this.#pending.size >= LIMITS.peerRequestsInFlightMax;
  }

  /** Queues a request; false (and nothing was done) when its lane is full. The caller has looked at `isFull`. */
  add(request: PeerRequest, nowMs: number): boolean {
    const id = this.#nextId;
    const message = new OutgoingMessage({ type: FRAME.request, id, parts: [request.body] });
    if (!this.#queue.add(message)) return false;
    this.#nextId = (id + 1) % ID_COUNT;
    const deadlineAtMs = nowMs + request.timeoutMs;
    this.#pending.set(id, { message, deadlineAtMs, done: request.done });
    if (deadlineAtMs < this.#earliestDeadlineMs) this.#earliestDeadlineMs = deadlineAtMs;
    return true;
  }

  /** The answer to request `id`. One that comes after the deadline is dropped; one never asked for is ProtocolError. */
  settle(id: number, outcome: { readonly body: Buffer } | RequestFailure): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) {
      const age = (this.#nextId - id + ID_COUNT) % ID_COUNT;
      if (age === 0 || age > ID_COUNT / 2) throw new ProtocolError(`Request ${id} was answered but never made`);
      return;
    }
    if (pending.message.state !== "handed over") {
      throw new ProtocolError(`Request ${id} was answered before it was sent`);
    }
    this.#pending.delete(id);
    pending.done(outcome);
  }

  /** Fails what waits for longer than it wanted to. Returns how many those were. */
  expire(nowMs: number): number {
    if (nowMs < this.#earliestDeadlineMs) return 0;
    const late: PendingRequest[] = [];
    let earliest = Infinity;
    for (const [id, pending] of this.#pending) {
      if (pending.deadlineAtMs <= nowMs) {
        late.push(pending);
        this.#pending.delete(id);
      } else if (pending.deadlineAtMs < earliest) earliest = pending.deadlineAtMs;
    }
    this.#earliestDeadlineMs = earliest;
    for (const pending of late) {
      this.#fail(pending, new KvError("DEADLINE_EXCEEDED", "The other node could not be asked in time"), "in time");
    }
    return late.length;
  }

  /** The connection is gone because of `reason`: fails everything. */
  failAll(reason: KvError): void {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    const isOwnEnd = reason.code === "STOPPING" || reason.code === "UNREACHABLE";
    const error = isOwnEnd ? reason : new KvError("UNREACHABLE", reason.message, { cause: reason });
    for (const pending of all) this.#fail(pending, error, "before the connection was lost");
  }

  #fail(pending: PendingRequest, notSent: KvError, when: string): void {
    if (this.#queue.cancel(pending.message)) pending.done({ error: notSent, sent: false });
    else {
      const message = `The request was sent, and no answer came ${when}`;
      pending.done({ error: new KvError("UNKNOWN_OUTCOME", message, { cause: notSent }), sent: true });
    }
  }
}
