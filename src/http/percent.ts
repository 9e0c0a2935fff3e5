import { KvError } from "../model/errors.ts";

const PERCENT = 0x25;
const PLUS = 0x2b;
const SPACE = 0x20;

/** Value of each hexadecimal digit by its character code, 255 for everything else. */
const HEX_VALUE: Uint8Array = new Uint8Array(256).fill(255);
for (let digit = 0; digit < 16; digit++) {
  const text = digit.toString(16);
  HEX_VALUE[text.charCodeAt(0)] = digit;
  HEX_VALUE[text.toUpperCase().charCodeAt(0)] = digit;
}

/**
 * Decodes `%XX` to bytes, once. Keys are bytes, so nothing is taken for UTF-8 here. With `plusIsSpace` a `+` is a space,
 * as in forms. Throws INVALID_ARGUMENT on a `%` that is not followed by two hexadecimal digits.
 */
export function percentDecodeBytes(source: Buffer, plusIsSpace: boolean): Buffer {
  if (!source.includes(PERCENT) && !(plusIsSpace && source.includes(PLUS))) return source;
  const decoded = Buffer.allocUnsafe(source.length);
  let length = 0;
  for (let at = 0; at < source.length; at++) {
    const byte = source[at] ?? 0;
    if (byte === PERCENT) {
      decoded[length++] = escapedByte(source, at);
      at += 2;
    } else {
      decoded[length++] = byte === PLUS && plusIsSpace ? SPACE : byte;
    }
  }
  return decoded.subarray(0, length);
}

/** The same for a binary string (one character a byte), as paths come from the parser: `+` stays as it is. */
export function percentDecodePath(path: string): string {
  if (!path.includes("%")) return path;
  return percentDecodeBytes(Buffer.from(path, "latin1"), false).toString("latin1");
}

function escapedByte(source: Buffer, at: number): number {
  const high = HEX_VALUE[source[at + 1] ?? 0] ?? 255;
  const low = HEX_VALUE[source[at + 2] ?? 0] ?? 255;
  if (high > 15 || low > 15) {
    throw new KvError("INVALID_ARGUMENT", "A % must be followed by two hexadecimal digits; write a literal % as %25");
  }
  return high * 16 + low;
}
