import { assert } from "../../base/assert.ts";
import type { Answer, AnswerError, ClientProtocol } from "./client-protocol.ts";
import type { Records } from "./records.ts";

const CARRIAGE_RETURN = 0x0d;
const DIGIT_ZERO = 0x30;
const MINUS = 0x2d;
const SIMPLE = 0x2b;
const INTEGER = 0x3a;
const BULK = 0x24;
/** No line of an answer to GET or SET is longer, error texts included; more means that this is no such server. */
const LINE_BYTES_MAX = 65_536;

/** GET and SET over RESP2. Strings are put together, which V8 does faster than filling buffers. */
export class RespProtocol implements ClientProtocol {
  readonly #records: Records;
  readonly #readHead: string;
  readonly #writeHead: string;
  readonly #valueHead: string;

  constructor(records: Records) {
    const keyLength = records.keyOf(0).length;
    this.#records = records;
    this.#readHead = `*2\r\n$3\r\nGET\r\n$${keyLength}\r\n`;
    this.#writeHead = `*3\r\n$3\r\nSET\r\n$${keyLength}\r\n`;
    this.#valueHead = `\r\n$${records.valueBytes}\r\n`;
  }

  readRequest(index: number): string {
    return `${this.#readHead + this.#records.keyOf(index)}\r\n`;
  }

  writeRequest(index: number, counter: number): string {
    const records = this.#records;
    return `${this.#writeHead + records.keyOf(index) + this.#valueHead + records.valueOf(index, counter)}\r\n`;
  }

  scanRequest(): string {
    assert(false, "scans go over HTTP: the options were checked");
  }

  readAnswer(bytes: Buffer, at: number, answer: Answer): number {
    const lineEnd = lineEndOf(bytes, at);
    if (lineEnd === -1) {
      if (bytes.length - at <= LINE_BYTES_MAX) return at - bytes.length - 1;
      return malformed(answer, at, bytes.length);
    }
    const type = bytes[at];
    answer.start = at + 1;
    answer.end = lineEnd;
    if (type === BULK) return readBulk(bytes, at, answer);
    answer.kind = type === SIMPLE || type === INTEGER ? "done" : type === MINUS ? "error" : "malformed";
    // What is no answer is shown whole.
    if (answer.kind === "malformed") answer.start = at;
    return lineEnd + 2;
  }

  errorOf({ bytes, start, end }: Answer): AnswerError {
    const text = bytes.toString("utf8", start, end);
    return { code: /^[A-Z]+/.exec(text)?.[0] ?? "ERR", text };
  }
}

/** `answer` spans the length line. */
function readBulk(bytes: Buffer, at: number, answer: Answer): number {
  const { start, end } = answer;
  if (bytes[start] === MINUS) {
    answer.kind = "missing";
    return end + 2;
  }
  let length = 0;
  for (let i = start; i < end; i++) {
    const digit = (bytes[i] ?? 0) - DIGIT_ZERO;
    if (digit < 0 || digit > 9) return malformed(answer, at, end);
    length = length * 10 + digit;
  }
  const valueStart = end + 2;
  const answerEnd = valueStart + length + 2;
  if (bytes.length < answerEnd) return at - answerEnd;
  answer.kind = "value";
  answer.start = valueStart;
  answer.end = valueStart + length;
  return answerEnd;
}

function malformed(answer: Answer, start: number, end: number): number {
  answer.kind = "malformed";
  answer.start = start;
  answer.end = end;
  return end;
}

/** Lines are short: a loop is faster than a call out of JavaScript. -1 while the line feed has not come. */
function lineEndOf(bytes: Buffer, at: number): number {
  for (let i = at; i < bytes.length - 1; i++) {
    if (bytes[i] === CARRIAGE_RETURN) return i;
  }
  return -1;
}
