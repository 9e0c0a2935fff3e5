import type { Brand } from "../base/brand.ts";
import { KvError } from "./errors.ts";
import { LIMITS } from "./limits.ts";

/**
 * A key as a binary string: one character (U+0000–U+00FF) a byte.
 *
 * Maps take it as it is, `<` orders it by its bytes, and V8 keeps it in one byte a character. Keys that are text are their
 * UTF-8 bytes.
 */
export type Key = Brand<string, "Key">;

/** Parses the bytes of a key. Throws KEY_EMPTY or KEY_TOO_LONG (1–1024 bytes). */
export function keyOfBytes(bytes: Uint8Array): Key {
  checkLength(bytes.length);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1") as Key;
}

/** Parses a key given as text: its UTF-8 bytes are the key. Throws KEY_EMPTY or KEY_TOO_LONG. */
export function keyOfText(text: string): Key {
  return keyOfBytes(Buffer.from(text, "utf8"));
}

/** Takes a binary string as a key. Throws KEY_EMPTY or KEY_TOO_LONG. */
export function keyOfBinary(binary: string): Key {
  checkLength(binary.length);
  return binary as Key;
}

export function keyBytes(key: Key): Buffer {
  return Buffer.from(key, "latin1");
}

/** For messages to people: the key (a binary string) as text where it is valid UTF-8, else its bytes in hex. */
export function keyForPeople(key: string): string {
  const bytes = Buffer.from(key, "latin1");
  const text = bytes.toString("utf8");
  return Buffer.from(text, "utf8").equals(bytes) ? text : `0x${bytes.toString("hex")}`;
}

function checkLength(byteCount: number): void {
  if (byteCount === 0) throw new KvError("KEY_EMPTY", "The key is missing or empty");
  if (byteCount > LIMITS.keyBytesMax) {
    throw new KvError("KEY_TOO_LONG", `The key has ${byteCount} bytes; the limit is ${LIMITS.keyBytesMax}`);
  }
}
