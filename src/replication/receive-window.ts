import { LIMITS } from "../model/limits.ts";
import type { Sequence } from "../model/position.ts";

/** Received but not yet flushed: beyond it no more is asked for. */
const UNFLUSHED_BYTES_MAX: number = 4 * LIMITS.pullBytesMax;

/** How much a replica has received that its disk does not have yet: bounds memory when the disk is slow. */
export class ReceiveWindow {
  #parts: { readonly through: Sequence; readonly bytes: number }[] = [];

  /** `bytes` of entries up to `through` were appended. */
  note(through: Sequence, bytes: number): void {
    this.#parts.push({ through, bytes });
  }

  onFlushed(sequence: Sequence): void {
    this.#parts = this.#parts.filter((part) => part.through > sequence);
  }

  /** What was not written has been dropped, and the rest is flushed. */
  reset(): void {
    this.#parts = [];
  }

  get isFull(): boolean {
    return this.#parts.reduce((total, part) => total + part.bytes, 0) >= UNFLUSHED_BYTES_MAX;
  }
}
