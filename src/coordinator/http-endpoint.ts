import { type ClientRequest, type IncomingMessage, request } from "node:http";
import type { Timer, Timers } from "../base/clock.ts";
import { CheckedAgent, type EndpointAddress } from "./checked-agent.ts";

/** What became of a request. */
export type CallResult =
  | { readonly kind: "answer"; readonly status: number; readonly body: Buffer }
  /** Nothing of it was sent: it did definitely not happen. */
  | { readonly kind: "unsent"; readonly reason: string }
  /** It was sent, at least in part, and nobody knows more. */
  | { readonly kind: "lost"; readonly reason: string };

export interface Post {
  readonly path: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Deadlines {
  /** By when a connection must be there. */
  readonly connectMs: number;
  /** By when the whole answer must be there. */
  readonly answerMs: number;
}

export interface StreamEvents {
  /** Some of the answer; only with status 200. */
  readonly onData: (chunk: Buffer) => void;
  /** Called once, and last; not after `stop`. */
  readonly onEnd: (reason: string) => void;
}

/** All documents of a cluster in base64, with room. */
const ANSWER_BYTES_MAX = 33_554_432;
const ERROR_TEXT_MAX = 300;
const CALL_SOCKETS_MAX = 64;

/**
 * One address at which a coordinator listens; speaks HTTP/1.1 with it.
 *
 * Owns the connections. Tells "never sent" from "sent" with certainty, which decides between *failed* and *unknown*. Never
 * sends a request twice (rule C2), never follows a redirect. Callbacks never run within a call, nor after `close`.
 */
export class HttpEndpoint {
  /** `host:port`, for messages. */
  readonly name: string;
  readonly #address: EndpointAddress;
  readonly #timers: Timers;
  readonly #callAgent: CheckedAgent;
  /** Apart, so that streams, which never end, keep no call waiting. */
  readonly #streamAgent: CheckedAgent;
  #isClosed = false;

  constructor(address: EndpointAddress, timers: Timers) {
    this.#address = address;
    this.#timers = timers;
    this.#callAgent = new CheckedAgent(address, CALL_SOCKETS_MAX);
    this.#streamAgent = new CheckedAgent(address, Infinity);
    this.name = `${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
  }

  /** Sends one request and hands over the whole answer. */
  post(post: Post, deadlines: Deadlines, done: (result: CallResult) => void): void {
    const outgoing = this.#start(post, this.#callAgent);
    let isSent = false;
    let isOver = false;
    const waits: Timer[] = [];
    const finish = (result: CallResult): void => {
      if (isOver) return;
      isOver = true;
      for (const wait of waits) wait.cancel();
      if (!this.#isClosed) done(result);
    };
    const giveUp = (reason: string): void => {
      finish({ kind: isSent ? "lost" : "unsent", reason });
      outgoing.destroy();
    };
    waits.push(
      this.#timers.after(Math.min(deadlines.connectMs, deadlines.answerMs), () => {
        if (!isSent) giveUp(`${this.name} could not be connected to in time`);
      }),
      this.#timers.after(deadlines.answerMs, () => giveUp(`${this.name} did not answer in time`)),
    );
    outgoing.once("socket", () => (isSent = true));
    outgoing.on("error", (error) => giveUp(this.#reasonOf(error)));
    outgoing.on("response", (response) => {
      collect(response, (body) => {
        if (body === null) giveUp(`${this.name} broke off its answer`);
        else finish({ kind: "answer", status: response.statusCode ?? 0, body });
      });
    });
    outgoing.end(post.body);
  }

  /** Sends one request whose answer goes on for ever. It ends by itself after `silenceMsMax` without any byte of it. */
  stream(post: Post, silenceMsMax: number, events: StreamEvents): { stop(): void } {
    const outgoing = this.#start(post, this.#streamAgent);
    let isOver = false;
    let silence: Timer | null = null;
    const end = (reason: string): void => {
      if (isOver) return;
      isOver = true;
      silence?.cancel();
      outgoing.destroy();
      if (!this.#isClosed) events.onEnd(reason);
    };
    const listen = (): void => {
      silence?.cancel();
      silence = this.#timers.after(silenceMsMax, () => end(`${this.name} was silent`));
    };
    listen();
    outgoing.on("error", (error) => end(this.#reasonOf(error)));
    outgoing.on("response", (response) => {
      response.on("error", (error) => end(this.#reasonOf(error)));
      response.on("close", () => end(`${this.name} ended the stream`));
      if (response.statusCode !== 200) {
        collect(response, (body) => end(`${this.name} answered ${response.statusCode}: ${textOf(body)}`));
        return;
      }
      response.on("data", (chunk: Buffer) => {
        if (isOver) return;
        listen();
        events.onData(chunk);
      });
    });
    outgoing.end(post.body);
    return {
      stop: () => {
        isOver = true;
        silence?.cancel();
        outgoing.destroy();
      },
    };
  }

  close(): void {
    this.#isClosed = true;
    this.#callAgent.destroy();
    this.#streamAgent.destroy();
  }

  #start({ path, body, headers }: Post, agent: CheckedAgent): ClientRequest {
    return request({
      agent,
      host: this.#address.host,
      port: this.#address.port,
      method: "POST",
      path,
      headers: {
        ...headers,
        Host: this.name,
        "Content-Type": "application/json",
        "Content-Length": Buffer.byteLength(body),
      },
    });
  }

  #reasonOf(error: Error): string {
    const code = "code" in error && typeof error.code === "string" ? error.code : "";
    if (code === "ECONNREFUSED") return `${this.name} refused the connection: nothing listens there`;
    if (code === "ECONNRESET" || code === "EPIPE") return `${this.name} broke off the connection`;
    if (isAboutCertificate(code)) return `The certificate of ${this.name} is not trusted: ${error.message}`;
    return `${this.name} could not be reached: ${error.message || code}`;
  }
}

/** What an answer says, shortened for a message. */
export function textOf(body: Buffer | null): string {
  const text = body === null ? "" : body.toString("utf8").trim();
  return text === "" ? "nothing" : text.slice(0, ERROR_TEXT_MAX);
}

/** Hands over the whole body, or null when it broke off or is longer than any legal one. */
function collect(response: IncomingMessage, done: (body: Buffer | null) => void): void {
  const chunks: Buffer[] = [];
  let byteCount = 0;
  response.on("data", (chunk: Buffer) => {
    byteCount += chunk.length;
    if (byteCount > ANSWER_BYTES_MAX) done(null);
    else chunks.push(chunk);
  });
  response.once("end", () => done(Buffer.concat(chunks)));
  response.once("error", () => done(null));
  response.once("close", () => done(response.complete ? Buffer.concat(chunks) : null));
}

/** OpenSSL's verdicts on a chain, and Node's on names. */
function isAboutCertificate(code: string): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_|ISSUER|ERR_TLS/.test(code);
}
