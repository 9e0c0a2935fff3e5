import { LIMITS } from "../model/limits.ts";
import { FLAG, FRAME, WHOLE, type Frame, type FrameType } from "./frame.ts";
import { ProtocolError } from "./protocol-error.ts";

/** A message as it was before it was cut into frames. */
export interface WireMessage {
  readonly type: FrameType;
  readonly id: number;
  /** How many of the payload's first bytes are the name of the shard. */
  readonly shardBytes: number;
  readonly payload: Buffer;
}

interface PartialMessage {
  readonly type: FrameType;
  readonly id: number;
  readonly shardBytes: number;
  readonly payload: Buffer;
  filledBytes: number;
}

/** Length of the whole message, at the beginning of the first of several frames. */
export const FRAGMENT_TOTAL_BYTES = 4;

/**
 * Puts the fragments of one connection's messages together again; fragments of different messages may alternate.
 *
 * Owns what has arrived of unfinished messages: at most `LIMITS.peerPartialMessagesMax` messages of at most
 * `LIMITS.messageBytesMax` bytes each and `LIMITS.peerPartialBytesMax` bytes together, checked against the announced
 * length before anything is allocated. Whatever does not fit together is a `ProtocolError`.
 */
export class MessageAssembler {
  readonly #partial = new Map<number, PartialMessage>();
  #partialBytes = 0;

  get partialCount(): number {
    return this.#partial.size;
  }

  /** Announced bytes of all unfinished messages. */
  get partialBytes(): number {
    return this.#partialBytes;
  }

  /** Takes a frame; gives the message that it completes, else null. */
  add(frame: Frame): WireMessage | null {
    if (frame.shardBytes !== 0 && frame.type !== FRAME.message) {
      throw new ProtocolError(`A frame of type ${frame.type} names a shard`);
    }
    if (frame.flags === WHOLE) return wholeMessage(frame);
    if (frame.type !== FRAME.message && frame.type !== FRAME.request && frame.type !== FRAME.response) {
      throw new ProtocolError(`A message of type ${frame.type} came in pieces`);
    }
    if (frame.flags === FLAG.first) return this.#begin(frame);
    if (frame.flags === 0 || frame.flags === FLAG.last) return this.#continue(frame);
    if (frame.flags === FLAG.aborted) return this.#abort(frame);
    throw new ProtocolError(`Frame flags ${frame.flags} make no sense`);
  }

  #begin(frame: Frame): null {
    if (frame.payload.length <= FRAGMENT_TOTAL_BYTES) throw new ProtocolError("A first fragment is too short");
    const totalBytes = frame.payload.readUInt32LE(0);
    const filledBytes = frame.payload.length - FRAGMENT_TOTAL_BYTES;
    if (totalBytes > LIMITS.messageBytesMax) {
      throw new ProtocolError(`A message cannot be ${totalBytes} bytes long; the limit is ${LIMITS.messageBytesMax}`);
    }
    if (filledBytes >= totalBytes || frame.shardBytes > totalBytes) {
      throw new ProtocolError(`A first fragment carries ${filledBytes} of ${totalBytes} bytes`);
    }
    if (this.#partial.has(keyOf(frame))) throw new ProtocolError(`Message ${frame.id} begins twice`);
    if (this.#partial.size >= LIMITS.peerPartialMessagesMax) {
      throw new ProtocolError("Too many messages are unfinished");
    }
    if (this.#partialBytes + totalBytes > LIMITS.peerPartialBytesMax) {
      throw new ProtocolError(`Unfinished messages together exceed ${LIMITS.peerPartialBytesMax} bytes`);
    }
    const payload = Buffer.allocUnsafeSlow(totalBytes);
    frame.payload.copy(payload, 0, FRAGMENT_TOTAL_BYTES);
    this.#partialBytes += totalBytes;
    this.#partial.set(keyOf(frame), {
      type: frame.type,
      id: frame.id,
      shardBytes: frame.shardBytes,
      payload,
      filledBytes,
    });
    return null;
  }

  #continue(frame: Frame): WireMessage | null {
    const partial = this.#find(frame);
    if (frame.payload.length === 0) throw new ProtocolError("A fragment is empty");
    const filledBytes = partial.filledBytes + frame.payload.length;
    const isLast = frame.flags === FLAG.last;
    if (isLast !== (filledBytes === partial.payload.length) || filledBytes > partial.payload.length) {
      throw new ProtocolError(`Fragments have ${filledBytes} of ${partial.payload.length} bytes`);
    }
    frame.payload.copy(partial.payload, partial.filledBytes);
    partial.filledBytes = filledBytes;
    if (!isLast) return null;
    this.#forget(frame, partial);
    return partial;
  }

  #abort(frame: Frame): null {
    if (frame.payload.length !== 0) throw new ProtocolError("An aborted message has a payload");
    this.#forget(frame, this.#find(frame));
    return null;
  }

  #find(frame: Frame): PartialMessage {
    const partial = this.#partial.get(keyOf(frame));
    if (partial === undefined) throw new ProtocolError(`A fragment of message ${frame.id} has no beginning`);
    if (frame.shardBytes !== 0) throw new ProtocolError("A later fragment names a shard");
    return partial;
  }

  #forget(frame: Frame, partial: PartialMessage): void {
    this.#partial.delete(keyOf(frame));
    this.#partialBytes -= partial.payload.length;
  }
}

function wholeMessage(frame: Frame): WireMessage {
  if (frame.shardBytes > frame.payload.length) throw new ProtocolError("A message ends within its shard's name");
  return frame;
}

/** One number of type and id: ids have 32 bits, so it is exact in a double. */
function keyOf(frame: Frame): number {
  return frame.type * 0x1_0000_0000 + frame.id;
}
