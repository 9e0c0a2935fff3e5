import { BoundedQueue } from "../base/bounded-queue.ts";
import { LIMITS } from "../model/limits.ts";
import { FLAG, FRAME, FRAME_HEADER_BYTES, WHOLE, type FrameType } from "./frame.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { FRAGMENT_TOTAL_BYTES } from "./message-assembler.ts";

const NOTHING: Buffer = Buffer.alloc(0);
const LANE_COUNT_MAX = 131_072;
/** The sender keeps to half of what the receiver allows, so that the two never argue about a message at the border. */
const PARTIAL_COUNT_MAX: number = LIMITS.peerPartialMessagesMax / 2;
const PARTIAL_BYTES_MAX: number = LIMITS.peerPartialBytesMax / 2;

/** One message on its way out, and how far it has come. */
export class OutgoingMessage {
  readonly type: FrameType;
  readonly id: number;
  /** The ordered stream it belongs to: a shard's name; null when it stands for itself. */
  readonly stream: string | null;
  readonly shardBytes: number;
  #parts: readonly Buffer[];
  readonly bytes: number;
  /** Payload bytes handed to the socket so far. */
  handedBytes = 0;
  state: "waiting" | "begun" | "handed over" | "cancelled" = "waiting";

  constructor(message: {
    readonly type: FrameType;
    readonly id: number;
    readonly stream?: string;
    readonly shardBytes?: number;
    readonly parts: readonly Buffer[];
  }) {
    this.type = message.type;
    this.id = message.id;
    this.stream = message.stream ?? null;
    this.shardBytes = message.shardBytes ?? 0;
    this.#parts = message.parts;
    let bytes = 0;
    for (const part of message.parts) bytes += part.length;
    this.bytes = bytes;
  }

  get parts(): readonly Buffer[] {
    return this.#parts;
  }

  /** What it charges to the queue: its frames' headers are guessed as one. */
  get chargedBytes(): number {
    return this.bytes + FRAME_HEADER_BYTES;
  }

  /** The payload's bytes from `start` up to `end`, as views. */
  slice(start: number, end: number): Buffer[] {
    const pieces: Buffer[] = [];
    let offset = 0;
    for (const part of this.#parts) {
      const from = Math.max(start - offset, 0);
      const to = Math.min(end - offset, part.length);
      if (from < to) pieces.push(part.subarray(from, to));
      offset += part.length;
    }
    return pieces;
  }

  /** Lets go of the bytes: a cancelled message may lie in its queue for a while. */
  release(): void {
    this.#parts = [NOTHING];
  }
}

/** What takes turns with others: a stream of messages in order, or one large message alone. */
type Source = BoundedQueue<OutgoingMessage>;

/**
 * What waits to be written to one socket, and the order in which it goes.
 *
 * Invariants: messages of one stream go in order and never overlap; whole small requests and answers go in order; no
 * large message holds up anything but its own stream, because at most one fragment of it goes in a turn, and small ones
 * have a share of every turn; never more than half of what the receiver allows is unfinished.
 */
export class OutgoingQueue {
  readonly #urgent: Source = new BoundedQueue(LANE_COUNT_MAX);
  readonly #small: Source = new BoundedQueue(LANE_COUNT_MAX);
  readonly #streams = new Map<string, Source>();
  /** Streams and large messages that have something to send, each once, in turn. */
  readonly #turns: BoundedQueue<Source> = new BoundedQueue(LANE_COUNT_MAX);
  readonly #aborted: OutgoingMessage[] = [];
  #bytes = 0;
  #partialCount = 0;
  #partialBytes = 0;

  /** Bytes that wait, headers included. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#urgent.count + this.#small.count + this.#turns.count + this.#aborted.length === 0;
  }

  /** Adds a message; false when its lane holds too many. The bound on bytes is the caller's. */
  add(message: OutgoingMessage): boolean {
    const added = this.#laneOf(message);
    if (added) this.#bytes += message.chargedBytes;
    return added;
  }

  /**
   * Withdraws a message. True when the receiver will definitely not have all of it; false when the last of its bytes was
   * already handed over.
   */
  cancel(message: OutgoingMessage): boolean {
    if (message.state === "handed over") return false;
    if (message.state === "cancelled") return true;
    if (message.state === "begun") {
      this.#aborted.push(message);
      this.#endPartial(message);
    }
    this.#bytes -= message.chargedBytes - message.handedBytes;
    message.state = "cancelled";
    message.release();
    return true;
  }

  /**
   * Writes frames until `writer` holds about `bytesMax` bytes, or nothing more may go. Streams and large messages wait
   * once it holds `turnBytesMax`.
   */
  writeInto(writer: FrameWriter, bytesMax: number, turnBytesMax: number = bytesMax): void {
    for (const message of this.#aborted.splice(0)) {
      writer.frame({ type: message.type, id: message.id, flags: FLAG.aborted, shardBytes: 0 }, []);
    }
    while (writer.bytes < bytesMax) {
      const before = writer.bytes;
      this.#writeSome(this.#urgent, writer, before + LIMITS.peerFragmentBytes);
      this.#writeSome(this.#small, writer, writer.bytes + LIMITS.peerFragmentBytes);
      if (writer.bytes < turnBytesMax) this.#takeTurn(writer);
      if (writer.bytes === before) return;
    }
  }

  /** Writes what goes before everything else, and nothing else: all that is allowed before the handshake is done. */
  writeUrgentInto(writer: FrameWriter): void {
    this.#writeSome(this.#urgent, writer, Infinity);
  }

  #laneOf(message: OutgoingMessage): boolean {
    if (message.stream !== null) {
      const queue = this.#streams.get(message.stream);
      if (queue !== undefined) return queue.push(message);
      const fresh: Source = new BoundedQueue(LANE_COUNT_MAX);
      fresh.push(message);
      this.#streams.set(message.stream, fresh);
      return this.#turns.push(fresh);
    }
    if (message.type !== FRAME.request && message.type !== FRAME.response) return this.#urgent.push(message);
    if (message.bytes <= LIMITS.peerFragmentBytes) return this.#small.push(message);
    const alone: Source = new BoundedQueue(1);
    alone.push(message);
    return this.#turns.push(alone);
  }

  /** Lets the next stream or large message that may go on do so, for one fragment's worth. */
  #takeTurn(writer: FrameWriter): void {
    for (let left = this.#turns.count; left > 0; left--) {
      const source = this.#turns.take();
      if (source === undefined) return;
      const before = writer.bytes;
      const name = source.peek()?.stream ?? null;
      this.#writeSome(source, writer, before + LIMITS.peerFragmentBytes);
      if (source.count > 0) this.#turns.push(source);
      else if (name !== null) this.#streams.delete(name);
      if (writer.bytes > before) return;
    }
  }

  /** Writes from the head of `source` until `writer` has `untilBytes`, the source is empty, or its head must wait. */
  #writeSome(source: Source, writer: FrameWriter, untilBytes: number): void {
    while (writer.bytes < untilBytes) {
      const message = source.peek();
      if (message === undefined) return;
      if (message.state !== "cancelled" && !this.#writeFrame(message, writer)) return;
      if (message.state !== "begun") source.take();
    }
  }

  /** Writes the next frame of `message`; false when it may not begin yet. */
  #writeFrame(message: OutgoingMessage, writer: FrameWriter): boolean {
    const { type, id, bytes } = message;
    if (bytes <= LIMITS.peerFragmentBytes) {
      writer.frame({ type, id, flags: WHOLE, shardBytes: message.shardBytes }, message.parts);
      message.handedBytes = bytes;
      message.state = "handed over";
      this.#bytes -= message.chargedBytes;
      return true;
    }
    const isFirst = message.state === "waiting";
    if (isFirst && !this.#beginPartial(message)) return false;
    const end = Math.min(bytes, message.handedBytes + LIMITS.peerFragmentBytes);
    const parts = message.slice(message.handedBytes, end);
    const isLast = end === bytes;
    const flags = (isFirst ? FLAG.first : 0) | (isLast ? FLAG.last : 0);
    if (isFirst) parts.unshift(lengthPrefix(bytes));
    writer.frame({ type, id, flags, shardBytes: isFirst ? message.shardBytes : 0 }, parts);
    this.#bytes -= end - message.handedBytes;
    message.handedBytes = end;
    if (!isLast) return true;
    message.state = "handed over";
    this.#bytes -= FRAME_HEADER_BYTES;
    this.#endPartial(message);
    return true;
  }

  #beginPartial(message: OutgoingMessage): boolean {
    const fits = this.#partialCount < PARTIAL_COUNT_MAX && this.#partialBytes + message.bytes <= PARTIAL_BYTES_MAX;
    if (!fits && this.#partialCount > 0) return false;
    this.#partialCount++;
    this.#partialBytes += message.bytes;
    message.state = "begun";
    return true;
  }

  #endPartial(message: OutgoingMessage): void {
    this.#partialCount--;
    this.#partialBytes -= message.bytes;
  }
}

function lengthPrefix(bytes: number): Buffer {
  const prefix = Buffer.allocUnsafe(FRAGMENT_TOTAL_BYTES);
  prefix.writeUInt32LE(bytes, 0);
  return prefix;
}
