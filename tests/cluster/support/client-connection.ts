import { Agent, request } from "node:http";

/** What a client got for a request: an answer, or a failure before (`refused`) or after (`lost`) the request may have left. */
export type Exchange =
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly headers: Readonly<Record<string, string | string[] | undefined>>;
      readonly body: Buffer;
    }
  | { readonly kind: "refused" }
  | { readonly kind: "lost"; readonly reason: string };

export interface ClientRequest {
  readonly method?: string;
  /** As it goes out: `/v1/kv/key`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  readonly timeoutMs?: number;
}

/** Longer than any wait of the server, so that its own honest answer comes first. */
const TIMEOUT_MS = 12_000;

/**
 * One client with one kept connection to each node it talks to. A request is never repeated: what became of it is for the caller
 * to judge, as it is for a user.
 */
export class ClientConnection {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  async send(address: string, options: ClientRequest): Promise<Exchange> {
    const { method = "GET", path, headers = {}, body, timeoutMs = TIMEOUT_MS } = options;
    const colon = address.lastIndexOf(":");
    const { promise, resolve } = Promise.withResolvers<Exchange>();
    const outgoing = request({
      agent: this.#agent,
      host: address.slice(0, colon),
      port: Number(address.slice(colon + 1)),
      method,
      path,
      headers: { ...headers, ...(body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) }) },
    });
    const timer = setTimeout(() => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    outgoing.on("error", (error) => {
      const isRefused = "code" in error && error.code === "ECONNREFUSED";
      resolve(isRefused ? { kind: "refused" } : { kind: "lost", reason: error.message });
    });
    outgoing.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("error", (error) => resolve({ kind: "lost", reason: error.message }));
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const { statusCode = 0, headers: answered } = response;
        resolve({ kind: "answer", status: statusCode, headers: answered, body: Buffer.concat(chunks) });
      });
      response.on("aborted", () => resolve({ kind: "lost", reason: "the answer broke off" }));
    });
    outgoing.end(body);
    const exchange = await promise;
    clearTimeout(timer);
    return exchange;
  }

  close(): void {
    this.#agent.destroy();
  }
}
