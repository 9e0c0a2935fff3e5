import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import type { RequestHeaders } from "./request-headers.ts";

const FORM = "application/x-www-form-urlencoded";

/**
 * The media type to store with a value; empty when none was given. What `curl -d` says of every body, without having been
 * asked, is no type either: nobody stores forms, and values that call themselves one are read as such by what fetches them.
 * Only printable ASCII: it goes back out as a header. Throws INVALID_ARGUMENT.
 */
export function readContentType(headers: RequestHeaders): string {
  const contentType = headers.get("content-type") ?? "";
  if (contentType.toLowerCase() === FORM) return "";
  if (contentType.length <= LIMITS.contentTypeBytesMax && /^[\x20-\x7e]*$/.test(contentType)) return contentType;
  throw new KvError(
    "INVALID_ARGUMENT",
    `Content-Type must be printable ASCII of at most ${LIMITS.contentTypeBytesMax} bytes`,
  );
}

/**
 * Refuses a body that is not of `mediaType` (parameters aside). A body without a type is taken for it, and so is one that
 * `curl -d` calls a form without having been asked: web pages, which can send forms too, are kept out by `OriginGuard`.
 */
export function requireMediaType(headers: RequestHeaders, mediaType: string): void {
  const given = headers.get("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
  if (given === undefined || given === "" || given === mediaType || given === FORM) return;
  throw new KvError("UNSUPPORTED_MEDIA_TYPE", `The body must be ${mediaType}, not ${given}`);
}

/** Values are stored as they come: a compressed one would come back without saying so. Throws UNSUPPORTED_MEDIA_TYPE. */
export function refuseContentEncoding(headers: RequestHeaders): void {
  const encoding = headers.get("content-encoding")?.toLowerCase();
  if (encoding === undefined || encoding === "identity") return;
  throw new KvError("UNSUPPORTED_MEDIA_TYPE", "Content-Encoding is not supported: send the value itself");
}
