/** Something that speaks HTTP: a front door before a memory gateway, or a node of a real cluster. */
export interface HttpSystem {
  readonly address: string;
  /** The process that serves; without it, memory and descriptors are not looked at. */
  readonly pid?: number;
  /** What the store behind may fill and empty as it likes (its memtable): no growth of what serves HTTP. */
  readonly bufferBytesMax?: number;
  stop(): Promise<void>;
}

let keyCount = 0;

/** A key that no other test uses. */
export function freshKey(): string {
  return `http-suite:${process.pid}:${++keyCount}`;
}
