import type { Socket } from "node:net";
import { SLICE_BYTES, writeSlices } from "./answer-writer.ts";

/** A body up to this size goes out in one string with its head: one write, and copying is cheaper than a second piece. */
const JOINED_BODY_BYTES_MAX = 8192;

/**
 * Sends the answers of one connection in the order given, what has gathered in one write.
 *
 * Owns the bytes that have not been given to the socket. Invariant: while `isBlocked`, the client has to take what waits for it
 * first, so whoever adds answers adds no more; it is told by `onFree`. A large body goes out slice by slice.
 */
export class AnswerOutput {
  readonly #socket: Socket;
  readonly #onFree: () => void;
  #text = "";
  #isSlicing = false;
  #stalledSweeps = 0;
  #bytesSentBefore = 0;

  constructor(socket: Socket, onFree: () => void) {
    this.#socket = socket;
    this.#onFree = onFree;
    socket.on("drain", this.#onDrain);
  }

  get isBlocked(): boolean {
    return this.#isSlicing || this.#socket.writableNeedDrain;
  }

  /** `head` is a binary string. */
  add(head: string, body: Buffer | null): void {
    this.#text += head;
    if (body === null) return;
    if (body.length <= JOINED_BODY_BYTES_MAX) this.#text += body.toString("latin1");
    else this.#addLarge(body);
    if (this.#text.length > SLICE_BYTES) this.flush();
  }

  /** Gives the socket what has gathered. */
  flush(): void {
    if (this.#text === "") return;
    const text = this.#text;
    this.#text = "";
    this.#socket.write(text, "latin1");
  }

  /** Calls `done` when the client's side has taken everything; not at all when the connection breaks. */
  whenSent(done: () => void): void {
    if (this.#socket.writableLength === 0) done();
    else this.#socket.write("", () => this.#socket.destroyed || done());
  }

  /** Leaves the socket to somebody else. */
  release(): void {
    this.#socket.off("drain", this.#onDrain);
  }

  /** Called at every sweep. True when the client has taken nothing of what waits for it for `sweepsMax` of them. */
  isStalled(sweepsMax: number): boolean {
    const { bytesWritten, writableLength } = this.#socket;
    const bytesSent = bytesWritten - writableLength;
    const isStanding = writableLength > 0 && bytesSent === this.#bytesSentBefore;
    this.#bytesSentBefore = bytesSent;
    this.#stalledSweeps = isStanding ? this.#stalledSweeps + 1 : 0;
    return this.#stalledSweeps >= sweepsMax;
  }

  #addLarge(body: Buffer): void {
    this.#socket.cork();
    this.flush();
    if (body.length <= SLICE_BYTES) {
      this.#socket.write(body);
    } else {
      this.#isSlicing = true;
      writeSlices(this.#socket, body, { progress: () => {}, last: (slice) => this.#onLastSlice(slice) });
    }
    this.#socket.uncork();
  }

  #onLastSlice(slice: Buffer): void {
    this.#isSlicing = false;
    // Where the socket has room there will be no "drain"; where it has none, that is when there is room for more answers.
    if (this.#socket.write(slice)) this.#onFree();
  }

  readonly #onDrain = (): void => {
    if (!this.isBlocked) this.#onFree();
  };
}
