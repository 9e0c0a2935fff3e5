import { Agent, type IncomingHttpHeaders, request as sendRequest } from "node:http";
import { KvError } from "../model/errors.ts";

/** One request to a node; `path` is percent-encoded. */
export interface NodeRequest {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  readonly timeoutMs?: number;
}

/** A whole answer, whatever its status. */
export interface NodeAnswer {
  readonly node: string;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const TIMEOUT_MS_DEFAULT = 15_000;

/**
 * Sends requests to nodes over connections that stay open.
 *
 * A request that could not be sent throws UNREACHABLE (definitely not applied); one that was sent and got no whole answer
 * throws UNKNOWN_OUTCOME: whether it took effect cannot be told. Nothing is tried again here.
 */
export class NodeHttp {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });

  async ask(node: string, request: NodeRequest): Promise<NodeAnswer> {
    return new Promise((resolve, reject) => {
      const { method, path, headers, body, timeoutMs = TIMEOUT_MS_DEFAULT } = request;
      const outgoing = sendRequest(`http://${node}${path}`, {
        method,
        agent: this.#agent,
        headers: { ...headers, ...(body === undefined ? {} : { "Content-Length": String(body.length) }) },
        timeout: timeoutMs,
      });
      let hasConnected = outgoing.reusedSocket;
      outgoing.once("socket", (socket) => {
        if (socket.connecting) socket.once("connect", () => (hasConnected = true));
        else hasConnected = true;
      });
      const fail = (error: Error): void => reject(failureOf(node, error, hasConnected));
      outgoing.once("timeout", () => outgoing.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
      outgoing.once("error", fail);
      outgoing.once("response", (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
        incoming.once("error", fail);
        incoming.once("end", () => {
          resolve({
            node,
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            body: Buffer.concat(chunks),
          });
        });
      });
      outgoing.end(body);
    });
  }

  /** Closes the idle connections; without it the process would not end. */
  close(): void {
    this.#agent.destroy();
  }
}

function failureOf(node: string, error: Error, hasConnected: boolean): KvError {
  if (!hasConnected) return new KvError("UNREACHABLE", `${node} ${reasonOf(error)}`, { cause: error });
  return new KvError("UNKNOWN_OUTCOME", `${node} took the request but did not answer it: ${error.message}`, {
    cause: error,
  });
}

function reasonOf(error: Error): string {
  const code = "code" in error ? String(error.code) : "";
  if (code === "ECONNREFUSED") return "refuses connections";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "has a host name that nobody knows";
  if (code === "EADDRNOTAVAIL" || code === "EHOSTUNREACH" || code === "ENETUNREACH") {
    return "has an address without a route";
  }
  return `cannot be reached: ${error.message}`;
}
