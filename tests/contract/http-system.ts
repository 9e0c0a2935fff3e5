/** Something that speaks HTTP: a front door before a memory gateway, or a node of a real cluster. */
export interface HttpSystem {
  readonly address: string;
  /** The process that serves. */
  readonly pid: number;
  /** Collects the garbage of that process: what is left is held by somebody. */
  collect(): Promise<void>;
  stop(): Promise<void>;
}

let keyCount = 0;

/** A key that no other test uses. */
export function freshKey(): string {
  return `http-suite:${process.pid}:${++keyCount}`;
}
