import { ByteReader, TruncatedError } from "../base/byte-reader.ts";
import { ByteWriter } from "../base/byte-writer.ts";
import { crc32 } from "../base/crc32.ts";
import { KvError } from "../model/errors.ts";
import type { Sequence } from "../model/position.ts";
import type { BatchMarks, EpochMark } from "./log.ts";

/** Raised when a file of the log is laid out differently; an older program refuses a newer format. */
const LOG_FORMAT_VERSION = 1;

/** `u32 length · u32 crc32 · u64 flushedSequence · u64 commitSequence` before the entries of one write. */
export const BATCH_HEADER_BYTES = 24;

/** The first bytes of every segment. */
const MAGIC = Buffer.from("KVLOGSEG", "latin1");
const FIXED_BYTES = 52;
const EPOCH_BYTES = 32;
/** Behind the second copy of the header: its length, to find it from the file's end. */
const TRAILER_BYTES = 4;
const SEQUENCE_DIGITS = 16;

/** What stands at both ends of a segment. */
export interface SegmentHeader {
  /** Raised by every restart of the log (§2.12): of files with different generations, the highest are the log. */
  readonly generation: number;
  /** Random; every batch header's checksum starts from it, so that no client's value can imitate one. */
  readonly salt: number;
  readonly firstSequence: Sequence;
  /** Of segments that begin with the same sequence the highest attempt counts: one that took no entry was replaced. */
  readonly attempt: number;
  /** Of the file as it was made; it may have been cut since, by an interrupted truncation. */
  readonly sizeBytes: number;
  /** All leaderships that began before this segment. */
  readonly epochs: readonly EpochMark[];
}

/** A decoded batch header. */
export interface BatchHeader extends BatchMarks {
  /** Bytes of entries behind the header, those lost to a cut included. */
  readonly lengthBytes: number;
}

/** Bytes of one copy of a header that names `epochCount` leaderships. */
function segmentHeaderBytes(epochCount: number): number {
  return FIXED_BYTES + epochCount * EPOCH_BYTES;
}

/** Bytes of a segment that are not for batches. */
export function segmentOverheadBytes(epochCount: number): number {
  return 2 * segmentHeaderBytes(epochCount) + TRAILER_BYTES;
}

/** Where the first batch of a segment begins. */
export function batchesStart(header: SegmentHeader): number {
  return segmentHeaderBytes(header.epochs.length);
}

/** Where the room for batches ends: the second copy of the header stands behind it. */
export function batchesEnd(header: SegmentHeader): number {
  return header.sizeBytes - TRAILER_BYTES - segmentHeaderBytes(header.epochs.length);
}

/** `magic · u32 format · u32 length · u32 generation · u32 salt · u64 first · u64 size · u32 count · u32 attempt · epochs · u32 crc32`. */
export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const writer = new ByteWriter(segmentHeaderBytes(header.epochs.length));
  writer.bytes(MAGIC);
  writer.u32(LOG_FORMAT_VERSION);
  writer.u32(segmentHeaderBytes(header.epochs.length));
  writer.u32(header.generation);
  writer.u32(header.salt);
  writer.u64(header.firstSequence);
  writer.u64(header.sizeBytes);
  writer.u32(header.epochs.length);
  writer.u32(header.attempt);
  for (const mark of header.epochs) {
    writer.u32(mark.epoch);
    writer.hex64(mark.term);
    writer.u64(mark.firstSequence);
    writer.u64(mark.versionBase);
    writer.u32(mark.lineage);
  }
  writer.u32(crc32(writer.view()));
  return writer.finish();
}

/** The copy of the header that ends the file: the same bytes, then their length. */
export function encodeSegmentTrailer(header: SegmentHeader): Buffer {
  const copy = encodeSegmentHeader(header);
  const length = Buffer.allocUnsafe(TRAILER_BYTES);
  length.writeUInt32LE(copy.length, 0);
  return Buffer.concat([copy, length]);
}

/** Where the header's copy begins, told by the last bytes of a file; null when they cannot be right. */
export function trailerStart(lastBytes: Buffer, sizeBytes: number): number | null {
  if (lastBytes.length !== TRAILER_BYTES) return null;
  const start = sizeBytes - TRAILER_BYTES - lastBytes.readUInt32LE(0);
  return start > 0 && start < sizeBytes ? start : null;
}

/** How long the header announced by the first `FIXED_BYTES` says it is; null when they are not of a header. */
export function announcedHeaderBytes(start: Buffer): number | null {
  if (start.length < FIXED_BYTES || !start.subarray(0, MAGIC.length).equals(MAGIC)) return null;
  const length = start.readUInt32LE(12);
  return length >= FIXED_BYTES && length % EPOCH_BYTES === FIXED_BYTES % EPOCH_BYTES ? length : null;
}

/** Enough of a segment to call `announcedHeaderBytes`. */
export const SEGMENT_HEADER_PROBE_BYTES: number = FIXED_BYTES;

/** Decodes one copy of a header; null when it is damaged. Throws KvError UNKNOWN_FORMAT for one of a newer version. */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | null {
  const end = bytes.length - 4;
  if (end < 0 || crc32(bytes.subarray(0, end)) !== bytes.readUInt32LE(end)) return null;
  const reader = new ByteReader(bytes, MAGIC.length, end);
  try {
    const format = reader.u32();
    if (format !== LOG_FORMAT_VERSION) {
      throw new KvError(
        "UNKNOWN_FORMAT",
        `The log has format ${format}, this program reads format ${LOG_FORMAT_VERSION}`,
      );
    }
    reader.u32();
    const fixed = {
      generation: reader.u32(),
      salt: reader.u32(),
      firstSequence: reader.u64(),
      sizeBytes: reader.u64(),
    };
    const epochCount = reader.u32();
    const attempt = reader.u32();
    const epochs: EpochMark[] = [];
    for (let i = 0; i < epochCount; i++) {
      epochs.push({
        epoch: reader.u32(),
        term: reader.hex64(),
        firstSequence: reader.u64(),
        versionBase: reader.u64(),
        lineage: reader.u32(),
      });
    }
    return reader.remaining === 0 ? { ...fixed, attempt, epochs } : null;
  } catch (error) {
    if (error instanceof TruncatedError) return null;
    throw error;
  }
}

/** Writes a batch header into the first bytes of `target`. */
export function writeBatchHeader(target: Buffer, header: BatchHeader, salt: number): void {
  target.writeUInt32LE(header.lengthBytes, 0);
  writeU64(target, header.flushedSequence, 8);
  writeU64(target, header.commitSequence, 16);
  target.writeUInt32LE(batchChecksum(target, 0, salt), 4);
}

/** Reads the batch header at `offset`, or null when its checksum is wrong or its bytes are not all there. */
export function readBatchHeader(buffer: Buffer, offset: number, salt: number): BatchHeader | null {
  if (buffer.length - offset < BATCH_HEADER_BYTES) return null;
  if (buffer.readUInt32LE(offset + 4) !== batchChecksum(buffer, offset, salt)) return null;
  return {
    lengthBytes: buffer.readUInt32LE(offset),
    flushedSequence: readU64(buffer, offset + 8),
    commitSequence: readU64(buffer, offset + 16),
  };
}

/** Covers length and both positions, not the entries: each of those has its own checksum. */
function batchChecksum(buffer: Buffer, offset: number, salt: number): number {
  const start = crc32(buffer.subarray(offset, offset + 4), salt);
  return crc32(buffer.subarray(offset + 8, offset + BATCH_HEADER_BYTES), start);
}

/** `0000000000000001.log`: the name of the segment that begins with `firstSequence`. */
export function segmentName(firstSequence: Sequence): string {
  return `${String(firstSequence).padStart(SEQUENCE_DIGITS, "0")}.log`;
}

/** A segment made before its first sequence is known; `serial` is unique in the life of a process. */
export function preparedName(serial: number): string {
  return `next-${segmentName(serial)}`;
}

/** The only segment of a restarted log, until what it replaces is gone. */
export function restartName(firstSequence: Sequence): string {
  return `restart-${segmentName(firstSequence)}`;
}

/** A segment on its way out: renamed first, so that its name is free again. */
export function trimmedName(firstSequence: Sequence): string {
  return `trimmed-${segmentName(firstSequence)}`;
}

/** What a file of the log's directory is, by its name. */
export function kindOfName(name: string): "segment" | "prepared" | "trimmed" | "other" {
  if (/^\d{16}\.log$/.test(name)) return "segment";
  if (/^(?:next|restart)-\d{16}\.log$/.test(name)) return "prepared";
  if (/^trimmed-\d{16}\.log$/.test(name)) return "trimmed";
  return "other";
}

/** The sequence in a file's name. */
export function sequenceOfName(name: string): Sequence {
  return Number(name.slice(-SEQUENCE_DIGITS - 4, -4));
}

function writeU64(buffer: Buffer, value: number, at: number): void {
  buffer.writeUInt32LE(value % 0x1_0000_0000, at);
  buffer.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4);
}

function readU64(buffer: Buffer, at: number): number {
  return buffer.readUInt32LE(at + 4) * 0x1_0000_0000 + buffer.readUInt32LE(at);
}
