import { assert } from "../base/assert.ts";

/**
 * Bytes of request bodies that all connections together may hold (rule K6).
 *
 * Owns one number, never above its maximum. Whoever takes gives back exactly once; a refusal takes nothing.
 */
export class ByteBudget {
  readonly #bytesMax: number;
  #bytesTaken = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytesTaken(): number {
    return this.#bytesTaken;
  }

  /** Whether `byteCount` more fit; when they do, they are taken. */
  take(byteCount: number): boolean {
    if (this.#bytesTaken + byteCount > this.#bytesMax) return false;
    this.#bytesTaken += byteCount;
    return true;
  }

  giveBack(byteCount: number): void {
    this.#bytesTaken -= byteCount;
    assert(this.#bytesTaken >= 0, "no more is given back to the budget than was taken");
  }
}
