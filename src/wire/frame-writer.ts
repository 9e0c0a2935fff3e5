import { crc32 } from "../base/crc32.ts";
import { FRAME_HEADER_BYTES, writeFrameHeader, type FrameHead } from "./frame.ts";

/** Payloads up to this size are copied next to their header; beyond it a piece of its own is cheaper than the copy. */
const COPIED_BYTES_MAX = 16_384;
const ARENA_BYTES = 65_536;

/**
 * Lays frames out as few pieces of memory, ready for one gathering write.
 *
 * Owns the arena from which headers and small payloads are cut. Bytes once handed out are never written again, because
 * the socket may still need them; a used-up arena is left to the garbage collector.
 */
export class FrameWriter {
  #arena: Buffer = Buffer.alloc(0);
  #arenaUsed = 0;
  /** Where the piece that is being built begins in the arena. */
  #pieceStart = 0;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #frames = 0;

  /** Bytes written since the last `take`. */
  get bytes(): number {
    return this.#bytes;
  }

  get frames(): number {
    return this.#frames;
  }

  /** Writes one frame whose payload is `parts`, one after the other. */
  frame(head: FrameHead, parts: readonly Buffer[]): void {
    let payloadBytes = 0;
    let payloadCrc = 0;
    for (const part of parts) {
      payloadBytes += part.length;
      payloadCrc = crc32(part, payloadCrc);
    }
    const copied = payloadBytes <= COPIED_BYTES_MAX;
    this.#reserve(FRAME_HEADER_BYTES + (copied ? payloadBytes : 0));
    writeFrameHeader(this.#arena, this.#arenaUsed, { ...head, payloadBytes, payloadCrc });
    this.#arenaUsed += FRAME_HEADER_BYTES;
    for (const part of parts) {
      if (copied) this.#arenaUsed += part.copy(this.#arena, this.#arenaUsed);
      else this.#addPiece(part);
    }
    this.#bytes += FRAME_HEADER_BYTES + payloadBytes;
    this.#frames++;
  }

  /** What was written since the last time, in order, to be given to the socket as one write. */
  take(): { readonly pieces: readonly Buffer[]; readonly bytes: number; readonly frames: number } {
    this.#closePiece();
    const taken = { pieces: this.#pieces, bytes: this.#bytes, frames: this.#frames };
    this.#pieces = [];
    this.#bytes = 0;
    this.#frames = 0;
    return taken;
  }

  #addPiece(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#closePiece();
    this.#pieces.push(bytes);
  }

  #closePiece(): void {
    if (this.#arenaUsed === this.#pieceStart) return;
    this.#pieces.push(this.#arena.subarray(this.#pieceStart, this.#arenaUsed));
    this.#pieceStart = this.#arenaUsed;
  }

  #reserve(byteCount: number): void {
    if (this.#arena.length - this.#arenaUsed >= byteCount) return;
    this.#closePiece();
    this.#arena = Buffer.allocUnsafeSlow(ARENA_BYTES);
    this.#arenaUsed = 0;
    this.#pieceStart = 0;
  }
}
