import { KvError } from "../model/errors.ts";
import type { ByteBudget } from "./byte-budget.ts";
import type { HttpSettings } from "./settings.ts";

const FIRST_BUFFER_BYTES = 65_536;
/** A body announced with so much or more takes its whole share of the budget when it begins. */
const LARGE_BODY_BYTES = 1_048_576;

/** How a body is to be read. */
export interface BodyOrder {
  readonly bytesMax: number;
  /** From Content-Length; null when it comes in chunks. */
  readonly byteCount: number | null;
  /** Only get it out of the way: the answer is known already. */
  readonly discard: boolean;
}

/**
 * Reads the body of one request, its limits enforced as it arrives.
 *
 * Owns the bytes read so far and their share of the node's budget, which stays taken until `release`. Memory grows with what
 * has arrived, never with what was announced. A large body that could not be held whole is refused at its beginning: forty
 * that begin at once would else use the budget up together, and nearly all of them fail half-way. What a slow one has been
 * granted and not used goes back after a while, so that announcing alone keeps nobody out. `done` is called once, with the body or with the error that ended it; after
 * an error nothing more is taken. When the connection breaks it is not called at all.
 */
export class BodyReader {
  readonly #order: BodyOrder;
  readonly #budget: ByteBudget;
  readonly #done: (body: Buffer | KvError) => void;
  #buffer: Buffer = Buffer.alloc(0);
  #byteCount = 0;
  #bytesTaken = 0;
  #isOver = false;
  #sweeps = 0;
  #byteCountBefore = 0;

  constructor(order: BodyOrder, budget: ByteBudget, done: (body: Buffer | KvError) => void) {
    this.#order = order;
    this.#budget = budget;
    this.#done = done;
  }

  /** Bytes that are still to come; only for a body whose length was announced. */
  get missingByteCount(): number {
    return (this.#order.byteCount ?? 0) - this.#byteCount;
  }

  /** The last byte has been taken. */
  end(): void {
    if (!this.#isOver) this.#finish(this.#body());
  }

  /** Called at every sweep: fails the body when it arrives below the minimum rate. */
  sweep({ bodyPeriodSweeps, bodyBytesPerPeriodMin }: HttpSettings): void {
    this.#sweeps++;
    if (this.#isOver || this.#sweeps < bodyPeriodSweeps) return;
    if (this.#byteCount - this.#byteCountBefore < bodyBytesPerPeriodMin) {
      this.fail(new KvError("REQUEST_TIMEOUT", "The request's body did not arrive in time"));
      return;
    }
    this.#sweeps = 0;
    this.#byteCountBefore = this.#byteCount;
    this.#budget.giveBack(Math.max(0, this.#bytesTaken - this.#byteCount));
    this.#bytesTaken = Math.min(this.#bytesTaken, this.#byteCount);
  }

  /** Ends the reading from outside: the client is too slow, or its bytes are no body. */
  fail(error: KvError): void {
    this.#finish(error);
  }

  /** Gives the budget back; the body's bytes must not be counted on any more. */
  release(): void {
    this.#isOver = true;
    this.#budget.giveBack(this.#bytesTaken);
    this.#bytesTaken = 0;
    this.#buffer = Buffer.alloc(0);
  }

  /** Takes the next bytes, which are the body's own from here on. */
  take(chunk: Buffer): void {
    if (this.#isOver) return;
    const { bytesMax, discard } = this.#order;
    const total = this.#byteCount + chunk.length;
    if (total > bytesMax) {
      this.#finish(bodyTooLarge(bytesMax));
    } else if (discard) {
      this.#byteCount = total;
    } else if (!this.#grant(total)) {
      this.#finish(new KvError("OVERLOADED", "This node holds as many bytes of request bodies as it may"));
    } else {
      this.#append(chunk, total);
    }
  }

  /** Takes from the budget what a body that has come to `total` bytes needs; false when there is not that much. */
  #grant(total: number): boolean {
    const { byteCount } = this.#order;
    const isLargeStart = this.#byteCount === 0 && byteCount !== null && byteCount >= LARGE_BODY_BYTES;
    const moreBytes = (isLargeStart ? Math.max(total, byteCount) : total) - this.#bytesTaken;
    if (moreBytes <= 0) return true;
    if (!this.#budget.take(moreBytes)) return false;
    this.#bytesTaken += moreBytes;
    return true;
  }

  #append(chunk: Buffer, total: number): void {
    if (total > this.#buffer.length) {
      // Most bodies come in one piece, which is then the body as it is.
      if (this.#byteCount === 0 && total === this.#order.byteCount) {
        this.#buffer = chunk;
        this.#byteCount = total;
        return;
      }
      const larger = Buffer.allocUnsafeSlow(this.#roomFor(total));
      this.#buffer.copy(larger, 0, 0, this.#byteCount);
      this.#buffer = larger;
    }
    chunk.copy(this.#buffer, this.#byteCount);
    this.#byteCount = total;
  }

  /** Exactly the bytes: a small body must not keep a large buffer alive for as long as its value lives. */
  #body(): Buffer {
    if (this.#buffer.length === this.#byteCount) return this.#buffer;
    return Buffer.from(this.#buffer.subarray(0, this.#byteCount));
  }

  /** Doubling keeps copying linear; the end that is already known keeps the last buffer exact. */
  #roomFor(total: number): number {
    const room = Math.max(total, this.#buffer.length * 2, FIRST_BUFFER_BYTES);
    return Math.min(room, this.#order.byteCount ?? this.#order.bytesMax);
  }

  #finish(outcome: Buffer | KvError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#done(outcome);
  }
}

/** The refusal of a body above `bytesMax`, announced or arrived. */
export function bodyTooLarge(bytesMax: number): KvError {
  if (bytesMax === 0) return new KvError("INVALID_ARGUMENT", "This request takes no body");
  return new KvError("VALUE_TOO_LARGE", `The body is larger than ${bytesMax} bytes`);
}
