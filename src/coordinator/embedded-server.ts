import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Timers } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { isNoSpace } from "../base/no-space.ts";
import { findListener, processPhrase } from "../base/process-finder.ts";
import { KvError } from "../model/errors.ts";
import { browserFault } from "./browser-guard.ts";
import { keyFault, prefixFault, swapFault } from "./call-checks.ts";
import { EMBEDDED_PATHS, REQUEST_BYTES_MAX } from "./embedded-protocol.ts";
import type { EmbeddedStore, StoreSwap, StoreSwapResult } from "./embedded-store.ts";
import { EmbeddedWatchers } from "./embedded-watchers.ts";
import { JsonAnswer } from "./json-answer.ts";

export interface EmbeddedServerOptions {
  readonly store: EmbeddedStore;
  /** Port 0 picks a free one. */
  readonly host: string;
  readonly port: number;
  readonly timers: Timers;
  readonly logger: Logger;
  /** The store could not be written: what is on disk is unknown, and the process must end (as in rule S3). */
  readonly onFatal: (error: unknown) => void;
}

const URL_BYTES_MAX = 256;
const HEAD_BYTES_MAX = 8192;
const CONNECTIONS_MAX = 2048;
const REQUEST_MS_MAX = 5000;
const HEADERS_MAX = 50;
/** Clients ask every second or two: a connection that is closed under a request makes its outcome unknown. */
const IDLE_MS_MAX = 60_000;
/** Bodies being read, all together. */
const BODY_BYTES_MAX = 33_554_432;

interface Waiting {
  readonly swap: StoreSwap;
  readonly response: ServerResponse;
}

/**
 * Serves the documents of an `EmbeddedStore`, by the protocol of embedded-protocol.ts.
 *
 * Owns the listening socket, its connections and watchers. Swaps that arrived in one turn of the loop are written to disk together;
 * an answer goes out after that, and only then do reads see the change. Bad input is answered with a sentence and changes
 * nothing.
 */
export class EmbeddedServer {
  readonly #options: EmbeddedServerOptions;
  readonly #server: Server;
  readonly #watchers: EmbeddedWatchers;
  #waiting: Waiting[] = [];
  #bodyByteCount = 0;
  #isBroken = false;

  constructor(options: EmbeddedServerOptions) {
    this.#options = options;
    this.#watchers = new EmbeddedWatchers(options.timers);
    this.#server = createServer({
      maxHeaderSize: HEAD_BYTES_MAX,
      headersTimeout: REQUEST_MS_MAX,
      requestTimeout: REQUEST_MS_MAX,
      connectionsCheckingInterval: 1000,
      requireHostHeader: false,
      keepAliveTimeout: IDLE_MS_MAX,
      noDelay: true,
    });
    this.#server.maxHeadersCount = HEADERS_MAX;
    this.#server.maxConnections = CONNECTIONS_MAX;
    // Also of those who do not read their answers; watchers are told something more often.
    this.#server.timeout = IDLE_MS_MAX;
    this.#server.on("request", (request, response) => this.#receive(request, response));
  }

  /** Starts to listen; gives the port. Throws KvError ADDRESS_IN_USE, which names the process in the way where it can be found. */
  async listen(): Promise<number> {
    const { host, port, logger } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject);
    this.#server.listen({ host, port, exclusive: true }, resolve);
    try {
      await promise;
    } catch (error) {
      throw listenError(host, port, error);
    }
    this.#server.off("error", reject);
    this.#server.on("error", (error) => logger.error("The listener failed", { reason: error.message }));
    const bound = this.#server.address();
    return typeof bound === "object" && bound !== null ? bound.port : port;
  }

  /** Answers what was received, then ends every connection. */
  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#watchers.close();
    this.#options.timers.soon(() => this.#server.closeAllConnections());
    await promise;
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    request.on("error", ignore);
    response.on("error", ignore);
    const fault = this.#faultOfHead(request);
    if (fault !== null) {
      refuse(response, fault.status, fault.reason);
      return;
    }
    if (request.method === "GET") {
      answer(response, { documents: this.#options.store.documentCount });
      return;
    }
    this.#readBody(request, response);
  }

  #faultOfHead({ url = "", method, headers }: IncomingMessage): { status: number; reason: string } | null {
    if (url.length > URL_BYTES_MAX) return { status: 414, reason: `The URL is longer than ${URL_BYTES_MAX} bytes` };
    const fault = browserFault(headers, this.#options.host);
    if (fault !== null) return { status: 403, reason: fault };
    if (method === "GET" && url === "/healthz") return null;
    if (!Object.values<string>(EMBEDDED_PATHS).includes(url)) return { status: 404, reason: "There is no such path" };
    if (method !== "POST") return { status: 405, reason: "This path takes only POST" };
    if (headers["content-type"] !== "application/json") {
      return { status: 415, reason: "The body must be application/json" };
    }
    if (Number(headers["content-length"] ?? 0) > REQUEST_BYTES_MAX) return TOO_LARGE;
    return null;
  }

  #readBody(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    let byteCount = 0;
    const release = (): void => {
      this.#bodyByteCount -= byteCount;
      byteCount = 0;
    };
    request.once("close", release);
    request.on("data", (chunk: Buffer) => {
      if (response.writableEnded) return;
      byteCount += chunk.length;
      this.#bodyByteCount += chunk.length;
      chunks.push(chunk);
      if (byteCount > REQUEST_BYTES_MAX) refuse(response, TOO_LARGE.status, TOO_LARGE.reason);
      else if (this.#bodyByteCount > BODY_BYTES_MAX) refuse(response, 503, "The coordinator has too many requests");
    });
    request.once("end", () => {
      if (response.writableEnded) return;
      const body = JsonAnswer.parse(Buffer.concat(chunks));
      release();
      if (body === null) refuse(response, 400, "The body is not a JSON object in UTF-8");
      else this.#serve(request.url ?? "", body, response);
    });
  }

  #serve(path: string, body: JsonAnswer, response: ServerResponse): void {
    switch (path) {
      case EMBEDDED_PATHS.read:
        this.#serveRead(body, response);
        return;
      case EMBEDDED_PATHS.list:
        this.#serveList(body, response);
        return;
      case EMBEDDED_PATHS.watch:
        this.#serveWatch(body, response);
        return;
      default:
        this.#serveSwap(body, response);
    }
  }

  #serveRead(body: JsonAnswer, response: ServerResponse): void {
    const key = body.text("key") ?? "";
    const fault = keyFault(key) ?? unknownMember(body, ["key"]);
    const document = this.#options.store.get(key);
    if (fault !== null) refuse(response, 400, fault);
    else if (document === undefined) answer(response, { found: false });
    else answer(response, { found: true, value: document.value, revision: document.revision });
  }

  #serveList(body: JsonAnswer, response: ServerResponse): void {
    const prefix = body.text("prefix") ?? "";
    const fault = prefixFault(prefix) ?? unknownMember(body, ["prefix"]);
    if (fault !== null) refuse(response, 400, fault);
    else answer(response, { documents: this.#options.store.list(prefix) });
  }

  #serveWatch(body: JsonAnswer, response: ServerResponse): void {
    const key = body.text("key") ?? "";
    const fault = keyFault(key) ?? unknownMember(body, ["key"]);
    if (fault !== null) refuse(response, 400, fault);
    else if (this.#watchers.isFull) refuse(response, 503, "The coordinator has as many watchers as it can");
    else this.#watchers.add(key, response);
  }

  #serveSwap(body: JsonAnswer, response: ServerResponse): void {
    const key = body.text("key") ?? "";
    const expectedRevision = body.text("expected");
    const value = body.text("value");
    if (expectedRevision === undefined || value === undefined) {
      refuse(response, 400, "A swap has the texts key, expected and value");
      return;
    }
    const swap = { key, expectedRevision, value };
    const fault = swapFault(key, swap) ?? unknownMember(body, ["key", "expected", "value"]);
    if (fault !== null) {
      refuse(response, 400, fault);
      return;
    }
    this.#waiting.push({ swap, response });
    if (this.#waiting.length === 1) this.#options.timers.soon(() => this.#decide());
  }

  #decide(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (this.#isBroken) return;
    let results: readonly StoreSwapResult[];
    try {
      results = this.#options.store.swap(waiting.map(({ swap }) => swap));
    } catch (error) {
      if (isNoSpace(error)) {
        for (const { response } of waiting) refuse(response, 507, "The coordinator's disk is full");
        return;
      }
      // Nobody is answered: what is on disk is for the next process to find out.
      this.#isBroken = true;
      this.#options.onFatal(error);
      return;
    }
    const changed = new Set<string>();
    for (const [index, { swap, response }] of waiting.entries()) {
      const result = results[index];
      if (result?.kind === "accepted") changed.add(swap.key);
      if (result !== undefined) answerSwap(response, result);
    }
    this.#watchers.tell(changed);
  }
}

const TOO_LARGE = { status: 413, reason: `The body is longer than ${REQUEST_BYTES_MAX} bytes` };

function answerSwap(response: ServerResponse, result: StoreSwapResult): void {
  if (result.kind === "full") refuse(response, 507, result.reason);
  else if (result.kind === "refused") answer(response, { accepted: false });
  else answer(response, { accepted: true, revision: result.revision });
}

function unknownMember(body: JsonAnswer, known: readonly string[]): string | null {
  const name = body.names.find((one) => !known.includes(one));
  return name === undefined ? null : `${JSON.stringify(name.slice(0, 64))} is not a known member`;
}

function answer(response: ServerResponse, content: object): void {
  const body = Buffer.from(JSON.stringify(content));
  response.writeHead(200, { "Content-Type": "application/json", "Content-Length": body.length });
  response.end(body);
}

/** Everything that is refused is refused before anything changes. The connection ends, so that no unread body is taken for a request. */
function refuse(response: ServerResponse, status: number, reason: string): void {
  response.writeHead(status, { "Content-Type": "application/json", Connection: "close" });
  response.end(JSON.stringify({ error: reason, outcome: "not_applied" }));
}

function ignore(): void {}

function listenError(host: string, port: number, error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error)) return error;
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  if (error.code !== "EADDRINUSE") {
    return new KvError("CONFIG_INVALID", `${address} cannot be listened on: ${error.message}`, { cause: error });
  }
  const found = findListener(port, host);
  const owner = found === null ? "another process" : processPhrase(found);
  const advice = found === null ? "" : `; end it with: kill ${found.pid}`;
  return new KvError("ADDRESS_IN_USE", `${address} is in use by ${owner}${advice}`, { cause: error });
}
