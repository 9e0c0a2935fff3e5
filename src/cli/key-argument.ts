import { type Key, keyOfBytes, keyOfText } from "../model/key.ts";
import { UsageError } from "./usage-error.ts";

/** A key as the user typed it: text, or with `--base64` the base64 of any bytes. Throws KEY_EMPTY, KEY_TOO_LONG. */
export function parseKeyArgument(argument: string, isBase64: boolean): Key {
  if (!isBase64) return keyOfText(argument);
  const bytes = Buffer.from(argument, "base64");
  if (bytes.toString("base64") !== argument) throw new UsageError(`${argument} is not base64, which --base64 demands`);
  return keyOfBytes(bytes);
}

/** Percent-encodes every byte of a binary string that is not plain, for a query. */
export function percentEncode(binary: string): string {
  let text = "";
  for (let i = 0; i < binary.length; i++) {
    const character = binary.charAt(i);
    text += PLAIN.test(character) ? character : `%${binary.charCodeAt(i).toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}

const PLAIN = /^[A-Za-z0-9_.~:/-]$/;
