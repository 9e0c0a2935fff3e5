import { KvError } from "../model/errors.ts";
import type { Key } from "../model/key.ts";
import { type HotHeaders, mayBecomeHotHeaders, readHotHeaders } from "./hot-headers.ts";
import { KEY_PREFIX, keyOfPath } from "./key-request.ts";
import type { OriginGuard } from "./origin-guard.ts";

/** A longer head belongs to the ordinary server. */
const HEAD_BYTES_MAX = 4096;
const HEAD_END = "\r\n\r\n";
/** What may stand in a path without a second reading of it: no query, nothing that the ordinary server refuses or changes. */
const KEY_CHARACTER = /[\w!$%&'()*+,./:;=@~-]/;
const REQUEST_LINE = /^(GET|HEAD|PUT|DELETE) \/v1\/kv\/([\w!$%&'()*+,./:;=@~-]+) HTTP\/1\.1$/;
const VERSION_END = " HTTP/1.1";
/** Longer ones are parsed each time: ten thousand connections keep theirs. */
const KEPT_TAIL_BYTES_MAX = 1024;
const PARTIAL_REST = /^([\w!$%&'()*+,./:;=@~-]*)( .*)?$/s;
const LINE_ENDING: string = `${VERSION_END}\r`;

export type HotMethod = "GET" | "HEAD" | "PUT" | "DELETE";
const METHODS: readonly HotMethod[] = ["GET", "HEAD", "PUT", "DELETE"];
const OPENINGS = METHODS.map((method) => ({
  method,
  opening: new Uint8Array(Buffer.from(`${method} ${KEY_PREFIX}`, "latin1")),
}));
/** By byte: 1 for those that REQUEST_LINE takes in a key. */
const IS_KEY_BYTE: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  KEY_CHARACTER.test(String.fromCharCode(byte)) ? 1 : 0,
);

/** A request of one of the hot shapes, understood up to its body. */
export interface HotRequest {
  readonly method: HotMethod;
  readonly key: Key;
  readonly headers: HotHeaders;
  /** Where in the bytes read its head ends. */
  readonly headEnd: number;
}

/** "unfinished": a hot request so far, and no fault in it. "other": whatever else. */
export type HotReading = HotRequest | "unfinished" | "other";

/** A request's end behind its key, kept from the last one: version, headers, empty line. */
interface KnownTail {
  readonly bytes: Uint8Array;
  readonly headers: HotHeaders;
}

/**
 * Reads the heads of one connection's requests: a strict subset of what the ordinary server takes.
 *
 * Owns the tails read last: clients repeat theirs byte by byte, so most are compared, not parsed, for a third of the time.
 * That is sound because no byte of a key can start a tail. Whatever is not certain to mean the same to both is "other".
 */
export class HotRequestReader {
  readonly #guard: OriginGuard;
  readonly #localAddress: string | undefined;
  /** Writes have other headers than the rest, and clients mix both. */
  #writeTail: KnownTail | null = null;
  #otherTail: KnownTail | null = null;

  constructor(guard: OriginGuard, localAddress: string | undefined) {
    this.#guard = guard;
    this.#localAddress = localAddress;
  }

  /** Reads the head that starts at `start` of `bytes`. */
  read(bytes: Buffer, start: number): HotReading {
    const method = methodAt(bytes, start);
    if (method === null) return this.#readSlowly(bytes, start);
    const keyStart = start + method.length + 1 + KEY_PREFIX.length;
    let keyEnd = keyStart;
    while (IS_KEY_BYTE[bytes[keyEnd] ?? 0] === 1) keyEnd++;
    const tail = method === "PUT" ? this.#writeTail : this.#otherTail;
    if (tail === null || !hasBytesAt(bytes, keyEnd, tail.bytes)) return this.#readSlowly(bytes, start);
    const key = hotKey(bytes.toString("latin1", keyStart, keyEnd));
    if (key === null) return "other";
    return { method, key, headers: tail.headers, headEnd: keyEnd + tail.bytes.length };
  }

  #readSlowly(bytes: Buffer, start: number): HotReading {
    const end = bytes.indexOf(HEAD_END, start, "latin1");
    if (end === -1) return mayBecomeHot(bytes, start) ? "unfinished" : "other";
    if (end - start > HEAD_BYTES_MAX) return "other";
    const head = bytes.toString("latin1", start, end);
    const lineEnd = head.indexOf("\r\n");
    if (lineEnd === -1) return "other";
    const [, methodText, path = ""] = REQUEST_LINE.exec(head.slice(0, lineEnd)) ?? [];
    const method = METHODS.find((one) => one === methodText);
    if (method === undefined) return "other";
    const headers = readHotHeaders(head.slice(lineEnd), this.#guard, this.#localAddress);
    const key = hotKey(path);
    if (headers === null || key === null || (headers.byteCount > 0 && method !== "PUT")) return "other";
    const headEnd = end + HEAD_END.length;
    this.#keepTail(method, {
      // A copy of its own: a piece of a pooled buffer would keep all of that one alive.
      bytes: new Uint8Array(bytes.subarray(start + lineEnd - VERSION_END.length, headEnd)),
      headers,
    });
    return { method, key, headers, headEnd };
  }

  #keepTail(method: HotMethod, tail: KnownTail): void {
    if (tail.bytes.length > KEPT_TAIL_BYTES_MAX) return;
    if (method === "PUT") this.#writeTail = tail;
    else this.#otherTail = tail;
  }
}

function methodAt(bytes: Buffer, start: number): HotMethod | null {
  for (const { method, opening } of OPENINGS) {
    if (bytes[start] === opening[0] && hasBytesAt(bytes, start, opening)) return method;
  }
  return null;
}

/** A loop: a call into the runtime costs more than comparing a head. */
function hasBytesAt(bytes: Buffer, start: number, expected: Uint8Array): boolean {
  const { length } = expected;
  if (bytes.length - start < length) return false;
  for (let i = 0; i < length; i++) if (bytes[start + i] !== expected[i]) return false;
  return true;
}

function hotKey(path: string): Key | null {
  try {
    return keyOfPath(path);
  } catch (error) {
    if (error instanceof KvError) return null;
    throw error;
  }
}

function mayBecomeHot(bytes: Buffer, start: number): boolean {
  if (bytes.length - start > HEAD_BYTES_MAX) return false;
  const head = bytes.toString("latin1", start);
  const lineEnd = head.indexOf("\r\n");
  if (lineEnd === -1) return mayBecomeHotLine(head);
  return REQUEST_LINE.test(head.slice(0, lineEnd)) && mayBecomeHotHeaders(head.slice(lineEnd));
}

function mayBecomeHotLine(line: string): boolean {
  return METHODS.some((method) => {
    const opening = `${method} ${KEY_PREFIX}`;
    if (opening.startsWith(line)) return true;
    const match = line.startsWith(opening) ? PARTIAL_REST.exec(line.slice(opening.length)) : null;
    return match !== null && LINE_ENDING.startsWith(match[2] ?? "");
  });
}
