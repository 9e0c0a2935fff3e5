import { assert } from "../base/assert.ts";
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
 * it need not wait for its deadline.
 */
export class ServedRequests {
  readonly #bytesById = new Map<number, number>();
  readonly #send: (message: OutgoingMessage) => boolean;
  #bytes = 0;

  /** `send` queues a message, or says that there is no room; failures always find room. */
  constructor(send: (message: OutgoingMessage) => boolean) {
    this.#send = send;
  }

  get count(): number {
    return this.#bytesById.size;
  }

  /** Admits a request and gives what to answer it with; null when it was refused. Throws ProtocolError on an id in use. */
  admit(id: number, body: Buffer): Respond | null {
    if (this.#bytesById.has(id)) throw new ProtocolError(`Request ${id} is made twice`);
    const isFull =
      this.count >= LIMITS.peerRequestsInFlightMax ||
      (this.count > 0 && this.#bytes + body.length > LIMITS.peerOutgoingBytesMax);
    if (isFull) {
      this.#fail(id, {
        error: new KvError("OVERLOADED", "The node asked has too many requests of this one"),
        sent: false,
      });
      return null;
    }
    this.#bytesById.set(id, body.length);
    this.#bytes += body.length;
    return (answer) => this.#respond(id, answer);
  }

  #respond(id: number, answer: Buffer): void {
    const bytes = this.#bytesById.get(id);
    if (bytes === undefined) return;
    this.#bytesById.delete(id);
    this.#bytes -= bytes;
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
