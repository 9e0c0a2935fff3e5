import { connect, type Socket } from "node:net";

/** An answer as a load generator needs it. */
export interface RawAnswer {
  /** 0: there was none; the connection failed. */
  readonly status: number;
  /** A view that is only valid during the call. */
  readonly body: Buffer;
}

export type AnswerCallback = (answer: RawAnswer) => void;

const HEAD_END = Buffer.from("\r\n\r\n");
const LAST_CHUNK = Buffer.from("0\r\n\r\n");
const NOTHING: Buffer = Buffer.alloc(0);

/**
 * One keep-alive HTTP/1.1 connection with one request under way at a time, over a bare socket: a load generator must cost
 * less than what it measures, and `node:http` costs more.
 *
 * Owns the socket, and makes a new one for the next request when it failed. Every request gets exactly one answer; a
 * connection that ends before the answer is whole gives status 0.
 */
export class HttpConnection {
  readonly #host: string;
  readonly #port: number;
  #socket: Socket | null = null;
  #received: Buffer = NOTHING;
  #onAnswer: AnswerCallback | null = null;

  constructor(host: string, port: number) {
    this.#host = host;
    this.#port = port;
  }

  /** Sends the bytes of one whole request. */
  send(request: Buffer, onAnswer: AnswerCallback): void {
    this.#onAnswer = onAnswer;
    this.#socket ??= this.#connect();
    this.#socket.write(request);
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = null;
  }

  #connect(): Socket {
    const socket = connect({ host: this.#host, port: this.#port, noDelay: true });
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      this.#received = NOTHING;
      this.#finish({ status: 0, body: NOTHING });
    });
    return socket;
  }

  #take(chunk: Buffer): void {
    const bytes = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const headEnd = bytes.indexOf(HEAD_END);
    const answer = headEnd === -1 ? null : readAnswer(bytes, headEnd);
    if (answer === null) {
      this.#received = bytes;
      return;
    }
    this.#received = NOTHING;
    this.#finish(answer);
  }

  #finish(answer: RawAnswer): void {
    const onAnswer = this.#onAnswer;
    this.#onAnswer = null;
    onAnswer?.(answer);
  }
}

/** null while the body is incomplete. With one request under way, nothing can follow the answer. */
function readAnswer(bytes: Buffer, headEnd: number): RawAnswer | null {
  const head = bytes.toString("latin1", 0, headEnd);
  const status = Number(head.slice(9, 12));
  const bodyStart = headEnd + HEAD_END.length;
  if (status === 204 || status === 304) return { status, body: NOTHING };
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length === undefined) {
    const isWhole = bytes.subarray(bodyStart).includes(LAST_CHUNK);
    return isWhole ? { status, body: bytes.subarray(bodyStart) } : null;
  }
  const bodyEnd = bodyStart + Number(length);
  return bytes.length < bodyEnd ? null : { status, body: bytes.subarray(bodyStart, bodyEnd) };
}

/** The bytes of a request. `target` is percent-encoded. */
export function renderRequest(parts: {
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly headers?: string;
  readonly body?: Buffer;
}): Buffer {
  const { method, target, host, headers = "", body } = parts;
  const length = body === undefined ? "" : `Content-Length: ${body.length}\r\n`;
  const head = Buffer.from(`${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${headers}${length}\r\n`, "latin1");
  return body === undefined ? head : Buffer.concat([head, body]);
}
