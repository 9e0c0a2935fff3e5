import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";

/** Headers that mean something here. Each may come once: with two, two readers could see two different requests. */
const KNOWN_NAMES: ReadonlySet<string> = new Set([
  "host",
  "origin",
  "sec-fetch-site",
  "content-length",
  "content-type",
  "content-encoding",
  "transfer-encoding",
  "expect",
  "if-match",
  "if-none-match",
  "idempotency-key",
]);

const KNOWN_KV_NAMES: ReadonlySet<string> = new Set([
  "kv-consistency",
  "kv-durability",
  "kv-route",
  "kv-max-lag-ms",
  "kv-token",
]);

/** The headers of one request that have a meaning here, by lower-case name; all others are dropped. */
export type RequestHeaders = ReadonlyMap<string, string>;

/**
 * Reads `rawHeaders` (names and values in turn, as they came). Throws HEADERS_TOO_LARGE when they are too many or too
 * long, BAD_REQUEST when one with a meaning comes twice, UNKNOWN_PARAMETER for a `KV-` header that does not exist.
 */
export function readHeaders(rawHeaders: readonly string[]): RequestHeaders {
  checkSize(rawHeaders);
  const headers = new Map<string, string>();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? "").toLowerCase();
    if (name.startsWith("kv-")) checkKvName(name);
    else if (!KNOWN_NAMES.has(name)) continue;
    if (headers.has(name)) throw new KvError("BAD_REQUEST", `The header ${name} is given twice`);
    headers.set(name, rawHeaders[i + 1] ?? "");
  }
  return headers;
}

/** Node drops headers beyond a count instead of refusing them, so the count is checked here. */
function checkSize(rawHeaders: readonly string[]): void {
  const count = rawHeaders.length / 2;
  if (count > LIMITS.headerCountMax) {
    throw new KvError("HEADERS_TOO_LARGE", `The request has ${count} headers; the limit is ${LIMITS.headerCountMax}`);
  }
  // Each line carries ": " and CR LF besides its name and value.
  let byteCount = count * 4;
  for (const text of rawHeaders) byteCount += text.length;
  if (byteCount <= LIMITS.headerBytesMax) return;
  throw new KvError(
    "HEADERS_TOO_LARGE",
    `The header block has ${byteCount} bytes; the limit is ${LIMITS.headerBytesMax}`,
  );
}

function checkKvName(name: string): void {
  if (!KNOWN_KV_NAMES.has(name)) throw new KvError("UNKNOWN_PARAMETER", `The header ${name} is not known`);
}
