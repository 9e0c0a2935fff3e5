import { createHash } from "node:crypto";
import { ByteReader } from "../base/byte-reader.ts";
import { ByteWriter } from "../base/byte-writer.ts";
import { KvError } from "../model/errors.ts";
import { DEFAULT_OPTIONS, type Operation, type Position, type Result } from "../model/operation.ts";
import { encodeOperation } from "../wire/operation-codec.ts";
import { decoding } from "../wire/record-codec.ts";
import { readPosition, readResult, writePosition, writeResult } from "../wire/reply-codec.ts";

/** What is remembered of a request that had an id (rule U2): kept in the space of request ids, under the id. */
export interface RequestRow {
  /** On the log clock: the leader removes the row at some time after this one (rule G4). */
  readonly keptUntilMs: number;
  /** Of the operation: the same id with another one is a mistake of the client. */
  readonly digest: Buffer;
  /** Of the entry that holds the effect, and this row. */
  readonly position: Position;
  readonly result: Result;
}

/** Rows of another format are of a newer version. */
const FORMAT = 1;
const DIGEST_BYTES = 16;
const KEPT_UNTIL_AT = 1;

/** What an operation is: equal for equal operations. How it is to be done (its options) is no part of it. */
export function digestOfOperation(operation: Operation): Buffer {
  const bytes = encodeOperation(operation, DEFAULT_OPTIONS);
  return createHash("sha256").update(bytes).digest().subarray(0, DIGEST_BYTES);
}

/** `u8 format · u64 kept until · digest · position · result`. */
export function encodeRequestRow(row: RequestRow): Buffer {
  const writer = new ByteWriter();
  writer.u8(FORMAT);
  writer.u64(row.keptUntilMs);
  writer.bytes(row.digest);
  writePosition(writer, row.position);
  writeResult(writer, row.result);
  return writer.finish();
}

/** Reads what `encodeRequestRow` wrote. Throws KvError CORRUPT for everything else. */
export function decodeRequestRow(bytes: Buffer): RequestRow {
  try {
    return decoding("A request's row", () => {
      const reader = new ByteReader(bytes);
      if (reader.u8() !== FORMAT) throw new KvError("CORRUPT", "it is of a format that this version does not know");
      const keptUntilMs = reader.u64();
      const digest = Buffer.from(reader.bytes(DIGEST_BYTES));
      return { keptUntilMs, digest, position: readPosition(reader), result: readResult(reader) };
    });
  } catch (error) {
    throw new KvError("CORRUPT", "What is remembered of the request cannot be read", { cause: error });
  }
}

/** The row's `keptUntilMs`, without the rest of it. Throws KvError CORRUPT. */
export function keptUntilMsOf(bytes: Buffer): number {
  if (bytes.length < KEPT_UNTIL_AT + 8 || bytes[0] !== FORMAT) {
    throw new KvError("CORRUPT", "What is remembered of a request cannot be read");
  }
  return new ByteReader(bytes, KEPT_UNTIL_AT).u64();
}
