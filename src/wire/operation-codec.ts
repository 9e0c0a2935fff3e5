import { ByteReader } from "../base/byte-reader.ts";
import { ByteWriter } from "../base/byte-writer.ts";
import { LIMITS } from "../model/limits.ts";
import { carriedValueBytes, keyRowBytes } from "../model/operation-size.ts";
import type { Guard, KeyOperation, Operation, RequestOptions, ScanOperation } from "../model/operation.ts";
import { readCondition, readKeyOperation, writeCondition, writeKeyOperation } from "./key-operation-codec.ts";
import { readOptions, writeOptions } from "./options-codec.ts";
import { ProtocolError } from "./protocol-error.ts";
import { decoding, readKey, writeKey } from "./record-codec.ts";

export { decodeReply, encodeReply } from "./reply-codec.ts";

/** The other numbers are those of operations on one key. */
const KIND = { batch: 5, scan: 6, clear: 7, guardedBatch: 8 } as const;
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
  writeOptions(writer, options);
  switch (operation.kind) {
    case "batch":
      writer.u8(operation.guards === undefined ? KIND.batch : KIND.guardedBatch);
      if (operation.guards !== undefined) writeGuards(writer, operation.guards);
      writeBatch(writer, operation.operations);
      break;
    case "scan":
      writer.u8(KIND.scan);
      writeScan(writer, operation);
      break;
    case "clear":
      writer.u8(KIND.clear);
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
    const options = readOptions(reader);
    const operation = readOperation(reader);
    if (reader.remaining > 0) throw new ProtocolError("Bytes follow an operation");
    return { operation, options };
  });
}

function readOperation(reader: ByteReader): Operation {
  const kind = reader.u8();
  if (kind === KIND.batch) return { kind: "batch", operations: readBatch(reader, 1) };
  if (kind === KIND.guardedBatch) {
    return { kind: "batch", guards: readGuards(reader), operations: readBatch(reader, 0) };
  }
  if (kind === KIND.scan) return readScan(reader);
  if (kind === KIND.clear) return { kind: "clear" };
  return readKeyOperation(kind, reader);
}

function writeBatch(writer: ByteWriter, operations: readonly KeyOperation[]): void {
  writer.u16(operations.length);
  for (const single of operations) writeKeyOperation(writer, single);
}

function readBatch(reader: ByteReader, countMin: 0 | 1): KeyOperation[] {
  const count = reader.u16();
  if (count < countMin) throw new ProtocolError(`A batch of ${count} operations`);
  const operations: KeyOperation[] = [];
  let valueBytes = 0;
  let rowBytes = 0;
  for (let i = 0; i < count; i++) {
    const operation = readKeyOperation(reader.u8(), reader);
    valueBytes += carriedValueBytes(operation);
    rowBytes += keyRowBytes(operation);
    operations.push(operation);
  }
  if (valueBytes > LIMITS.batchBytesMax) throw new ProtocolError(`A batch with ${valueBytes} bytes of values`);
  if (rowBytes > LIMITS.entryPayloadBytesMax) throw new ProtocolError(`A batch with ${rowBytes} bytes of keys`);
  return operations;
}

/** `u16 count`, then each guard: key, condition. */
function writeGuards(writer: ByteWriter, guards: readonly Guard[]): void {
  writer.u16(guards.length);
  for (const { key, condition } of guards) {
    writeKey(writer, key);
    writeCondition(writer, condition);
  }
}

function readGuards(reader: ByteReader): Guard[] {
  const guards: Guard[] = [];
  for (let left = reader.u16(); left > 0; left--) {
    const key = readKey(reader);
    const condition = readCondition(reader);
    if (condition === null) throw new ProtocolError("A guard demands nothing");
    guards.push({ key, condition });
  }
  return guards;
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
