import { ByteReader, TruncatedError } from "../base/byte-reader.ts";
import { ByteWriter } from "../base/byte-writer.ts";
import { KvError } from "../model/errors.ts";
import type { TreeChunk } from "./tree.ts";
import { corrupt, isIntact } from "./value-record.ts";

/** A row as it is stored. `key` is a binary string. */
export interface StoredRow {
  readonly key: string;
  readonly stored: Buffer;
}

/** Gathers the rows of a chunk, verifying each, so that damage does not spread through snapshots (M68). */
export class TreeChunkBuilder {
  readonly #bytesMax: number;
  readonly #writer: ByteWriter;
  #lastKey: string | null = null;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#writer = new ByteWriter(Math.min(bytesMax, 65_536));
  }

  /** Takes a row, always the first one; false when it would pass `bytesMax` and was not taken. Throws CORRUPT. */
  add(key: string, stored: Buffer): boolean {
    const bytes = 6 + key.length + stored.length;
    if (this.#lastKey !== null && this.#writer.length + bytes > this.#bytesMax) return false;
    if (!isIntact(key, stored)) throw corrupt(key);
    this.#writer.u16(key.length);
    this.#writer.binary(key);
    this.#writer.u32(stored.length);
    this.#writer.bytes(stored);
    this.#lastKey = key;
    return true;
  }

  /** Last key taken; null when the chunk is empty. */
  get lastKey(): string | null {
    return this.#lastKey;
  }

  finish(): Buffer {
    return this.#writer.finish();
  }
}

/**
 * The rows in a chunk that was read behind `afterKey`. Throws KvError PROTOCOL when the bytes are malformed, out of order or
 * outside the chunk's range, and CORRUPT when a record fails its checksum.
 */
export function rowsOfChunk(chunk: TreeChunk, afterKey: string): StoredRow[] {
  const reader = new ByteReader(chunk.bytes);
  const rows: StoredRow[] = [];
  let previous = afterKey;
  try {
    while (reader.remaining > 0) {
      const key = reader.binary(reader.u16());
      const stored = reader.bytes(reader.u32());
      if (key <= previous || (chunk.lastKey !== null && key > chunk.lastKey)) throw malformed("rows are out of order");
      if (!isIntact(key, stored)) throw corrupt(key);
      rows.push({ key, stored });
      previous = key;
    }
  } catch (error) {
    if (error instanceof TruncatedError) throw malformed("it is cut off", error);
    throw error;
  }
  return rows;
}

function malformed(why: string, cause?: unknown): KvError {
  return new KvError("PROTOCOL", `A chunk of copied rows is malformed: ${why}`, { cause });
}
