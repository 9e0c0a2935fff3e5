import type { Clock } from "../base/clock.ts";
import type { Room } from "../log/log.ts";
import type { ShardStore } from "../shard/shard-store.ts";

/** What a leader's disk has no room for. */
export interface MissingRoom {
  /** Milliseconds since a write was first refused for it, or had to wait. */
  readonly forMs: number;
  /** Of the entry that was not taken. */
  readonly bytes: number;
}

/** What is asked of the leader's store. */
export interface RoomParts {
  readonly memtable: Pick<ShardStore["memtable"], "isFull">;
  readonly log: Pick<ShardStore["log"], "roomAheadBytes">;
  roomFor(bytes: number): Room;
}

/**
 * For how long the disk of a leader has been too full for what clients write (rule S4).
 *
 * Owns what was missing first; forgets it as soon as anything is taken again, and when it is asked while there is room.
 */
export class RoomShortage {
  readonly #clock: Clock;
  readonly #store: RoomParts;
  #missing: { readonly sinceMs: number; readonly bytes: number } | null = null;

  constructor(clock: Clock, store: RoomParts) {
    this.#clock = clock;
    this.#store = store;
  }

  /** An entry of `bytes` could not be appended, perhaps for other reasons. */
  note(bytes: number): void {
    if (this.#missing === null && this.#isShort(bytes)) this.#missing = { sinceMs: this.#clock.nowMs(), bytes };
  }

  /** An entry was appended. */
  end(): void {
    this.#missing = null;
  }

  /** Null while there is room, as far as anybody has asked for more. */
  measure(): MissingRoom | null {
    if (this.#missing !== null && !this.#isShort(this.#missing.bytes)) this.#missing = null;
    if (this.#missing === null) return null;
    return { forMs: this.#clock.nowMs() - this.#missing.sinceMs, bytes: this.#missing.bytes };
  }

  /** The log cannot grow, or the memtable is full of what the tree cannot take in. */
  #isShort(bytes: number): boolean {
    const { memtable, log } = this.#store;
    return memtable.isFull ? log.roomAheadBytes === 0 : this.#store.roomFor(bytes) === "full";
  }
}
