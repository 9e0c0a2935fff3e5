import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** One command: its words as text (UTF-8) or bytes. */
export type RespWords = readonly (string | Buffer)[];

/** The bytes of one command, as clients send it. */
export function encodeCommand(words: RespWords): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = typeof word === "string" ? Buffer.from(word) : word;
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n"));
  }
  return Buffer.concat(parts);
}

/** Where the reply that begins at `at` ends; null when its end has not arrived. Throws when it is no reply. */
function endOfReply(bytes: Buffer, at: number): number | null {
  const lineEnd = bytes.indexOf("\r\n", at);
  if (lineEnd < 0) return null;
  const type = String.fromCharCode(bytes[at] ?? 0);
  const behindLine = lineEnd + 2;
  if ("+-:_,#(".includes(type)) return behindLine;
  const count = Number(bytes.toString("latin1", at + 1, lineEnd));
  if (type === "$" || type === "=") {
    if (count < 0) return behindLine;
    const end = behindLine + count + 2;
    return end <= bytes.length ? end : null;
  }
  if (!"*~%>".includes(type) || !Number.isInteger(count)) {
    throw new Error(`No reply begins with ${JSON.stringify(type)}`);
  }
  let end = behindLine;
  for (let left = type === "%" ? 2 * count : count; left > 0; left--) {
    const next = endOfReply(bytes, end);
    if (next === null) return null;
    end = next;
  }
  return end;
}

/** A connection that speaks RESP and hands out replies as they came, byte by byte (as binary strings). */
export class RespClient {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #wake: (() => void) | null = null;
  #isClosed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake?.();
    });
    socket.on("error", () => this.#wake?.());
    socket.on("close", () => {
      this.#isClosed = true;
      this.#wake?.();
    });
  }

  /** `address` is `host:port`. */
  static async open(address: string): Promise<RespClient> {
    const colon = address.lastIndexOf(":");
    const socket = connect({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)), noDelay: true });
    await once(socket, "connect");
    return new RespClient(socket);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get socket(): Socket {
    return this.#socket;
  }

  send(bytes: Buffer | string): void {
    this.#socket.write(bytes);
  }

  /** One command, one reply. */
  async ask(...words: RespWords): Promise<string> {
    this.send(encodeCommand(words));
    return this.read();
  }

  /** All commands in one write; their replies. */
  async askAll(commands: readonly RespWords[]): Promise<string[]> {
    this.send(Buffer.concat(commands.map(encodeCommand)));
    const replies: string[] = [];
    for (let left = commands.length; left > 0; left--) replies.push(await this.read());
    return replies;
  }

  /** The next reply; throws when the connection ends before it. */
  async read(): Promise<string> {
    for (;;) {
      const end = endOfReply(this.#received, 0);
      if (end !== null) {
        const reply = this.#received.toString("latin1", 0, end);
        this.#received = this.#received.subarray(end);
        return reply;
      }
      if (this.#isClosed) throw new Error(`the connection ended; what is left: ${this.#received.toString("latin1")}`);
      await this.#change();
    }
  }

  /** Everything until the other side ends the connection. */
  async readToEnd(): Promise<string> {
    while (!this.#isClosed) await this.#change();
    return this.#received.toString("latin1");
  }

  close(): void {
    this.#socket.destroy();
  }

  async #change(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await promise;
    this.#wake = null;
  }
}
