import { isUtf8 } from "node:buffer";
import { TruncatedError, type ByteReader } from "../base/byte-reader.ts";
import type { ByteWriter } from "../base/byte-writer.ts";
import { ERRORS, errorCodeOfWire, KvError } from "../model/errors.ts";
import { type Key, keyOfBinary } from "../model/key.ts";
import { LIMITS } from "../model/limits.ts";
import type { Record } from "../model/record.ts";
import { parseJsonObject } from "./json-value.ts";
import { ProtocolError } from "./protocol-error.ts";

const MESSAGE_BYTES_MAX = 4096;
const DETAILS_BYTES_MAX = 16_384;

/** Runs a decoder over untrusted bytes: whatever they are, it gives a value or throws ProtocolError. */
export function decoding<Value>(what: string, decode: () => Value): Value {
  try {
    return decode();
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    if (error instanceof TruncatedError || error instanceof KvError) {
      throw new ProtocolError(`${what} is malformed: ${error.message}`);
    }
    throw error;
  }
}

export function writeKey(writer: ByteWriter, key: Key): void {
  writer.u16(key.length);
  writer.binary(key);
}

export function readKey(reader: ByteReader): Key {
  return keyOfBinary(reader.binary(reader.u16()));
}

export function writeValue(writer: ByteWriter, value: Buffer): void {
  writer.u32(value.length);
  writer.bytes(value);
}

export function readValue(reader: ByteReader): Buffer {
  const byteCount = reader.u32();
  if (byteCount > LIMITS.valueBytesMax) throw new ProtocolError(`A value cannot have ${byteCount} bytes`);
  return ownBytes(reader.bytes(byteCount));
}

/** Values live on in memory. A small part of what was read from a socket must not keep all of it alive. */
function ownBytes(view: Buffer): Buffer {
  return view.length * 2 < view.buffer.byteLength ? Buffer.from(view) : view;
}

/** At most 255 bytes of UTF-8. */
export function writeText8(writer: ByteWriter, text: string): void {
  const bytes = Buffer.from(text, "utf8");
  writer.u8(bytes.length);
  writer.bytes(bytes);
}

export function readText8(reader: ByteReader): string {
  return readText(reader, reader.u8());
}

/** A signed 64-bit number. */
export function writeInt64(writer: ByteWriter, value: bigint): void {
  writer.u32(Number(BigInt.asUintN(32, value)));
  writer.u32(Number(BigInt.asUintN(32, value >> 32n)));
}

export function readInt64(reader: ByteReader): bigint {
  const low = BigInt(reader.u32());
  return BigInt.asIntN(64, (BigInt(reader.u32()) << 32n) | low);
}

/** A byte that is 0 or 1. */
export function readFlag(reader: ByteReader): boolean {
  const flag = reader.u8();
  if (flag > 1) throw new ProtocolError(`${flag} is neither true nor false`);
  return flag === 1;
}

/** A byte that is an index into `choices`. */
export function readOne<Choice>(reader: ByteReader, choices: readonly Choice[]): Choice {
  const index = reader.u8();
  const choice = choices[index];
  if (choice === undefined) throw new ProtocolError(`Choice ${index} is not known`);
  return choice;
}

/** `u32 length · value · u64 version · u64 expiry · u8 length · content type`. */
export function writeRecord(writer: ByteWriter, record: Record): void {
  writeValue(writer, record.value);
  writer.u64(record.version);
  writer.u64(record.expiryMs);
  writeText8(writer, record.contentType);
}

export function readRecord(reader: ByteReader): Record {
  return {
    value: readValue(reader),
    version: reader.u64(),
    expiryMs: reader.u64(),
    contentType: readText8(reader),
  };
}

export function writeOptionalRecord(writer: ByteWriter, record: Record | null): void {
  writer.u8(record === null ? 0 : 1);
  if (record !== null) writeRecord(writer, record);
}

export function readOptionalRecord(reader: ByteReader): Record | null {
  return readFlag(reader) ? readRecord(reader) : null;
}

/** `u16 number · u16 length · message · u16 length · details (JSON object)`. Details too large to travel are left out. */
export function writeError(writer: ByteWriter, error: KvError): void {
  writer.u16(ERRORS[error.code].wire);
  const message = Buffer.from(error.message.slice(0, MESSAGE_BYTES_MAX / 4), "utf8");
  writer.u16(message.length);
  writer.bytes(message);
  const details = Buffer.from(JSON.stringify(error.details, bigIntAsText), "utf8");
  const travels = details.length <= DETAILS_BYTES_MAX ? details : Buffer.from("{}");
  writer.u16(travels.length);
  writer.bytes(travels);
}

function bigIntAsText(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

/** The number of an error that only a newer version has means INTERNAL, whose outcome is unknown. */
export function readError(reader: ByteReader): KvError {
  const code = errorCodeOfWire(reader.u16());
  const messageBytes = reader.u16();
  if (messageBytes > MESSAGE_BYTES_MAX) throw new ProtocolError(`A message has ${messageBytes} bytes`);
  const message = readText(reader, messageBytes);
  const detailsBytes = reader.u16();
  if (detailsBytes > DETAILS_BYTES_MAX) throw new ProtocolError(`Details have ${detailsBytes} bytes`);
  return new KvError(code, message, { details: parseJsonObject(reader.bytes(detailsBytes)) });
}

function readText(reader: ByteReader, byteCount: number): string {
  const bytes = reader.bytes(byteCount);
  if (!isUtf8(bytes)) throw new ProtocolError("A text is not UTF-8");
  return bytes.toString("utf8");
}
