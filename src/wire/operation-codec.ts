import { ByteReader } from "../base/byte-reader.ts";
import { ByteWriter } from "../base/byte-writer.ts";
import { LIMITS } from "../model/limits.ts";
import type {
  Condition,
  Expiry,
  KeyOperation,
  Operation,
  RequestOptions,
  ScanOperation,
  SetOperation,
} from "../model/operation.ts";
import { ProtocolError } from "./protocol-error.ts";
import {
  decoding,
  readFlag,
  readInt64,
  readKey,
  readText8,
  readValue,
  writeInt64,
  writeKey,
  writeText8,
  writeValue,
} from "./record-codec.ts";

export { decodeReply, encodeReply } from "./reply-codec.ts";

const KIND = { get: 1, set: 2, delete: 3, increment: 4, batch: 5, scan: 6, clear: 7 } as const;
const CONSISTENCIES = ["linearizable", "eventual"] as const;
const DURABILITIES = [null, "async", "in-sync"] as const;
const EXPIRY_KINDS = ["none", "keep", "after", "at"] as const;
const CONDITION_KINDS = [null, "absent", "present", "version"] as const;
const SCAN_REVERSE = 1;
const SCAN_KEYS_ONLY = 2;
/** A bound may be the key after the longest key. */
const BOUND_BYTES_MAX = LIMITS.keyBytesMax + 1;

export interface AskedOperation {
  readonly operation: Operation;
  readonly options: RequestOptions;
}

/** An operation and how it is to be done, as docs/protocol.md lays it out. */
export function encodeOperation(operation: Operation, options: RequestOptions): Buffer {
  const writer = new ByteWriter();
  writeOperation(writer, operation, options);
  return writer.view();
}

/** As `encodeOperation`, behind what `writer` has already. */
export function writeOperation(writer: ByteWriter, operation: Operation, options: RequestOptions): void {
  writer.u8(CONSISTENCIES.indexOf(options.consistency));
  writer.u8(DURABILITIES.indexOf(options.durability));
  writer.u8(KIND[operation.kind]);
  switch (operation.kind) {
    case "batch":
      writer.u16(operation.operations.length);
      for (const single of operation.operations) {
        writer.u8(KIND[single.kind]);
        writeKeyOperation(writer, single);
      }
      break;
    case "scan":
      writeScan(writer, operation);
      break;
    case "clear":
      break;
    default:
      writeKeyOperation(writer, operation);
  }
}

/**
 * Reads what `encodeOperation` wrote, with every limit checked again: another node is not trusted to have done it. Values
 * do not keep `bytes` in memory unless they are most of them. Throws ProtocolError.
 */
export function decodeOperation(bytes: Buffer): AskedOperation {
  return decoding("An operation", () => {
    const reader = new ByteReader(bytes);
    const options = { consistency: readOne(reader, CONSISTENCIES), durability: readOne(reader, DURABILITIES) };
    const operation = readOperation(reader);
    if (reader.remaining > 0) throw new ProtocolError("Bytes follow an operation");
    return { operation, options };
  });
}

function writeKeyOperation(writer: ByteWriter, operation: KeyOperation): void {
  writeKey(writer, operation.key);
  if (operation.kind === "set") writeSet(writer, operation);
  else if (operation.kind === "delete") writeCondition(writer, operation.condition);
  else if (operation.kind === "increment") writeInt64(writer, operation.by);
}

function readOperation(reader: ByteReader): Operation {
  const kind = reader.u8();
  if (kind === KIND.batch) return { kind: "batch", operations: readBatch(reader) };
  if (kind === KIND.scan) return readScan(reader);
  if (kind === KIND.clear) return { kind: "clear" };
  return readKeyOperation(kind, reader);
}

function readKeyOperation(kind: number, reader: ByteReader): KeyOperation {
  const key = readKey(reader);
  if (kind === KIND.get) return { kind: "get", key };
  if (kind === KIND.set) return { kind: "set", key, ...readSet(reader) };
  if (kind === KIND.delete) return { kind: "delete", key, condition: readCondition(reader) };
  if (kind === KIND.increment) return { kind: "increment", key, by: readInt64(reader) };
  throw new ProtocolError(`Operation kind ${kind} is not known`);
}

function readBatch(reader: ByteReader): KeyOperation[] {
  const count = reader.u16();
  if (count === 0 || count > LIMITS.batchOperationsMax) throw new ProtocolError(`A batch of ${count} operations`);
  const operations: KeyOperation[] = [];
  let valueBytes = 0;
  for (let i = 0; i < count; i++) {
    const operation = readKeyOperation(reader.u8(), reader);
    if (operation.kind === "set") valueBytes += operation.value.length;
    operations.push(operation);
  }
  if (valueBytes > LIMITS.batchBytesMax) throw new ProtocolError(`A batch with ${valueBytes} bytes of values`);
  return operations;
}

function writeSet(writer: ByteWriter, set: SetOperation): void {
  writer.u8(set.returnOld ? 1 : 0);
  writeCondition(writer, set.condition);
  writeExpiry(writer, set.expiry);
  writeText8(writer, set.contentType);
  writeValue(writer, set.value);
}

function readSet(reader: ByteReader): Omit<SetOperation, "kind" | "key"> {
  return {
    returnOld: readFlag(reader),
    condition: readCondition(reader),
    expiry: readExpiry(reader),
    contentType: readText8(reader),
    value: readValue(reader),
  };
}

function writeCondition(writer: ByteWriter, condition: Condition | null): void {
  writer.u8(CONDITION_KINDS.indexOf(condition === null ? null : condition.kind));
  if (condition?.kind === "version") writer.u64(condition.version);
}

function readCondition(reader: ByteReader): Condition | null {
  const kind = readOne(reader, CONDITION_KINDS);
  if (kind === null) return null;
  return kind === "version" ? { kind, version: reader.u64() } : { kind };
}

/** Milliseconds are a double: a time in the past is legal, and means that the key is gone. */
function writeExpiry(writer: ByteWriter, expiry: Expiry): void {
  writer.u8(EXPIRY_KINDS.indexOf(expiry.kind));
  if (expiry.kind === "after" || expiry.kind === "at") writer.f64(expiry.ms);
}

function readExpiry(reader: ByteReader): Expiry {
  const kind = readOne(reader, EXPIRY_KINDS);
  if (kind === "none" || kind === "keep") return { kind };
  const ms = reader.f64();
  if (!Number.isSafeInteger(ms) || Object.is(ms, -0)) throw new ProtocolError(`${ms} is not a time in milliseconds`);
  if (kind === "after" && ms > LIMITS.ttlMsMax) throw new ProtocolError(`An expiry after ${ms} ms is too far away`);
  return { kind, ms };
}

function writeScan(writer: ByteWriter, scan: ScanOperation): void {
  writer.u8((scan.reverse ? SCAN_REVERSE : 0) | (scan.keysOnly ? SCAN_KEYS_ONLY : 0));
  writer.u16(scan.start.length);
  writer.binary(scan.start);
  writer.u16(scan.end.length);
  writer.binary(scan.end);
  writer.u32(scan.rowsMax);
  writer.u32(scan.bytesMax);
}

function readScan(reader: ByteReader): ScanOperation {
  const flags = reader.u8();
  if (flags > (SCAN_REVERSE | SCAN_KEYS_ONLY)) throw new ProtocolError(`Scan flags ${flags} are not known`);
  const start = readBound(reader);
  const end = readBound(reader);
  const rowsMax = reader.u32();
  const bytesMax = reader.u32();
  if (rowsMax === 0 || rowsMax > LIMITS.scanRowsMax) throw new ProtocolError(`A page of ${rowsMax} rows`);
  if (bytesMax === 0 || bytesMax > LIMITS.scanPageBytesMax) throw new ProtocolError(`A page of ${bytesMax} bytes`);
  const reverse = (flags & SCAN_REVERSE) !== 0;
  return { kind: "scan", start, end, reverse, keysOnly: (flags & SCAN_KEYS_ONLY) !== 0, rowsMax, bytesMax };
}

function readBound(reader: ByteReader): string {
  const byteCount = reader.u16();
  if (byteCount > BOUND_BYTES_MAX) throw new ProtocolError(`A scan's bound has ${byteCount} bytes`);
  return reader.binary(byteCount);
}

/** A byte that is an index into `choices`. */
function readOne<Choice>(reader: ByteReader, choices: readonly Choice[]): Choice {
  const index = reader.u8();
  const choice = choices[index];
  if (choice === undefined) throw new ProtocolError(`Choice ${index} is not known`);
  return choice;
}
