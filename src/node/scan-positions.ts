import type { Random } from "../base/random.ts";
import { LIMITS } from "../model/limits.ts";

/** Which node keeps a cursor's position, and under which number. */
export interface CursorName {
  readonly nodeIndex: number;
  readonly number: number;
}

const NODES_MAX = 4096;
/** Cursors stay below 2⁵³: some clients read them into doubles. */
const NUMBER_END = 2 ** 41;

/**
 * Positions of SCAN cursors that this node gave out: Redis' cursors are numbers, our positions are keys.
 *
 * Owns a bounded map; the least recently used position goes first, and its cursor is invalid from then on. Numbers start
 * anywhere, so that a cursor from before a restart names nothing rather than another position.
 */
export class ScanPositions {
  readonly #positions = new Map<number, string>();
  readonly #nodeIndex: number;
  #lastNumber: number;

  constructor(nodeIndex: number, random: Random) {
    this.#nodeIndex = nodeIndex;
    this.#lastNumber = Math.floor(random.next() * (NUMBER_END / 2));
  }

  /** Keeps `position` (the last key given out) and returns its cursor, a decimal number that is not 0. */
  keep(position: string): string {
    this.#lastNumber = (this.#lastNumber % (NUMBER_END - 1)) + 1;
    this.#positions.set(this.#lastNumber, position);
    if (this.#positions.size > LIMITS.scanPositionsMax) {
      const [oldest = 0] = this.#positions.keys();
      this.#positions.delete(oldest);
    }
    return String(this.#lastNumber * NODES_MAX + this.#nodeIndex);
  }

  /** The position kept under `number`; null when there is none any more. */
  find(number: number): string | null {
    const position = this.#positions.get(number);
    if (position === undefined) return null;
    this.#positions.delete(number);
    this.#positions.set(number, position);
    return position;
  }
}

/** Takes a cursor apart; null when no node can have given it out. */
export function parseCursor(cursor: string): CursorName | null {
  if (!/^[0-9]{1,16}$/.test(cursor)) return null;
  const whole = Number(cursor);
  if (!Number.isSafeInteger(whole)) return null;
  return { nodeIndex: whole % NODES_MAX, number: Math.floor(whole / NODES_MAX) };
}
