import { crc32, crc32OfBinary } from "../base/crc32.ts";
import { mutant } from "../base/mutants.ts";
import { KvError } from "../model/errors.ts";
import { keyForPeople } from "../model/key.ts";
import type { Record } from "../model/record.ts";

/*
 * How a row's record is stored, little-endian:
 *
 *   u32 crc32 · u8 format · u8 flags · u64 version · [u64 expiry] · [u8 length · content type] · value
 *
 * The checksum covers the row's key and everything behind the checksum, so that a record under a wrong key is noticed too.
 */
const FORMAT = 1;
const FLAG_EXPIRY = 1;
const FLAG_CONTENT_TYPE = 2;
const KNOWN_FLAGS = FLAG_EXPIRY | FLAG_CONTENT_TYPE;

const FORMAT_AT = 4;
const FLAGS_AT = 5;
const VERSION_AT = 6;
const OPTIONAL_AT = 14;

/** Encodes `record` as it is stored under `key` (a binary string), into bytes of its own. */
export function encodeRecord(key: string, record: Record): Buffer {
  const { value, version, expiryMs, contentType } = record;
  const contentTypeBytes = contentType === "" ? 0 : 1 + Buffer.byteLength(contentType);
  const bytes = Buffer.allocUnsafe(OPTIONAL_AT + (expiryMs === 0 ? 0 : 8) + contentTypeBytes + value.length);
  bytes[FORMAT_AT] = FORMAT;
  bytes[FLAGS_AT] = (expiryMs === 0 ? 0 : FLAG_EXPIRY) | (contentTypeBytes === 0 ? 0 : FLAG_CONTENT_TYPE);
  writeU64(bytes, version, VERSION_AT);
  let at = OPTIONAL_AT;
  if (expiryMs !== 0) {
    writeU64(bytes, expiryMs, at);
    at += 8;
  }
  if (contentTypeBytes !== 0) {
    bytes[at] = contentTypeBytes - 1;
    at += 1 + bytes.write(contentType, at + 1, "utf8");
  }
  bytes.set(value, at);
  bytes.writeUInt32LE(checksumOf(key, bytes), 0);
  return bytes;
}

/**
 * Decodes what is stored under `key`; the value is a view into `bytes`. Throws KvError CORRUPT, naming the key, when the
 * checksum is wrong (rule S5), and UNKNOWN_FORMAT when a newer version wrote the record.
 */
export function decodeRecord(key: string, bytes: Buffer): Record {
  if (!isIntact(key, bytes)) throw corrupt(key);
  const format = bytes[FORMAT_AT];
  const flags = bytes[FLAGS_AT] ?? 0;
  if (format !== FORMAT || (flags & ~KNOWN_FLAGS) !== 0) {
    throw new KvError(
      "UNKNOWN_FORMAT",
      `The record of key ${keyForPeople(key)} has format ${format} and flags ${flags}, which this version does not understand`,
    );
  }
  let at = OPTIONAL_AT;
  let expiryMs = 0;
  if ((flags & FLAG_EXPIRY) !== 0) {
    expiryMs = readU64(bytes, at);
    at += 8;
  }
  let contentType = "";
  if ((flags & FLAG_CONTENT_TYPE) !== 0) {
    const end = at + 1 + (bytes[at] ?? 0);
    contentType = bytes.toString("utf8", at + 1, end);
    at = end;
  }
  return { value: bytes.subarray(at), version: readU64(bytes, VERSION_AT), expiryMs, contentType };
}

/** Whether `bytes` are a whole record that was stored under `key`, as far as the checksum can tell. */
export function isIntact(key: string, bytes: Buffer): boolean {
  if (bytes.length < OPTIONAL_AT) return false;
  return mutant("M68") || bytes.readUInt32LE(0) === checksumOf(key, bytes);
}

/** The expiry in a stored record, 0 for none, without looking at anything else; 0 also for bytes that are no record. */
export function storedExpiryMs(bytes: Buffer): number {
  if (bytes.length < OPTIONAL_AT + 8 || ((bytes[FLAGS_AT] ?? 0) & FLAG_EXPIRY) === 0) return 0;
  return readU64(bytes, OPTIONAL_AT);
}

export function corrupt(key: string): KvError {
  const name = keyForPeople(key);
  return new KvError("CORRUPT", `The stored record of key ${name} fails its checksum`, { details: { key: name } });
}

function checksumOf(key: string, bytes: Buffer): number {
  return crc32(bytes, crc32OfBinary(key), FORMAT_AT);
}

function writeU64(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32LE(value % 0x1_0000_0000, at);
  bytes.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4);
}

function readU64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at + 4) * 0x1_0000_0000 + bytes.readUInt32LE(at);
}
