import type { Log } from "../log/log.ts";
import { LIMITS } from "../model/limits.ts";
import type { Sequence } from "../model/position.ts";

/** Received but not yet flushed: beyond it no more is asked for. */
const UNFLUSHED_BYTES_MAX: number = 4 * LIMITS.pullBytesMax;

/** Whether a replica can take more: bounds memory when its disk is slow, and asks for nothing while its log has no room. */
export class ReceiveWindow {
  #parts: { readonly through: Sequence; readonly bytes: number }[] = [];
  #isAwaitingRoom = false;

  /** `bytes` of entries up to `through` were appended. */
  note(through: Sequence, bytes: number): void {
    this.#parts.push({ through, bytes });
  }

  onFlushed(sequence: Sequence): void {
    this.#parts = this.#parts.filter((part) => part.through > sequence);
  }

  /** What came last was dropped for want of room; `again` is called when there is some. */
  awaitRoom(log: Pick<Log, "whenRoomChanges">, again: () => void): void {
    this.#isAwaitingRoom = true;
    log.whenRoomChanges(() => {
      this.#isAwaitingRoom = false;
      again();
    });
  }

  /** What was not written has been dropped, and the rest is flushed; what comes next fits, or waits anew. */
  reset(): void {
    this.#parts = [];
    this.#isAwaitingRoom = false;
  }

  get isFull(): boolean {
    if (this.#isAwaitingRoom) return true;
    return this.#parts.reduce((total, part) => total + part.bytes, 0) >= UNFLUSHED_BYTES_MAX;
  }
}
