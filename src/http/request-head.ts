import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import { Parameters } from "./parameters.ts";
import type { RequestHeaders } from "./request-headers.ts";

/** The complement of what a target may hold: no space, control character, DEL or #; bytes above ASCII are tolerated. */
const FORBIDDEN_IN_TARGET = /[^\x21\x22\x24-\x7e\x80-\xff]/;
const ABSOLUTE_FORM = /^https?:\/\/([^/?#]*)/i;

/** A request as routes see it: the body comes later. */
export interface RequestHead {
  readonly method: string;
  /** As it was sent, percent-encoding and all: a key is decoded once, by its route. A binary string. */
  readonly path: string;
  readonly target: string;
  readonly parameters: Parameters;
  readonly headers: RequestHeaders;
}

/** How the body's end is told: no body, a number of bytes, or chunks. */
export type Framing = { readonly kind: "none" | "chunked" } | { readonly kind: "length"; readonly byteCount: number };

/**
 * How the body is framed. Throws BAD_REQUEST where another reader of the same bytes could see another end: the parser has
 * already refused most of that; what it lets through is refused here.
 */
export function readFraming(headers: RequestHeaders, httpVersion: string): Framing {
  if (httpVersion !== "1.1" && httpVersion !== "1.0") {
    throw new KvError("BAD_REQUEST", `HTTP/${httpVersion} is not understood here: use HTTP/1.1`);
  }
  const coding = headers.get("transfer-encoding");
  const length = headers.get("content-length");
  if (coding !== undefined) {
    if (httpVersion !== "1.1" || length !== undefined || coding.toLowerCase() !== "chunked") {
      throw new KvError("BAD_REQUEST", "Transfer-Encoding may only be chunked, in HTTP/1.1, without Content-Length");
    }
    return { kind: "chunked" };
  }
  if (length === undefined) return { kind: "none" };
  const byteCount = Number(length);
  if (!/^\d+$/.test(length) || !Number.isSafeInteger(byteCount)) {
    throw new KvError("BAD_REQUEST", "Content-Length must be a decimal number");
  }
  return byteCount === 0 ? { kind: "none" } : { kind: "length", byteCount };
}

/**
 * Splits the request target. Throws URL_TOO_LONG, BAD_REQUEST for bytes that no target may hold, INVALID_ARGUMENT for
 * malformed parameters.
 */
export function readRequestHead(method: string, url: string, headers: RequestHeaders): RequestHead {
  if (url.length > LIMITS.urlBytesMax) {
    throw new KvError("URL_TOO_LONG", `The request target has ${url.length} bytes; the limit is ${LIMITS.urlBytesMax}`);
  }
  if (FORBIDDEN_IN_TARGET.test(url)) {
    throw new KvError("BAD_REQUEST", "The request target holds a space, a control character or a #: percent-encode it");
  }
  const target = url.startsWith("/") ? url : originForm(url, headers.get("host"));
  const question = target.indexOf("?");
  const path = question === -1 ? target : target.slice(0, question);
  const parameters = new Parameters();
  const query = question === -1 ? "" : target.slice(question + 1);
  if (query !== "") parameters.add(Buffer.from(query, "latin1"));
  return { method, path, target, parameters, headers };
}

/** `http://host/path`, as it is sent to proxies, must be understood by servers too (RFC 9112 §3.2.2). */
function originForm(url: string, host: string | undefined): string {
  if (url === "*") return url;
  const match = ABSOLUTE_FORM.exec(url);
  if (match === null) throw new KvError("BAD_REQUEST", "The request target must be a path");
  if (match[1]?.toLowerCase() !== host?.toLowerCase()) {
    throw new KvError("BAD_REQUEST", "The request target and the header Host name different servers");
  }
  const rest = url.slice(match[0].length);
  return rest.startsWith("/") ? rest : `/${rest}`;
}
