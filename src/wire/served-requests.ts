import { assert } from "../base/assert.ts";
import { BoundedQueue } from "../base/bounded-queue.ts";
import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import { encodeFailure } from "./failure-codec.ts";
import { FRAME } from "./frame.ts";
import { OutgoingMessage } from "./outgoing-queue.ts";
import type { RequestFailure, Respond } from "./peer-network.ts";
import { ProtocolError } from "./protocol-error.ts";

/**
 * The requests of the other node that this one has not answered yet.
 *
 * Owns their bound, in number and bytes: what exceeds it is refused unseen, which the asker learns as OVERLOADED. Each
 * is answered exactly once; when an answer cannot be sent (too large, or no room), the asker learns that instead, so that
 * it need not wait for its deadline. They are handed on in the order in which they came; behind a large answer the next one
 * waits for the next turn of the loop: a hundred large values asked for in one breath would otherwise be read, checked and
 * copied in one turn, for seconds, in which this node looks dead to all others.
 */
export class ServedRequests {
  readonly #bytesById = new Map<number, number>();
  readonly #send: (message: OutgoingMessage) => boolean;
  readonly #soon: (run: () => void) => void;
  /** Those that wait for the next turn. */
  readonly #held = new BoundedQueue<() => void>(LIMITS.peerRequestsInFlightMax);
  #isHolding = false;
  #bytes = 0;

  /**
   * `send` queues a message, or says that there is no room; failures always find room. `soon` runs what it gets in the next
   * turn of the loop, or never when the connection is gone by then.
   */
  constructor(send: (message: OutgoingMessage) => boolean, soon: (run: () => void) => void) {
    this.#send = send;
    this.#soon = soon;
  }

  get count(): number {
    return this.#bytesById.size;
  }

  /** Admits a request and hands it to `serve`, now or in a later turn, unless it is refused. Throws ProtocolError on an id in use. */
  admit(id: number, body: Buffer, serve: (respond: Respond) => void): void {
    if (this.#bytesById.has(id)) throw new ProtocolError(`Request ${id} is made twice`);
    const isFull =
      this.count >= LIMITS.peerRequestsInFlightMax ||
      (this.count > 0 && this.#bytes + body.length > LIMITS.peerOutgoingBytesMax);
    if (isFull) {
      this.#fail(id, {
        error: new KvError("OVERLOADED", "The node asked has too many requests of this one"),
        sent: false,
      });
      return;
    }
    this.#bytesById.set(id, body.length);
    this.#bytes += body.length;
    const respond: Respond = (answer) => this.#respond(id, answer);
    // There is always room: what is held is admitted, and those are bounded by the same number.
    if (this.#isHolding) this.#held.push(() => serve(respond));
    else serve(respond);
  }

  #hold(): void {
    if (this.#isHolding) return;
    this.#isHolding = true;
    this.#soon(() => this.#goOn());
  }

  #goOn(): void {
    this.#isHolding = false;
    while (!this.#isHolding) {
      const run = this.#held.take();
      if (run === undefined) return;
      run();
    }
  }

  #respond(id: number, answer: Buffer): void {
    const bytes = this.#bytesById.get(id);
    if (bytes === undefined) return;
    this.#bytesById.delete(id);
    this.#bytes -= bytes;
    if (answer.length > LIMITS.peerFragmentBytes) this.#hold();
    const fits = answer.length <= LIMITS.messageBytesMax;
    if (fits && this.#send(new OutgoingMessage({ type: FRAME.response, id, parts: [answer] }))) return;
    const reason = fits ? "there was no room for it" : "it is too large to be sent";
    const error = new KvError("UNKNOWN_OUTCOME", `The answer has ${answer.length} bytes, and ${reason}`);
    this.#fail(id, { error, sent: true });
  }

  #fail(id: number, failure: RequestFailure): void {
    const isSent = this.#send(new OutgoingMessage({ type: FRAME.failure, id, parts: [encodeFailure(failure)] }));
    assert(isSent, "a failure always finds room");
  }
}
