import type { DiskFile } from "../base/disk.ts";

const CHUNK_BYTES = 256 * 1024;

/**
 * Looks at a file through one chunk at a time, for those who walk it from front to back.
 *
 * Every chunk is a buffer of its own, so views stay valid; they show what the file held when the chunk was read. What lies
 * behind the file's end reads as zeros: a segment that was cut looks like one whose rest was never written.
 */
export class FileWindow {
  readonly #file: DiskFile;
  #chunk: Buffer = Buffer.alloc(0);
  #chunkStart = 0;

  constructor(file: DiskFile) {
    this.#file = file;
  }

  /** The little-endian number at `offset`. */
  u32(offset: number): number {
    this.#cover(offset, 4);
    return this.#chunk.readUInt32LE(offset - this.#chunkStart);
  }

  /** `lengthBytes` bytes at `offset`. */
  view(offset: number, lengthBytes: number): Buffer {
    this.#cover(offset, lengthBytes);
    const at = offset - this.#chunkStart;
    return this.#chunk.subarray(at, at + lengthBytes);
  }

  #cover(offset: number, lengthBytes: number): void {
    const end = offset + lengthBytes;
    if (offset < this.#chunkStart || end > this.#chunkStart + this.#chunk.length) {
      const wanted = Math.min(CHUNK_BYTES, this.#file.sizeBytes - offset);
      const chunk = Buffer.allocUnsafeSlow(Math.max(wanted, lengthBytes));
      const count = this.#file.read(chunk, offset);
      chunk.fill(0, count);
      this.#chunk = chunk;
      this.#chunkStart = offset;
    }
  }

  /** Reads afresh from now on. */
  forget(): void {
    this.#chunk = Buffer.alloc(0);
  }

  /** Whether all bytes from `start` to `end` are zero. */
  isZero(start: number, end: number): boolean {
    for (let at = start; at < end; at += CHUNK_BYTES) {
      if (!isZeroed(this.view(at, Math.min(CHUNK_BYTES, end - at)))) return false;
    }
    return true;
  }
}

const zeros = Buffer.alloc(CHUNK_BYTES);

function isZeroed(bytes: Buffer): boolean {
  return bytes.compare(zeros, 0, bytes.length) === 0;
}
