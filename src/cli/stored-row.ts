import { isUtf8 } from "node:buffer";
import { LIMITS } from "../model/limits.ts";
import { JsonMembers } from "./json-members.ts";
import { UsageError } from "./usage-error.ts";

/** A key with its value, as import, export and seeding move it. */
export interface StoredRow {
  readonly key: Buffer;
  readonly value: Buffer;
  /** Empty where none was given. */
  readonly contentType: string;
  /** When the key goes away, in milliseconds since 1970; null when it does not. */
  readonly expiresAtMs: number | null;
}

const KNOWN_MEMBERS = [
  "key",
  "key_encoding",
  "value",
  "value_encoding",
  "content_type",
  "expires_at_ms",
  "version",
] as const;

/** A row as one line of NDJSON, its newline included: text where the bytes are UTF-8, else base64 that says so. */
export function renderRow(row: StoredRow): string {
  const { contentType, expiresAtMs } = row;
  return `${JSON.stringify({
    ...bytesMembers("key", row.key),
    ...bytesMembers("value", row.value),
    ...(contentType === "" ? {} : { content_type: contentType }),
    ...(expiresAtMs === null ? {} : { expires_at_ms: expiresAtMs }),
  })}\n`;
}

/** Reads what `renderRow` wrote; `version` is allowed and ignored. Throws UsageError that says what is wrong. */
export function parseRow(line: Buffer): StoredRow {
  const value = parseJsonLine(line);
  const unknown = Object.keys(value).filter((name) => !KNOWN_MEMBERS.some((known) => known === name));
  if (unknown.length > 0) throw new UsageError(`has the unknown member ${unknown.join(", ")}`);
  try {
    const members = new JsonMembers("line", value);
    const row = {
      key: members.bytes("key"),
      value: members.bytes("value"),
      contentType: members.textOrNull("content_type") ?? "",
      expiresAtMs: members.numberOrNull("expires_at_ms"),
    };
    if (row.key.length === 0 || row.key.length > LIMITS.keyBytesMax) {
      throw new UsageError(`has a key of ${row.key.length} bytes; a key has 1 to ${LIMITS.keyBytesMax}`);
    }
    return row;
  } catch (error) {
    if (error instanceof UsageError || !(error instanceof Error)) throw error;
    throw new UsageError(error.message.replace(/^line\./, ""), { cause: error });
  }
}

/** `{"<name>": text}`, with `<name>_encoding` where the bytes are not UTF-8. */
export function bytesMembers(name: string, bytes: Buffer): Record<string, string> {
  if (isUtf8(bytes)) return { [name]: bytes.toString("utf8") };
  return { [name]: bytes.toString("base64"), [`${name}_encoding`]: "base64" };
}

function parseJsonLine(line: Buffer): object {
  if (!isUtf8(line)) throw new UsageError("is not UTF-8");
  let value: unknown;
  try {
    value = JSON.parse(line.toString("utf8"));
  } catch {
    throw new UsageError("is not JSON");
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new UsageError('is not a JSON object like {"key":"a","value":"b"}');
}
