import { crc32 } from "../base/crc32.ts";
import { ByteReader, TruncatedError } from "../base/byte-reader.ts";
import { ByteWriter } from "../base/byte-writer.ts";
import type { Epoch, EpochRef, Sequence, StoreRef } from "./position.ts";
import { assert } from "../base/assert.ts";

/** Which table a row belongs to. */
export const SPACE = { user: 0, requestIds: 1, shardState: 2 } as const;
export type Space = (typeof SPACE)[keyof typeof SPACE];

/** A final set (value given) or delete (value null) of one row; never "increment" (D6). `key` is a binary string. */
export interface Mutation {
  readonly space: Space;
  readonly key: string;
  readonly value: Buffer | null;
  readonly expiryMs: number;
  readonly contentType: string;
}

/** What an entry carries. */
export type EntryBody =
  | { readonly kind: "data"; readonly mutations: readonly Mutation[] }
  | { readonly kind: "epochStart"; readonly start: EpochStart }
  /** Removes all user keys up to its own sequence. */
  | { readonly kind: "clear" }
  | { readonly kind: "noop" };

/** The first entry of a leadership (rule G5). */
export interface EpochStart {
  readonly term: string;
  readonly previous: EpochRef;
  readonly versionBase: number;
  /** How many promotions so far may have lost data. */
  readonly lineage: number;
  readonly inSync: readonly StoreRef[];
}

/** One client request: the atomic unit of the log. `timestampMs` is on the leader's log clock. */
export interface Entry {
  readonly epoch: Epoch;
  readonly sequence: Sequence;
  readonly timestampMs: number;
  readonly body: EntryBody;
}

/** `u32 length · u32 crc32 · u32 epoch · u64 sequence · u64 timestamp · u8 kind`, then the body; little-endian. */
export const ENTRY_HEADER_BYTES = 29;
/** Larger than any legal entry: a full batch with its overhead. */
export const ENTRY_BYTES_MAX: number = 20 * 1024 * 1024;

const KIND = { data: 1, epochStart: 2, clear: 3, noop: 4 } as const;
const FLAG_DELETE = 1;
const FLAG_EXPIRY = 2;
const FLAG_CONTENT_TYPE = 4;
const KNOWN_FLAGS = FLAG_DELETE | FLAG_EXPIRY | FLAG_CONTENT_TYPE;

/** The bytes are not an entry: damaged, cut off, or written by a newer version. */
export class EntryFormatError extends Error {
  override readonly name: string = "EntryFormatError";
}

/** What stands in an entry's header, read without looking at the body. */
export interface EntryHeader {
  readonly lengthBytes: number;
  readonly epoch: Epoch;
  readonly sequence: Sequence;
  readonly timestampMs: number;
}

/** Encodes an entry, checksum included, into bytes of its own. */
export function encodeEntry(entry: Entry): Buffer {
  const buffer = Buffer.allocUnsafe(entryLength(entry));
  writeEntry(entry, buffer, { at: 0, length: buffer.length });
  return buffer;
}

/** Bytes that an entry takes when it is encoded. */
export function entryLength(entry: Entry): number {
  return ENTRY_HEADER_BYTES + bodyLength(entry.body);
}

/** Encodes an entry, checksum included, into `buffer`, which must have room. `length` is its `entryLength`. */
export function writeEntry(
  entry: Entry,
  buffer: Buffer,
  { at, length }: { readonly at: number; readonly length: number },
): void {
  buffer.writeUInt32LE(length, at);
  buffer.writeUInt32LE(entry.epoch, at + 8);
  writeU64(buffer, entry.sequence, at + 12);
  writeU64(buffer, entry.timestampMs, at + 20);
  buffer[at + 28] = KIND[entry.body.kind];
  const bodyAt = at + ENTRY_HEADER_BYTES;
  if (entry.body.kind === "data") writeMutations(buffer, bodyAt, entry.body.mutations);
  else if (entry.body.kind === "epochStart") encodeEpochStart(entry.body.start).copy(buffer, bodyAt);
  buffer.writeUInt32LE(crc32(buffer, 0, at + 8, at + length), at + 4);
}

/**
 * The whole length of the entry that starts at `offset`, or null when fewer than four bytes are there.
 * Throws EntryFormatError when the length cannot be one of an entry.
 */
export function entryLengthAt(buffer: Buffer, offset: number): number | null {
  if (buffer.length - offset < 4) return null;
  const length = buffer.readUInt32LE(offset);
  if (length < ENTRY_HEADER_BYTES || length > ENTRY_BYTES_MAX) {
    throw new EntryFormatError(`An entry cannot be ${length} bytes long`);
  }
  return length;
}

/** Reads the header of the entry at `offset`. Throws EntryFormatError when length or (unless `checked`) checksum is wrong. */
export function readEntryHeader(buffer: Buffer, offset: number, checked = false): EntryHeader {
  const length = entryLengthAt(buffer, offset);
  if (length === null || offset + length > buffer.length) throw new EntryFormatError("The entry is cut off");
  if (!checked && crc32(buffer, 0, offset + 8, offset + length) !== buffer.readUInt32LE(offset + 4)) {
    throw new EntryFormatError("The entry's checksum is wrong");
  }
  return {
    lengthBytes: length,
    epoch: buffer.readUInt32LE(offset + 8),
    sequence: readU64(buffer, offset + 12),
    timestampMs: readU64(buffer, offset + 20),
  };
}

/**
 * Decodes the entry at `offset`; its checksum is looked at unless `checked`. Values are views into `buffer`. Throws
 * EntryFormatError.
 */
export function decodeEntry(buffer: Buffer, offset = 0, checked = false): Entry & { readonly lengthBytes: number } {
  const header = readEntryHeader(buffer, offset, checked);
  const reader = new ByteReader(buffer, offset + ENTRY_HEADER_BYTES, offset + header.lengthBytes);
  try {
    const { lengthBytes, epoch, sequence, timestampMs } = header;
    return { lengthBytes, epoch, sequence, timestampMs, body: decodeBody(buffer[offset + 28] ?? 0, reader) };
  } catch (error) {
    if (error instanceof TruncatedError) throw new EntryFormatError(`The entry's body is malformed: ${error.message}`);
    throw error;
  }
}

function decodeBody(kind: number, reader: ByteReader): EntryBody {
  if (kind === KIND.data) return { kind: "data", mutations: decodeMutations(reader) };
  if (kind === KIND.epochStart) return { kind: "epochStart", start: decodeEpochStart(reader) };
  if (reader.remaining !== 0) throw new EntryFormatError(`Entry kind ${kind} has no body, but bytes follow`);
  if (kind === KIND.clear) return { kind: "clear" };
  if (kind === KIND.noop) return { kind: "noop" };
  throw new EntryFormatError(`Entry kind ${kind} is not known to this version`);
}

function bodyLength(body: EntryBody): number {
  if (body.kind === "epochStart") return encodeEpochStart(body.start).length;
  if (body.kind !== "data") return 0;
  let length = 0;
  for (const mutation of body.mutations) {
    length += 4 + mutation.key.length;
    if (mutation.value === null) continue;
    length += 4 + mutation.value.length;
    if (mutation.expiryMs !== 0) length += 8;
    if (mutation.contentType !== "") length += 1 + Buffer.byteLength(mutation.contentType);
  }
  return length;
}

/** Each mutation: `u8 space · u8 flags · u16 key length · key · [u64 expiry] · [u8 length · content type] · u32 length · value`. */
function writeMutations(buffer: Buffer, start: number, mutations: readonly Mutation[]): void {
  let at = start;
  for (const mutation of mutations) {
    const { key, value, expiryMs, contentType } = mutation;
    assert(key.length > 0 && key.length <= 0xffff, "a row's key has 1 to 65,535 bytes");
    const flags =
      value === null ? FLAG_DELETE : (expiryMs === 0 ? 0 : FLAG_EXPIRY) | (contentType === "" ? 0 : FLAG_CONTENT_TYPE);
    buffer[at] = mutation.space;
    buffer[at + 1] = flags;
    buffer.writeUInt16LE(key.length, at + 2);
    at += 4 + buffer.write(key, at + 4, "latin1");
    if (value === null) continue;
    if (expiryMs !== 0) at = writeU64(buffer, expiryMs, at);
    if (contentType !== "") {
      const length = buffer.write(contentType, at + 1, "utf8");
      assert(length <= 0xff, "a content type has at most 255 bytes");
      buffer[at] = length;
      at += 1 + length;
    }
    at = buffer.writeUInt32LE(value.length, at);
    buffer.set(value, at);
    at += value.length;
  }
}

function decodeMutations(reader: ByteReader): Mutation[] {
  const mutations: Mutation[] = [];
  while (reader.remaining > 0) {
    const space = reader.u8();
    if (space !== SPACE.user && space !== SPACE.requestIds && space !== SPACE.shardState) {
      throw new EntryFormatError(`Space ${space} is not known to this version`);
    }
    const flags = reader.u8();
    if ((flags & ~KNOWN_FLAGS) !== 0) {
      throw new EntryFormatError(`Mutation flags ${flags} are not known to this version`);
    }
    const key = reader.binary(reader.u16());
    if (key === "") throw new EntryFormatError("A mutation has an empty key");
    if ((flags & FLAG_DELETE) !== 0) {
      mutations.push({ space, key, value: null, expiryMs: 0, contentType: "" });
      continue;
    }
    const expiryMs = (flags & FLAG_EXPIRY) === 0 ? 0 : reader.u64();
    const contentType = (flags & FLAG_CONTENT_TYPE) === 0 ? "" : reader.bytes(reader.u8()).toString("utf8");
    mutations.push({ space, key, value: reader.bytes(reader.u32()), expiryMs, contentType });
  }
  return mutations;
}

function encodeEpochStart(start: EpochStart): Buffer {
  const writer = new ByteWriter();
  writer.hex64(start.term);
  writer.u32(start.previous.epoch);
  writer.hex64(start.previous.term);
  writer.u64(start.versionBase);
  writer.u32(start.lineage);
  writer.u16(start.inSync.length);
  for (const member of start.inSync) {
    writer.text16(member.node);
    writer.text16(member.store);
    writer.u32(member.generation);
  }
  return writer.finish();
}

function decodeEpochStart(reader: ByteReader): EpochStart {
  const term = reader.hex64();
  const previous = { epoch: reader.u32(), term: reader.hex64() };
  const versionBase = reader.u64();
  const lineage = reader.u32();
  const inSync: StoreRef[] = [];
  for (let left = reader.u16(); left > 0; left--) {
    inSync.push({ node: reader.text16(), store: reader.text16(), generation: reader.u32() });
  }
  if (reader.remaining !== 0) throw new EntryFormatError("Bytes follow the start of an epoch");
  return { term, previous, versionBase, lineage, inSync };
}

function writeU64(buffer: Buffer, value: number, at: number): number {
  buffer.writeUInt32LE(value % 0x1_0000_0000, at);
  return buffer.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4);
}

function readU64(buffer: Buffer, at: number): number {
  const high = buffer.readUInt32LE(at + 4);
  if (high > 0x1f_ffff) throw new EntryFormatError(`The number at byte ${at} exceeds 2^53 - 1`);
  return high * 0x1_0000_0000 + buffer.readUInt32LE(at);
}
