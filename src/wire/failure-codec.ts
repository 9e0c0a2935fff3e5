import { isUtf8 } from "node:buffer";
import { ByteReader, TruncatedError } from "../base/byte-reader.ts";
import { ByteWriter } from "../base/byte-writer.ts";
import { ERRORS, KvError, errorCodeOfWire } from "../model/errors.ts";
import type { RequestFailure } from "./peer-network.ts";
import { ProtocolError } from "./protocol-error.ts";

const REASON_LENGTH_MAX = 1024;

/** Payload of FAILURE and REFUSED: `u16 error number · u8 sent · u16 length · message`. */
export function encodeFailure(failure: RequestFailure): Buffer {
  const writer = new ByteWriter(64);
  writer.u16(ERRORS[failure.error.code].wire);
  writer.u8(failure.sent ? 1 : 0);
  writer.text16(failure.error.message.slice(0, REASON_LENGTH_MAX));
  return writer.finish();
}

/** Reads what `encodeFailure` wrote. Throws ProtocolError. */
export function decodeFailure(payload: Buffer): RequestFailure {
  const reader = new ByteReader(payload);
  try {
    const code = errorCodeOfWire(reader.u16());
    const sent = reader.u8();
    const message = reader.bytes(reader.u16());
    if (reader.remaining !== 0 || sent > 1 || !isUtf8(message)) throw new ProtocolError("A failure is malformed");
    return { error: new KvError(code, message.toString("utf8")), sent: sent === 1 };
  } catch (error) {
    if (error instanceof TruncatedError) throw new ProtocolError("A failure is cut off");
    throw error;
  }
}
