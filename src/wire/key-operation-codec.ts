import type { ByteReader } from "../base/byte-reader.ts";
import type { ByteWriter } from "../base/byte-writer.ts";
import type { Key } from "../model/key.ts";
import { LIMITS } from "../model/limits.ts";
import type {
  Condition,
  CopyOperation,
  Expiry,
  ExpireOperation,
  KeyAndValue,
  KeyOperation,
  SetOperation,
} from "../model/operation.ts";
import { ProtocolError } from "./protocol-error.ts";
import {
  readInt64,
  readKey,
  readOne,
  readText8,
  readValue,
  writeInt64,
  writeKey,
  writeText8,
  writeValue,
} from "./record-codec.ts";

/** 5 to 8 are operations that are not on one key. */
const KIND = {
  get: 1,
  set: 2,
  delete: 3,
  increment: 4,
  describe: 9,
  expire: 10,
  append: 11,
  setRange: 12,
  incrementFloat: 13,
  copy: 14,
  setAllAbsent: 15,
} as const;
const EXPIRY_KINDS = ["none", "keep", "after", "at"] as const;
const CONDITION_KINDS = [null, "absent", "present", "version"] as const;
const EXPIRY_CONDITIONS = ["always", "absent", "present", "greater", "less", "presentAndLess"] as const;
const SET_RETURN_OLD = 1;
const SET_BLIND = 2;
const COPY_REPLACE = 1;
const COPY_MOVE = 2;

/** `u8 kind · key`, then by kind as docs/protocol.md lays it out. */
export function writeKeyOperation(writer: ByteWriter, operation: KeyOperation): void {
  writer.u8(KIND[operation.kind]);
  writeKey(writer, operation.key);
  switch (operation.kind) {
    case "set":
      return writeSet(writer, operation);
    case "delete":
      return writeCondition(writer, operation.condition);
    case "increment":
      return writeInt64(writer, operation.by);
    case "expire":
      writer.u8(EXPIRY_CONDITIONS.indexOf(operation.condition));
      return writeExpiry(writer, operation.expiry);
    case "append":
      return writeValue(writer, operation.value);
    case "setRange":
      writer.u32(operation.offset);
      return writeValue(writer, operation.value);
    case "incrementFloat":
      return writer.text16(operation.by);
    case "copy":
      writer.u8((operation.replace ? COPY_REPLACE : 0) | (operation.isMove ? COPY_MOVE : 0));
      return writeKey(writer, operation.to);
    case "setAllAbsent":
      writeValue(writer, operation.value);
      return writeRows(writer, operation.more);
    case "get":
    case "describe":
  }
}

/** Reads what stands behind the kind. Throws ProtocolError. */
export function readKeyOperation(kind: number, reader: ByteReader): KeyOperation {
  const key = readKey(reader);
  switch (kind) {
    case KIND.get:
      return { kind: "get", key };
    case KIND.set:
      return { kind: "set", key, ...readSet(reader) };
    case KIND.delete:
      return { kind: "delete", key, condition: readCondition(reader) };
    case KIND.increment:
      return { kind: "increment", key, by: readInt64(reader) };
    case KIND.describe:
      return { kind: "describe", key };
    case KIND.expire:
      return readExpire(key, reader);
    case KIND.append:
      return { kind: "append", key, value: readValue(reader) };
    case KIND.setRange:
      return { kind: "setRange", key, offset: reader.u32(), value: readValue(reader) };
    case KIND.incrementFloat:
      return { kind: "incrementFloat", key, by: reader.text16() };
    case KIND.copy:
      return readCopy(key, reader);
    case KIND.setAllAbsent:
      return { kind: "setAllAbsent", key, value: readValue(reader), more: readRows(reader) };
    default:
      throw new ProtocolError(`Operation kind ${kind} is not known`);
  }
}

function writeSet(writer: ByteWriter, set: SetOperation): void {
  writer.u8((set.returnOld ? SET_RETURN_OLD : 0) | (set.isBlind === true ? SET_BLIND : 0));
  writeCondition(writer, set.condition);
  writeExpiry(writer, set.expiry);
  writeText8(writer, set.contentType);
  writeValue(writer, set.value);
}

function readSet(reader: ByteReader): Omit<SetOperation, "kind" | "key"> {
  const flags = reader.u8();
  if (flags > (SET_RETURN_OLD | SET_BLIND)) throw new ProtocolError(`Set flags ${flags} are not known`);
  return {
    returnOld: (flags & SET_RETURN_OLD) !== 0,
    ...((flags & SET_BLIND) === 0 ? {} : { isBlind: true }),
    condition: readCondition(reader),
    expiry: readExpiry(reader),
    contentType: readText8(reader),
    value: readValue(reader),
  };
}

export function writeCondition(writer: ByteWriter, condition: Condition | null): void {
  writer.u8(CONDITION_KINDS.indexOf(condition === null ? null : condition.kind));
  if (condition?.kind === "version") writer.u64(condition.version);
}

export function readCondition(reader: ByteReader): Condition | null {
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

function readExpire(key: Key, reader: ByteReader): ExpireOperation {
  const condition = readOne(reader, EXPIRY_CONDITIONS);
  const expiry = readExpiry(reader);
  if (expiry.kind === "keep") throw new ProtocolError("A change of an expiry that keeps it");
  return { kind: "expire", key, expiry, condition };
}

function readCopy(key: Key, reader: ByteReader): CopyOperation {
  const flags = reader.u8();
  if (flags > (COPY_REPLACE | COPY_MOVE)) throw new ProtocolError(`Copy flags ${flags} are not known`);
  const to = readKey(reader);
  return { kind: "copy", key, to, replace: (flags & COPY_REPLACE) !== 0, isMove: (flags & COPY_MOVE) !== 0 };
}

/** `u16 count`, then each: key, value. */
function writeRows(writer: ByteWriter, rows: readonly KeyAndValue[]): void {
  writer.u16(rows.length);
  for (const { key, value } of rows) {
    writeKey(writer, key);
    writeValue(writer, value);
  }
}

function readRows(reader: ByteReader): KeyAndValue[] {
  const rows: KeyAndValue[] = [];
  for (let left = reader.u16(); left > 0; left--) rows.push({ key: readKey(reader), value: readValue(reader) });
  return rows;
}
