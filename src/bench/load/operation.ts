import type { OperationKind } from "./workload.ts";

/**
 * One operation of a load, from being drawn to being answered. Mutable and used again: at several hundred thousand a second,
 * one object each would be most of the garbage.
 */
export class Operation {
  kind: OperationKind = "read";
  /** The key's index. */
  index = 0;
  /** Which write this is; goes into the value. */
  counter = 0;
  /** Rows asked for by a scan. */
  rowCount = 0;
  /** When it was meant to start, which is where its latency begins. */
  startMs = 0;
  /** When its present request was sent. */
  sentMs = 0;
  /** Of a read-modify-write: the read is answered, the write is under way. */
  isSecondHalf = false;

  copyFrom(other: Operation): this {
    this.kind = other.kind;
    this.index = other.index;
    this.counter = other.counter;
    this.rowCount = other.rowCount;
    this.startMs = other.startMs;
    this.sentMs = other.sentMs;
    this.isSecondHalf = other.isSecondHalf;
    return this;
  }
}
