import { crc32 } from "../../src/base/crc32.ts";
import type { SeededRandom } from "../../src/base/random.ts";
import { FRAME_HEADER_BYTES, headerCrc, WHOLE, type Frame, type FrameType } from "../../src/wire/frame.ts";
import { FrameDecoder } from "../../src/wire/frame-decoder.ts";
import { FrameWriter } from "../../src/wire/frame-writer.ts";
import { ProtocolError } from "../../src/wire/protocol-error.ts";

/** The bytes of one frame as the product writes them. */
export function frameBytes(frame: Partial<Frame> & { readonly type: FrameType }): Buffer {
  const writer = new FrameWriter();
  const { type, id = 0, flags = WHOLE, shardBytes = 0, payload = Buffer.alloc(0) } = frame;
  writer.frame({ type, id, flags, shardBytes }, [payload]);
  return Buffer.concat(writer.take().pieces);
}

/** Changes a frame's bytes and makes both checksums right again, as a faulty or hostile sender would. */
export function forge(bytes: Buffer, change: (header: Buffer) => void): Buffer {
  const forged = Buffer.from(bytes);
  change(forged);
  forged.writeUInt32LE(crc32(forged.subarray(FRAME_HEADER_BYTES)), 16);
  forged.writeUInt32LE(headerCrc(forged, 0), 20);
  return forged;
}

/** Cuts bytes into chunks of random sizes, empty ones among them. */
export function cut(bytes: Buffer, random: SeededRandom): Buffer[] {
  const chunks: Buffer[] = [];
  const sizes = [0, 1, 2, 5, 23, 24, 25, 100, 1000, 65_536];
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + random.below(1 + (sizes[random.below(sizes.length)] ?? 0)));
    chunks.push(bytes.subarray(at, end));
    at = end;
  }
  return chunks;
}

export interface Decoded {
  readonly frames: readonly Frame[];
  readonly error: string | null;
}

/** Feeds chunks to the product's decoder. Throws whatever is not ProtocolError. */
export function decodeChunks(chunks: readonly Buffer[], frameBytesMax: number): Decoded {
  const decoder = new FrameDecoder(frameBytesMax);
  const frames: Frame[] = [];
  try {
    for (const chunk of chunks) decoder.push(chunk, (frame) => frames.push(frame));
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { frames, error: error.message };
  }
  return { frames, error: null };
}
