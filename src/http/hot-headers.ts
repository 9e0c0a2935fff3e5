import { KvError } from "../model/errors.ts";
import { readContentType } from "./content-type.ts";
import type { OriginGuard } from "./origin-guard.ts";
import { readHeaders } from "./request-headers.ts";

/** A larger body belongs to the ordinary server. */
const HOT_BODY_BYTES_MAX = 65_536;
const LINE = /^([A-Za-z-]{1,32}): ([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)$/;
/** The last line of a head that is still arriving. A name without its colon, or a value without its end, shows nothing yet. */
const PARTIAL_LINE = /^(?:|\r|[A-Za-z-]{1,32}|([A-Za-z-]{1,32}):(?: |$)((?:[\x21-\x7e][\x20-\x7e]*)?)(\r?))$/;
const LENGTH = /^(?:0|[1-9]\d{0,4})$/;

/** Headers of which everything is known that the ordinary server would do with them. */
const HOT_NAMES: ReadonlySet<string> = new Set([
  "host",
  "user-agent",
  "accept",
  "accept-encoding",
  "accept-language",
  "connection",
  "content-length",
  "content-type",
  "sec-fetch-mode",
]);

/** What the headers of a hot request come to. */
export interface HotHeaders {
  /** Of the body; 0 when there is none. */
  readonly byteCount: number;
  readonly contentType: string;
}

/**
 * Reads header lines: each with the CR LF before it, none behind the last. Null for everything that is not plainly of the
 * short list: what comes of it is the ordinary server's to say, a refusal too.
 */
export function readHotHeaders(lines: string, guard: OriginGuard, localAddress: string | undefined): HotHeaders | null {
  const rawHeaders = readLines(lines);
  if (rawHeaders === null) return null;
  try {
    const headers = readHeaders(rawHeaders);
    guard.check(headers, { httpVersion: "1.1", localAddress });
    return { byteCount: Number(headers.get("content-length") ?? 0), contentType: readContentType(headers) };
  } catch (error) {
    if (error instanceof KvError) return null;
    throw error;
  }
}

/** Whether header lines of which the last is not complete may still become hot ones; then they are no fault so far either. */
export function mayBecomeHotHeaders(lines: string): boolean {
  const lastAt = lines.lastIndexOf("\r\n");
  if (lastAt > 0 && readLines(lines.slice(0, lastAt)) === null) return false;
  const match = PARTIAL_LINE.exec(lines.slice(lastAt + 2));
  if (match === null) return false;
  const [, name, value = "", end = ""] = match;
  if (name === undefined) return true;
  const lowerName = name.toLowerCase();
  if (lowerName === "content-length") return /^\d{0,5}$/.test(value) && !(value === "" && end !== "");
  if (lowerName === "connection") return "keep-alive".startsWith(value.toLowerCase());
  return HOT_NAMES.has(lowerName);
}

/** Names and values in turn; null unless every line is a plain one of the list, and none comes twice. */
function readLines(lines: string): string[] | null {
  const rawHeaders: string[] = [];
  const seen = new Set<string>();
  for (const line of lines.split("\r\n").slice(1)) {
    const [, name = "", value = ""] = LINE.exec(line) ?? [];
    const lowerName = name.toLowerCase();
    if (!HOT_NAMES.has(lowerName) || seen.has(lowerName) || !isPlain(lowerName, value)) return null;
    seen.add(lowerName);
    rawHeaders.push(name, value);
  }
  return rawHeaders;
}

function isPlain(lowerName: string, value: string): boolean {
  if (lowerName === "content-length") return LENGTH.test(value) && Number(value) <= HOT_BODY_BYTES_MAX;
  return lowerName !== "connection" || value.toLowerCase() === "keep-alive";
}
