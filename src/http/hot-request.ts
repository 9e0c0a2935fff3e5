import { KvError } from "../model/errors.ts";
import type { Key } from "../model/key.ts";
import { type HotHeaders, mayBecomeHotHeaders, readHotHeaders } from "./hot-headers.ts";
import { KEY_PREFIX, keyOfPath } from "./key-request.ts";
import type { OriginGuard } from "./origin-guard.ts";

/** A longer head belongs to the ordinary server. */
const HEAD_BYTES_MAX = 4096;
const HEAD_END = "\r\n\r\n";
/** What may stand in a path without a second reading of it: no query, nothing that the ordinary server refuses or changes. */
const REQUEST_LINE = /^(GET|HEAD|PUT|DELETE) \/v1\/kv\/([\w!$%&'()*+,./:;=@~-]+) HTTP\/1\.1$/;
const PARTIAL_REST = /^([\w!$%&'()*+,./:;=@~-]*)( .*)?$/s;
const LINE_ENDING = " HTTP/1.1\r";

export type HotMethod = "GET" | "HEAD" | "PUT" | "DELETE";
const METHODS: readonly HotMethod[] = ["GET", "HEAD", "PUT", "DELETE"];

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

/**
 * Reads the heads of one connection's requests: a strict subset of what the ordinary server takes.
 *
 * Owns the headers read last: clients repeat theirs byte by byte, so most are compared, not parsed. Whatever is not certain
 * to mean the same to both is "other".
 */
export class HotRequestReader {
  readonly #guard: OriginGuard;
  readonly #localAddress: string | undefined;
  #lines = "";
  #headers: HotHeaders | null = null;
  #linesWithBody = "";
  #headersWithBody: HotHeaders | null = null;

  constructor(guard: OriginGuard, localAddress: string | undefined) {
    this.#guard = guard;
    this.#localAddress = localAddress;
  }

  /** Reads the head that starts at `start` of `bytes`. */
  read(bytes: Buffer, start: number): HotReading {
    const end = bytes.indexOf(HEAD_END, start, "latin1");
    if (end === -1) return mayBecomeHot(bytes, start) ? "unfinished" : "other";
    if (end - start > HEAD_BYTES_MAX) return "other";
    const head = bytes.toString("latin1", start, end);
    const lineEnd = head.indexOf("\r\n");
    if (lineEnd === -1) return "other";
    const [, methodText, path = ""] = REQUEST_LINE.exec(head.slice(0, lineEnd)) ?? [];
    const method = METHODS.find((one) => one === methodText);
    if (method === undefined) return "other";
    const headers = this.#readHeaders(head.slice(lineEnd), method === "PUT");
    const key = hotKey(path);
    if (headers === null || key === null || (headers.byteCount > 0 && method !== "PUT")) return "other";
    return { method, key, headers, headEnd: end + HEAD_END.length };
  }

  /** Requests with a body have other headers than those without, and clients mix both. */
  #readHeaders(lines: string, isWrite: boolean): HotHeaders | null {
    if (isWrite) {
      if (lines !== this.#linesWithBody) {
        this.#headersWithBody = readHotHeaders(lines, this.#guard, this.#localAddress);
        this.#linesWithBody = lines;
      }
      return this.#headersWithBody;
    }
    if (lines !== this.#lines) {
      this.#headers = readHotHeaders(lines, this.#guard, this.#localAddress);
      this.#lines = lines;
    }
    return this.#headers;
  }
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
