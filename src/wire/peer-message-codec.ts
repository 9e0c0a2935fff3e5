import { isUtf8 } from "node:buffer";
import { assert } from "../base/assert.ts";
import { LIMITS } from "../model/limits.ts";
import { FRAME } from "./frame.ts";
import { parseJson } from "./json-value.ts";
import type { WireMessage } from "./message-assembler.ts";
import { OutgoingMessage } from "./outgoing-queue.ts";
import type { PeerMessage } from "./peer-network.ts";
import { ProtocolError } from "./protocol-error.ts";

const TYPE_PATTERN = /^[A-Z_]{1,32}$/;

/**
 * Lays a message out: `shard name · u8 type length · type · u32 header length · header (JSON) · body`. The length of the
 * shard's name stands in the frame's header. The body is not copied.
 */
export function encodePeerMessage(message: PeerMessage, id: number): OutgoingMessage {
  const shardBytes = Buffer.byteLength(message.shard);
  assert(TYPE_PATTERN.test(message.type), "a message's type is 1 to 32 of A-Z and _");
  assert(shardBytes <= 255, "a shard's name has at most 255 bytes");
  const json = JSON.stringify(message.header) ?? "null";
  const jsonBytes = Buffer.byteLength(json);
  assert(jsonBytes <= LIMITS.peerHeaderBytesMax, "a message's JSON header is within its limit");
  const prefix = Buffer.allocUnsafe(shardBytes + 1 + message.type.length + 4 + jsonBytes);
  let at = prefix.write(message.shard, 0, "utf8");
  prefix[at++] = message.type.length;
  at += prefix.write(message.type, at, "latin1");
  at = prefix.writeUInt32LE(jsonBytes, at);
  prefix.write(json, at, "utf8");
  assert(prefix.length + message.body.length <= LIMITS.messageBytesMax, "a message is within its limit");
  return new OutgoingMessage({
    type: FRAME.message,
    id,
    stream: message.shard,
    shardBytes,
    parts: [prefix, message.body],
  });
}

/** Reads what `encodePeerMessage` laid out; the body is a view. Throws ProtocolError. */
export function decodePeerMessage(message: WireMessage): PeerMessage {
  const { payload, shardBytes } = message;
  const typeAt = shardBytes + 1;
  const typeBytes = payload[shardBytes] ?? 0;
  const headerAt = typeAt + typeBytes + 4;
  if (typeBytes === 0 || headerAt > payload.length) throw new ProtocolError("A message ends within its type");
  const type = payload.toString("latin1", typeAt, typeAt + typeBytes);
  if (!TYPE_PATTERN.test(type)) throw new ProtocolError("A message's type is malformed");
  const headerBytes = payload.readUInt32LE(headerAt - 4);
  if (headerBytes > LIMITS.peerHeaderBytesMax) throw new ProtocolError(`A header has ${headerBytes} bytes`);
  if (headerAt + headerBytes > payload.length) throw new ProtocolError("A message ends within its header");
  const shard = payload.subarray(0, shardBytes);
  if (!isUtf8(shard)) throw new ProtocolError("A shard's name is not UTF-8");
  return {
    type,
    shard: shard.toString("utf8"),
    header: parseJson(payload.subarray(headerAt, headerAt + headerBytes)),
    body: payload.subarray(headerAt + headerBytes),
  };
}
