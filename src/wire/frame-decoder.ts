import { crc32 } from "../base/crc32.ts";
import {
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  PROTOCOL_VERSION,
  headerCrc,
  isFrameType,
  type Frame,
  type FrameType,
} from "./frame.ts";
import { ProtocolError } from "./protocol-error.ts";

/**
 * Cuts the bytes of one connection into frames, however they are chunked.
 *
 * Owns at most one unfinished frame. A frame that lies whole in one chunk is handed out as a view of it; else its
 * payload is collected in a buffer of exact size, which is allocated only once its header was checked. So each byte is
 * copied at most once. After a `ProtocolError` the decoder is dead: there is no way to find the next frame.
 */
export class FrameDecoder {
  #frameBytesMax: number;
  readonly #header: Buffer = Buffer.alloc(FRAME_HEADER_BYTES);
  #headerBytes = 0;
  /** The frame whose header is known, its payload as far as it has arrived. */
  #open: { head: OpenFrame; payload: Buffer | null; filledBytes: number } | null = null;
  #stopped = false;

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Lets larger frames in, from the next header on. */
  raiseLimit(frameBytesMax: number): void {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Hands out nothing more, not even of the chunk being read. */
  stop(): void {
    this.#stopped = true;
    this.#open = null;
  }

  /** Takes the next chunk and calls `onFrame` for each frame that it completes. Throws ProtocolError. */
  push(chunk: Buffer, onFrame: (frame: Frame) => void): void {
    let at = 0;
    while (!this.#stopped) {
      if (this.#open === null) {
        at = this.#takeHeader(chunk, at);
        if (this.#open === null) return;
      }
      at = this.#takePayload(chunk, at, onFrame);
      if (this.#open !== null) return;
    }
  }

  /** Reads a header from `at` on, across chunks if need be. Returns where it stopped. */
  #takeHeader(chunk: Buffer, at: number): number {
    if (this.#headerBytes === 0 && chunk.length - at >= FRAME_HEADER_BYTES) {
      this.#open = this.#openFrame(chunk, at);
      return at + FRAME_HEADER_BYTES;
    }
    const end = Math.min(chunk.length, at + FRAME_HEADER_BYTES - this.#headerBytes);
    this.#headerBytes += chunk.copy(this.#header, this.#headerBytes, at, end);
    if (this.#headerBytes === FRAME_HEADER_BYTES) {
      this.#headerBytes = 0;
      this.#open = this.#openFrame(this.#header, 0);
    }
    return end;
  }

  #openFrame(buffer: Buffer, at: number): { head: OpenFrame; payload: null; filledBytes: number } {
    try {
      return { head: parseHeader(buffer, at, this.#frameBytesMax), payload: null, filledBytes: 0 };
    } catch (error) {
      this.#stopped = true;
      throw error;
    }
  }

  /** Collects the payload of the open frame and hands the frame out when it is whole. Returns where it stopped. */
  #takePayload(chunk: Buffer, at: number, onFrame: (frame: Frame) => void): number {
    const open = this.#open;
    if (open === null) return at;
    const { head } = open;
    if (open.payload === null && chunk.length - at >= head.payloadBytes) {
      const end = at + head.payloadBytes;
      this.#finish(head, chunk.subarray(at, end), onFrame);
      return end;
    }
    open.payload ??= Buffer.allocUnsafeSlow(head.payloadBytes);
    const end = Math.min(chunk.length, at + head.payloadBytes - open.filledBytes);
    open.filledBytes += chunk.copy(open.payload, open.filledBytes, at, end);
    if (open.filledBytes === head.payloadBytes) this.#finish(head, open.payload, onFrame);
    return end;
  }

  #finish(head: OpenFrame, payload: Buffer, onFrame: (frame: Frame) => void): void {
    this.#open = null;
    if (crc32(payload) !== head.payloadCrc) {
      this.#stopped = true;
      throw new ProtocolError("The checksum of a frame's payload is wrong");
    }
    onFrame({ type: head.type, id: head.id, flags: head.flags, shardBytes: head.shardBytes, payload });
  }
}

interface OpenFrame {
  readonly type: FrameType;
  readonly id: number;
  readonly flags: number;
  readonly shardBytes: number;
  readonly payloadBytes: number;
  readonly payloadCrc: number;
}

/** The version is looked at before the checksum, so that a node of another version can be told what is wrong. */
function parseHeader(buffer: Buffer, at: number, frameBytesMax: number): OpenFrame {
  if (buffer.readUInt16LE(at) !== FRAME_MAGIC) throw new ProtocolError("What arrived is not a frame");
  const version = buffer[at + 2];
  if (version !== PROTOCOL_VERSION) {
    throw new ProtocolError(`The frame is of protocol version ${version}, this node speaks ${PROTOCOL_VERSION}`);
  }
  if (headerCrc(buffer, at) !== buffer.readUInt32LE(at + 20)) {
    throw new ProtocolError("The checksum of a frame's header is wrong");
  }
  const type = buffer[at + 3] ?? 0;
  if (!isFrameType(type)) throw new ProtocolError(`Frame type ${type} is not known`);
  const length = buffer.readUInt32LE(at + 4);
  if (length < FRAME_HEADER_BYTES || length > frameBytesMax) {
    throw new ProtocolError(`A frame cannot be ${length} bytes long here; the limit is ${frameBytesMax}`);
  }
  if (buffer.readUInt16LE(at + 14) !== 0) throw new ProtocolError("Reserved bytes of a frame's header are set");
  return {
    type,
    id: buffer.readUInt32LE(at + 8),
    flags: buffer[at + 12] ?? 0,
    shardBytes: buffer[at + 13] ?? 0,
    payloadBytes: length - FRAME_HEADER_BYTES,
    payloadCrc: buffer.readUInt32LE(at + 16),
  };
}
