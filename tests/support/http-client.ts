import { request } from "node:http";
import { connect, type Socket } from "node:net";

/** A request as a test writes it: `path` goes out exactly as it stands here. */
export interface TestRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: Buffer | string;
}

export interface TestResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly text: string;
  /** The body as JSON. */
  json(): unknown;
}

/** Sends one request on a connection of its own. */
export function send(
  address: string,
  { method = "GET", path, headers = {}, body }: TestRequest,
): Promise<TestResponse> {
  const { host, port } = hostAndPort(address);
  const { promise, resolve, reject } = Promise.withResolvers<TestResponse>();
  const outgoing = request({
    host,
    port,
    method,
    path,
    headers: { ...headers } as Record<string, string>,
    agent: false,
  });
  outgoing.on("error", reject);
  outgoing.on("response", (response) => {
    const chunks: Buffer[] = [];
    response.on("error", reject);
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.on("end", () => {
      const flat = Object.entries(response.headers).map(([name, value]) => [name, String(value)] as const);
      resolve(testResponse(response.statusCode ?? 0, Object.fromEntries(flat), Buffer.concat(chunks)));
    });
  });
  outgoing.end(body);
  return promise;
}

/** A TCP connection under a test's control, which remembers everything that came back. */
export class RawConnection {
  readonly socket: Socket;
  readonly #chunks: Buffer[] = [];
  readonly #closed = Promise.withResolvers<void>();
  #isEnded = false;

  static async open(address: string): Promise<RawConnection> {
    const socket = connect({ ...hostAndPort(address), allowHalfOpen: true });
    const opened = Promise.withResolvers<void>();
    socket.once("connect", opened.resolve);
    socket.once("error", opened.reject);
    await opened.promise;
    return new RawConnection(socket);
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk) => this.#chunks.push(chunk));
    // A reset is one of the ways in which the server may end a connection.
    socket.on("error", () => {});
    socket.on("end", () => {
      this.#isEnded = true;
      socket.end();
      this.#closed.resolve();
    });
    socket.on("close", () => {
      this.#isEnded = true;
      this.#closed.resolve();
    });
  }

  /** Whether the server has ended its side. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  write(bytes: Buffer | string): void {
    this.socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  }

  /** Waits until what was written has left, or the connection is gone. */
  async drained(): Promise<void> {
    if (this.socket.writableLength === 0 || this.#isEnded) {
      await new Promise((wake) => {
        setImmediate(wake);
      });
      return;
    }
    const drained = new Promise<void>((wake) => {
      this.socket.once("drain", wake);
    });
    await Promise.race([drained, this.#closed.promise]);
  }

  /** Waits until the server ends the connection; throws when it does not within `withinMs`. */
  async ended(withinMs = 5000): Promise<void> {
    const timeout = Promise.withResolvers<void>();
    const timer = setTimeout(
      () => timeout.reject(new Error(`The connection is still open after ${withinMs} ms`)),
      withinMs,
    );
    try {
      await Promise.race([this.#closed.promise, timeout.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits until `count` whole answers have come. */
  async answers(count: number, withinMs = 5000): Promise<TestResponse[]> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const answers = parseAnswers(this.received);
      if (answers.length >= count) return answers;
      if (performance.now() > deadline) {
        throw new Error(
          `${answers.length} of ${count} answers came within ${withinMs} ms: ${this.received.toString("latin1").slice(0, 500)}`,
        );
      }
      await new Promise((wake) => {
        setTimeout(wake, 5);
      });
    }
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** Sends `bytes` on a connection of its own and gives back every answer that came until the server hung up. */
export async function sendRaw(
  address: string,
  bytes: Buffer | string,
  { halfClose = false, withinMs = 5000 }: { halfClose?: boolean; withinMs?: number } = {},
): Promise<TestResponse[]> {
  const connection = await RawConnection.open(address);
  connection.write(bytes);
  if (halfClose) connection.socket.end();
  try {
    await connection.ended(withinMs);
  } finally {
    connection.destroy();
  }
  return parseAnswers(connection.received);
}

/** Splits what a server sent into answers; a rest that is no whole answer is left out. Answers to HEAD do not occur. */
function parseAnswers(bytes: Buffer): TestResponse[] {
  const answers: TestResponse[] = [];
  for (let at = 0; at < bytes.length;) {
    const headEnd = bytes.indexOf("\r\n\r\n", at);
    if (headEnd === -1) break;
    const [statusLine = "", ...lines] = bytes.toString("latin1", at, headEnd).split("\r\n");
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
    );
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1]);
    const bodyEnd = headEnd + 4 + Number(headers["content-length"] ?? 0);
    if (bodyEnd > bytes.length) break;
    answers.push(testResponse(status, headers, bytes.subarray(headEnd + 4, bodyEnd)));
    at = bodyEnd;
  }
  return answers;
}

function hostAndPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
}

function testResponse(status: number, headers: Readonly<Record<string, string>>, body: Buffer): TestResponse {
  return {
    status,
    headers,
    body,
    get text() {
      return body.toString("utf8");
    },
    json: () => JSON.parse(body.toString("utf8")) as unknown,
  };
}
