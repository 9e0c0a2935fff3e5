import { ByteReader } from "../base/byte-reader.ts";
import { ByteWriter } from "../base/byte-writer.ts";
import { LIMITS } from "../model/limits.ts";
import type { Answerer, Position, Reply, Result, ScanItem } from "../model/operation.ts";
import { ProtocolError } from "./protocol-error.ts";
import {
  decoding,
  readError,
  readFlag,
  readInt64,
  readKey,
  readOptionalRecord,
  readRecord,
  readText8,
  readValue,
  writeError,
  writeInt64,
  writeKey,
  writeOptionalRecord,
  writeRecord,
  writeText8,
  writeValue,
} from "./record-codec.ts";

const KIND = {
  value: 1,
  absent: 2,
  written: 3,
  deleted: 4,
  incremented: 5,
  "not-met": 6,
  cleared: 7,
  batch: 8,
  page: 9,
  failed: 10,
  described: 11,
  resized: 12,
  incrementedFloat: 13,
} as const;
const ROLES = ["leader", "replica"] as const;

/** The reply to an operation, as docs/protocol.md lays it out. */
export function encodeReply(reply: Reply): Buffer {
  const writer = new ByteWriter();
  writer.u8(reply.ok ? 1 : 0);
  if (reply.ok) {
    writeAnswerer(writer, reply.answerer);
    writePosition(writer, reply.position);
    writeResult(writer, reply.result);
  } else writeError(writer, reply.error);
  return writer.view();
}

/** Reads what `encodeReply` wrote. Throws ProtocolError. */
export function decodeReply(bytes: Buffer): Reply {
  return decoding("A reply", () => {
    const reader = new ByteReader(bytes);
    const reply = readReply(reader);
    if (reader.remaining > 0) throw new ProtocolError("Bytes follow a reply");
    return reply;
  });
}

function readReply(reader: ByteReader): Reply {
  if (!readFlag(reader)) return { ok: false, error: readError(reader) };
  const answerer = readAnswerer(reader);
  const position = readPosition(reader);
  return { ok: true, answerer, position, result: readResult(reader) };
}

/** `u32 epoch · u32 lineage · u64 sequence`. */
export function writePosition(writer: ByteWriter, position: Position): void {
  writer.u32(position.epoch);
  writer.u32(position.lineage);
  writer.u64(position.sequence);
}

export function readPosition(reader: ByteReader): Position {
  return { epoch: reader.u32(), lineage: reader.u32(), sequence: reader.u64() };
}

/** `u8 length · shard · u8 length · node · u8 role · f64 lag in ms`. */
function writeAnswerer(writer: ByteWriter, answerer: Answerer): void {
  writeText8(writer, answerer.shard);
  writeText8(writer, answerer.node);
  writer.u8(ROLES.indexOf(answerer.role));
  writer.f64(answerer.lagMs);
}

function readAnswerer(reader: ByteReader): Answerer {
  const shard = readText8(reader);
  const node = readText8(reader);
  const role = ROLES[reader.u8()];
  const lagMs = reader.f64();
  if (role === undefined) throw new ProtocolError("An answerer has no known role");
  if (Number.isNaN(lagMs) || lagMs < 0) throw new ProtocolError(`${lagMs} is not a lag`);
  return { shard, node, role, lagMs };
}

/** `u8 kind`, then by kind as docs/protocol.md lays it out. */
export function writeResult(writer: ByteWriter, result: Result): void {
  writer.u8(KIND[result.kind]);
  switch (result.kind) {
    case "value":
      writeRecord(writer, result.record);
      break;
    case "written":
      writer.u64(result.version);
      writer.u8(result.created ? 1 : 0);
      writeOptionalRecord(writer, result.old);
      break;
    case "deleted":
      writer.u64(result.version);
      break;
    case "incremented":
      writeInt64(writer, result.value);
      writer.u64(result.version);
      break;
    case "described":
      writer.u32(result.length);
      writer.u64(result.version);
      writer.u64(result.expiryMs);
      break;
    case "resized":
      writer.u32(result.length);
      writer.u64(result.version);
      break;
    case "incrementedFloat":
      writer.text16(result.text);
      writer.u64(result.version);
      break;
    case "not-met":
      writeOptionalRecord(writer, result.old);
      break;
    case "batch":
      writer.u16(result.results.length);
      for (const single of result.results) writeResult(writer, single);
      break;
    case "page":
      writePage(writer, result);
      break;
    case "failed":
      writeError(writer, result.error);
      break;
    case "absent":
    case "cleared":
  }
}

/** Reads what `writeResult` wrote. Throws ProtocolError, or TruncatedError where the bytes end too soon. */
export function readResult(reader: ByteReader): Result {
  const kind = reader.u8();
  if (kind === KIND.batch) return { kind: "batch", results: readResults(reader) };
  if (kind === KIND.page) return readPage(reader);
  if (kind === KIND.cleared) return { kind: "cleared" };
  return readKeyResult(kind, reader);
}

/** The result of an operation on one key: alone, or in a batch. */
function readKeyResult(kind: number, reader: ByteReader): Result {
  switch (kind) {
    case KIND.value:
      return { kind: "value", record: readRecord(reader) };
    case KIND.absent:
      return { kind: "absent" };
    case KIND.written:
      return { kind: "written", version: reader.u64(), created: readFlag(reader), old: readOptionalRecord(reader) };
    case KIND.deleted:
      return { kind: "deleted", version: reader.u64() };
    case KIND.incremented:
      return { kind: "incremented", value: readInt64(reader), version: reader.u64() };
    case KIND.described:
      return { kind: "described", length: reader.u32(), version: reader.u64(), expiryMs: reader.u64() };
    case KIND.resized:
      return { kind: "resized", length: reader.u32(), version: reader.u64() };
    case KIND.incrementedFloat:
      return { kind: "incrementedFloat", text: reader.text16(), version: reader.u64() };
    case KIND["not-met"]:
      return { kind: "not-met", old: readOptionalRecord(reader) };
    case KIND.failed:
      return { kind: "failed", error: readError(reader) };
    default:
      throw new ProtocolError(`Result kind ${kind} is not known here`);
  }
}

function readResults(reader: ByteReader): Result[] {
  const count = reader.u16();
  const results: Result[] = [];
  for (let i = 0; i < count; i++) results.push(readKeyResult(reader.u8(), reader));
  return results;
}

/** `u8 resume there`, `[resume]`, `u16 count`, then each item: key, `u8 value there`, `[value]`, version, expiry, content type. */
function writePage(writer: ByteWriter, page: Extract<Result, { kind: "page" }>): void {
  writer.u8(page.resume === null ? 0 : 1);
  if (page.resume !== null) writeKey(writer, page.resume);
  writer.u16(page.items.length);
  for (const item of page.items) {
    writeKey(writer, item.key);
    writer.u8(item.value === null ? 0 : 1);
    if (item.value !== null) writeValue(writer, item.value);
    writer.u64(item.version);
    writer.u64(item.expiryMs);
    writeText8(writer, item.contentType);
  }
}

function readPage(reader: ByteReader): Result {
  const resume = readFlag(reader) ? readKey(reader) : null;
  const count = reader.u16();
  if (count > LIMITS.scanRowsMax) throw new ProtocolError(`A page of ${count} rows`);
  const items: ScanItem[] = [];
  for (let i = 0; i < count; i++) {
    items.push({
      key: readKey(reader),
      value: readFlag(reader) ? readValue(reader) : null,
      version: reader.u64(),
      expiryMs: reader.u64(),
      contentType: readText8(reader),
    });
  }
  return { kind: "page", items, resume };
}
