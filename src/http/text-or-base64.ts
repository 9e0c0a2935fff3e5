import { isUtf8 } from "node:buffer";

/** Bytes inside JSON: text when they are valid UTF-8, else base64, and then `encoding` says so. */
type JsonBytes = { readonly text: string; readonly encoding?: "base64" };

function jsonBytes(bytes: Buffer): JsonBytes {
  return isUtf8(bytes) ? { text: bytes.toString("utf8") } : { text: bytes.toString("base64"), encoding: "base64" };
}

/** `{"key": …}`, with `key_encoding` where the key is not text. */
export function keyMembers(key: string): { readonly key: string; readonly key_encoding?: "base64" } {
  const { text, encoding } = jsonBytes(Buffer.from(key, "latin1"));
  return encoding === undefined ? { key: text } : { key: text, key_encoding: encoding };
}

/** `{"value": …}`, with `value_encoding` where the value is not text. */
export function valueMembers(value: Buffer): { readonly value: string; readonly value_encoding?: "base64" } {
  const { text, encoding } = jsonBytes(value);
  return encoding === undefined ? { value: text } : { value: text, value_encoding: encoding };
}
