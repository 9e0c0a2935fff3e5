import type { Answer, AnswerError, ClientProtocol } from "./client-protocol.ts";
import { digitsOf, type Records } from "./records.ts";

export interface HttpProtocolParts {
  readonly records: Records;
  /** As text, not yet percent-encoded. */
  readonly keyPrefix: string;
  /** `host:port`. */
  readonly host: string;
  readonly durability: string | null;
}

const HEAD_END = Buffer.from("\r\n\r\n");
const LENGTH_NAME = Buffer.from("\r\nContent-Length: ");
const LENGTH_LINE = /\r\ncontent-length: *(\d+)/i;
const CHUNKED_LINE = /\r\ntransfer-encoding: *chunked/i;
const CARRIAGE_RETURN = 0x0d;
const DIGIT_ZERO = 0x30;
const HEAD_BYTES_MAX = 65_536;

/**
 * GET and PUT of `/v1/kv/KEY` and scans over HTTP/1.1, pipelined when asked.
 *
 * Reading an answer's head with a regular expression would cost more than all the rest. So it remembers how far into the head
 * the length stood last time, and looks elsewhere only when it is not there.
 */
export class HttpProtocol implements ClientProtocol {
  readonly #records: Records;
  readonly #readHead: string;
  readonly #writeHead: string;
  readonly #scanHead: string;
  readonly #readTail: string;
  readonly #writeTail: string;
  #lengthOffset = 0;

  constructor({ records, keyPrefix, host, durability }: HttpProtocolParts) {
    const prefix = encodeURIComponent(keyPrefix);
    const option = durability === null ? "" : `KV-Durability: ${durability}\r\n`;
    this.#records = records;
    this.#readHead = `GET /v1/kv/${prefix}`;
    this.#writeHead = `PUT /v1/kv/${prefix}`;
    this.#scanHead = `GET /v1/kv?prefix=${prefix}&start=${prefix}`;
    this.#readTail = ` HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    this.#writeTail = ` HTTP/1.1\r\nHost: ${host}\r\n${option}Content-Length: ${records.valueBytes}\r\n\r\n`;
  }

  readRequest(index: number): string {
    return this.#readHead + digitsOf(index) + this.#readTail;
  }

  writeRequest(index: number, counter: number): string {
    return this.#writeHead + digitsOf(index) + this.#writeTail + this.#records.valueOf(index, counter);
  }

  scanRequest(index: number, rowCount: number): string {
    return `${this.#scanHead}${digitsOf(index)}&limit=${rowCount}${this.#readTail}`;
  }

  readAnswer(bytes: Buffer, at: number, answer: Answer): number {
    const headEnd = bytes.indexOf(HEAD_END, at);
    if (headEnd === -1) {
      if (bytes.length - at <= HEAD_BYTES_MAX) return at - bytes.length - 1;
      return malformed(answer, at, bytes.length);
    }
    const status = statusAt(bytes, at);
    const bodyStart = headEnd + HEAD_END.length;
    answer.start = bodyStart;
    answer.kind = kindOf(status);
    if (status === 204 || status === 304) {
      answer.end = bodyStart;
      return bodyStart;
    }
    const length = this.#bodyLength(bytes, at, headEnd);
    if (length === -1) return readChunks(bytes, at, answer);
    answer.end = bodyStart + length;
    return bytes.length < answer.end ? at - answer.end : answer.end;
  }

  errorOf({ bytes, start, end }: Answer): AnswerError {
    const text = bytes.toString("utf8", start, end);
    const code = /"code":"(\w+)"/.exec(text)?.[1];
    const detail = /"detail":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1];
    return { code: code ?? "HTTP", text: detail ?? text.slice(0, 120) };
  }

  /** -1 when the head names no length. */
  #bodyLength(bytes: Buffer, at: number, headEnd: number): number {
    const guess = at + this.#lengthOffset;
    if (guess + LENGTH_NAME.length < headEnd && matchesAt(bytes, guess, LENGTH_NAME)) {
      return numberAt(bytes, guess + LENGTH_NAME.length);
    }
    const head = bytes.toString("latin1", at, headEnd);
    const found = LENGTH_LINE.exec(head);
    if (found === null) return -1;
    this.#lengthOffset = found.index;
    return Number(found[1]);
  }
}

/** A body in chunks, whose framing stays in it: only its end is needed. */
function readChunks(bytes: Buffer, at: number, answer: Answer): number {
  const { start } = answer;
  if (!CHUNKED_LINE.test(bytes.toString("latin1", at, start))) return malformed(answer, at, start);
  let chunkAt = start;
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", chunkAt, "latin1");
    if (lineEnd === -1) return at - bytes.length - 1;
    const size = Number.parseInt(bytes.toString("latin1", chunkAt, lineEnd), 16);
    if (!(size >= 0)) return malformed(answer, at, lineEnd);
    chunkAt = lineEnd + 2 + size + 2;
    if (bytes.length < chunkAt) return at - chunkAt;
    if (size > 0) continue;
    answer.end = chunkAt;
    return chunkAt;
  }
}

function kindOf(status: number): Answer["kind"] {
  if (status === 200 || status === 201 || status === 204) return "value";
  if (status === 404) return "missing";
  return status >= 100 && status <= 599 ? "error" : "malformed";
}

/** `HTTP/1.1 200 …` */
function statusAt(bytes: Buffer, at: number): number {
  if (bytes[at] !== 0x48 || bytes[at + 8] !== 0x20) return 0;
  const hundreds = (bytes[at + 9] ?? 0) - DIGIT_ZERO;
  const tens = (bytes[at + 10] ?? 0) - DIGIT_ZERO;
  return hundreds * 100 + tens * 10 + (bytes[at + 11] ?? 0) - DIGIT_ZERO;
}

function matchesAt(bytes: Buffer, at: number, wanted: Buffer): boolean {
  for (let i = 0; i < wanted.length; i++) {
    if (bytes[at + i] !== wanted[i]) return false;
  }
  return true;
}

function numberAt(bytes: Buffer, at: number): number {
  let number = 0;
  for (let i = at; i < bytes.length && bytes[i] !== CARRIAGE_RETURN; i++) {
    const digit = (bytes[i] ?? 0) - DIGIT_ZERO;
    if (digit < 0 || digit > 9) break;
    number = number * 10 + digit;
  }
  return number;
}

function malformed(answer: Answer, start: number, end: number): number {
  answer.kind = "malformed";
  answer.start = start;
  answer.end = end;
  return end;
}
