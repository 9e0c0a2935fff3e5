import { ByteReader, TruncatedError } from "../base/byte-reader.ts";
import { ByteWriter } from "../base/byte-writer.ts";
import { KvError } from "../model/errors.ts";
import { keyOfBinary, type Key } from "../model/key.ts";
import type { Operation, RequestOptions } from "../model/operation.ts";
import type { Epoch } from "../model/position.ts";
import type { PromotionRequest } from "../model/status.ts";
import { parseJsonObject } from "../wire/json-value.ts";
import { decodeOperation, writeOperation } from "../wire/operation-codec.ts";
import { ProtocolError } from "../wire/protocol-error.ts";

/** What one node asks another, in the body of a request between nodes (docs/protocol.md). */
export type PeerCall =
  | {
      readonly kind: "operate";
      readonly shard: string;
      /** How many times the operation has been sent on, this one included. */
      readonly hops: number;
      /** What is left of the client's time. Relative: clocks of nodes differ. */
      readonly leftMs: number;
      /** The highest leadership of the shard that the asker has heard of: nobody serves it by an older one. */
      readonly epoch: Epoch;
      readonly operation: Operation;
      readonly options: RequestOptions;
    }
  /** "How is your member?" */
  | { readonly kind: "status" }
  /** "What does your copy hold of this key?" */
  | { readonly kind: "copy"; readonly key: Key }
  /** "Make your member the leader of its shard." */
  | { readonly kind: "promote"; readonly request: PromotionRequest }
  /** "Where does the SCAN cursor that you gave out under this number go on?" */
  | { readonly kind: "position"; readonly number: number };

const KIND = { operate: 1, status: 2, copy: 3, promote: 4, position: 5 } as const;

/** `u8 kind`, then for an operation `u8 hops · u32 left ms · u32 epoch · u16 length · shard · operation`, else JSON or the key. */
export function encodeCall(call: PeerCall): Buffer {
  const writer = new ByteWriter();
  writer.u8(KIND[call.kind]);
  switch (call.kind) {
    case "operate":
      writer.u8(call.hops);
      writer.u32(Math.max(0, Math.min(0xffff_ffff, Math.ceil(call.leftMs))));
      writer.u32(call.epoch);
      writer.text16(call.shard);
      writeOperation(writer, call.operation, call.options);
      break;
    case "copy":
      writer.binary(call.key);
      break;
    case "promote":
      writer.bytes(Buffer.from(JSON.stringify(call.request), "utf8"));
      break;
    case "position":
      writer.binary(String(call.number));
      break;
    case "status":
      break;
  }
  return writer.view();
}

/** Throws ProtocolError when the bytes make no sense. */
export function decodeCall(body: Buffer): PeerCall {
  try {
    return decode(new ByteReader(body));
  } catch (error) {
    if (error instanceof ProtocolError || !(error instanceof TruncatedError || error instanceof KvError)) throw error;
    throw new ProtocolError(`A request of another node is malformed: ${error.message}`);
  }
}

function decode(reader: ByteReader): PeerCall {
  const kind = reader.u8();
  if (kind === KIND.operate) {
    const hops = reader.u8();
    const leftMs = reader.u32();
    const epoch = reader.u32();
    const shard = reader.text16();
    return { kind: "operate", hops, leftMs, epoch, shard, ...decodeOperation(reader.bytes(reader.remaining)) };
  }
  if (kind === KIND.copy) return { kind: "copy", key: keyOfBinary(reader.binary(reader.remaining)) };
  if (kind === KIND.promote) return { kind: "promote", request: decodePromotion(reader.bytes(reader.remaining)) };
  if (kind === KIND.position) return { kind: "position", number: readNumber(reader.binary(reader.remaining)) };
  if (kind !== KIND.status || reader.remaining > 0) throw new ProtocolError(`Requests of kind ${kind} are not known`);
  return { kind: "status" };
}

function readNumber(text: string): number {
  const number = Number(text);
  if (!/^[0-9]{1,16}$/.test(text) || !Number.isSafeInteger(number)) throw new ProtocolError("A cursor has no number");
  return number;
}

function decodePromotion(bytes: Buffer): PromotionRequest {
  const { shard, node, dryRun, acceptDataLoss, isHandover } = parseJsonObject(bytes);
  if (typeof shard !== "string" || typeof node !== "string") throw new ProtocolError("A promotion names no member");
  if (typeof dryRun !== "boolean" || typeof acceptDataLoss !== "boolean" || typeof isHandover !== "boolean") {
    throw new ProtocolError("A promotion does not say how it is meant");
  }
  return { shard, node, dryRun, acceptDataLoss, isHandover };
}
