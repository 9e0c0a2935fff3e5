import { connect, type Socket } from "node:net";

interface Waiting {
  readonly resolve: (text: string) => void;
  readonly reject: (error: Error) => void;
}

const LINE_END = "\r\n";

/**
 * A connection that speaks as much RESP2 as a benchmark needs besides its load: commands in, and simple strings, errors,
 * integers and bulk strings out. Commands may be sent without waiting for the answers before.
 *
 * Owns the socket. An error reply rejects its command; a lost connection rejects all that wait.
 */
export class RespConnection {
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];
  #received = "";

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#receive(chunk.toString("latin1")));
    socket.on("close", () => this.#fail(new Error("the connection was closed")));
    socket.on("error", (error) => this.#fail(error));
  }

  static async open(host: string, port: number): Promise<RespConnection> {
    const socket = connect({ host, port });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return new RespConnection(socket);
  }

  /** Resolves with the reply as text; "" for nil. Words are latin1. */
  async ask(...words: readonly string[]): Promise<string> {
    if (this.#socket.destroyed) throw new Error("the connection is closed");
    this.#socket.write(renderCommand(words), "latin1");
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(text: string): void {
    this.#received += text;
    for (;;) {
      const lineEnd = this.#received.indexOf(LINE_END);
      if (lineEnd < 0) return;
      const kind = this.#received[0];
      const line = this.#received.slice(1, lineEnd);
      const bodyStart = lineEnd + LINE_END.length;
      const bodyLength = kind === "$" ? Number(line) : -1;
      const end = bodyLength < 0 ? bodyStart : bodyStart + bodyLength + LINE_END.length;
      if (this.#received.length < end) return;
      const reply = bodyLength < 0 ? line : this.#received.slice(bodyStart, bodyStart + bodyLength);
      this.#received = this.#received.slice(end);
      const waiting = this.#waiting.shift();
      if (kind === "-") waiting?.reject(new Error(line));
      else waiting?.resolve(kind === "$" && bodyLength < 0 ? "" : reply);
    }
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}

function renderCommand(words: readonly string[]): string {
  const parts = words.map((word) => `$${word.length}${LINE_END}${word}${LINE_END}`);
  return `*${words.length}${LINE_END}${parts.join("")}`;
}
