import { ProtocolError } from "./protocol-error.ts";

/** Bytes that may be on their way before large messages and streams wait; small messages do not wait. */
export const WINDOW_BYTES = 1_048_576;
/** The receiver says what it has taken after so many bytes. */
const REPORT_BYTES = 262_144;
const COUNT_SIZE = 0x1_0000_0000;

/**
 * How much of one connection's bytes is on its way.
 *
 * The kernel takes several megabytes without anybody having read them, and a small message would have to wait behind all
 * of it: with five values of 16 MiB on their way, a small request took 3 ms with this window, 7 ms with twice the
 * window, 30 ms without, and the large ones were not slower (two processes on two busy cores). So each side says from
 * time to time how many bytes it has taken since the connection began (modulo 2³²), and the other keeps large messages
 * back while more than the window is under way. Since a report is due long before the window is full, it always opens
 * again.
 */
export class FlowWindow {
  #sentBytes = 0;
  #takenBytes = 0;
  #receivedBytes = 0;
  #reportedBytes = 0;

  /** What large messages may still send; 0 or less when they must wait. */
  get roomBytes(): number {
    return WINDOW_BYTES - (this.#sentBytes - this.#takenBytes);
  }

  onSent(bytes: number): void {
    this.#sentBytes += bytes;
  }

  /** The other side's report. Throws ProtocolError when it claims what was never sent. */
  onTaken(count: number): void {
    const more = (count - (this.#takenBytes % COUNT_SIZE) + COUNT_SIZE) % COUNT_SIZE;
    if (this.#takenBytes + more > this.#sentBytes) throw new ProtocolError("More was taken than was sent");
    this.#takenBytes += more;
  }

  /** Counts what was read. Gives the report that is now due to the other side, else null. */
  onReceived(bytes: number): number | null {
    this.#receivedBytes += bytes;
    if (this.#receivedBytes - this.#reportedBytes < REPORT_BYTES) return null;
    this.#reportedBytes = this.#receivedBytes;
    return this.#receivedBytes % COUNT_SIZE;
  }
}
