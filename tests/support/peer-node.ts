import { setTimeout as delay } from "node:timers/promises";
import { SystemRandom } from "../../src/base/random.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { SystemClock } from "../../src/base/system-clock.ts";
import type { PeerIdentity } from "../../src/wire/handshake.ts";
import type { PeerTimings } from "../../src/wire/peer-connection.ts";
import type { PeerHandler, PeerMessage, RequestFailure, Respond } from "../../src/wire/peer-network.ts";
import { TcpPeerNetwork } from "../../src/wire/tcp-peer-network.ts";

const random = new SystemRandom();

/** A loopback address that no other test is likely to use. */
export function randomLoopback(): string {
  const byte = (): number => 1 + Math.floor(random.next() * 250);
  return `127.${16 + Math.floor(random.next() * 200)}.${byte()}.${byte()}`;
}

/** Waits until `condition` holds, at most `limitMs`. */
export async function until(what: string, condition: () => boolean, limitMs = 5000): Promise<void> {
  const endsAtMs = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > endsAtMs) throw new Error(`Waited ${limitMs} ms in vain until ${what}`);
    await delay(2);
  }
}

/** Where the nodes of one test are: node name → peer address. */
export type AddressBook = Map<string, string>;

export interface PeerNodeOptions {
  readonly identity?: Partial<PeerIdentity>;
  readonly secret?: string;
  readonly timings?: Partial<PeerTimings>;
  readonly isKnownNode?: (node: string) => boolean;
  readonly host?: string;
  readonly port?: number;
}

/** A node that has nothing but its network; it records what arrives and echoes requests unless told otherwise. */
export class PeerNode implements PeerHandler {
  readonly name: string;
  readonly host: string;
  readonly network: TcpPeerNetwork;
  readonly messages: { readonly from: string; readonly message: PeerMessage }[] = [];
  readonly disconnected: string[] = [];
  readonly book: AddressBook;
  onRequestBody: (body: Buffer, respond: Respond, from: string) => void = (body, respond) => respond(body);
  onMessageArrived: (message: PeerMessage, from: string) => void = (message, from) => {
    this.messages.push({ from, message });
  };

  constructor(name: string, book: AddressBook, options: PeerNodeOptions = {}) {
    this.name = name;
    this.host = options.host ?? randomLoopback();
    this.book = book;
    const identity = {
      cluster: "test",
      node: name,
      store: random.uuid(),
      boot: random.hex64(),
      formatVersion: 1,
      ...options.identity,
    };
    this.network = new TcpPeerNetwork({
      identity: () => identity,
      secret: Buffer.from(options.secret ?? ""),
      listenAddress: `${this.host}:${options.port ?? 0}`,
      isKnownNode: options.isKnownNode ?? ((node) => book.has(node)),
      addressOf: (node) => book.get(node),
      clock: new SystemClock(),
      random,
      logger: silentLogger,
      ...(options.timings === undefined ? {} : { timings: options.timings }),
    });
  }

  get port(): number {
    return this.network.port;
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      this.network.start(this, (error) => (error === null ? resolve() : reject(error)));
    });
    this.book.set(this.name, `${this.host}:${this.port}`);
    return this;
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.network.close(resolve);
    });
  }

  async ask(to: string, body: Buffer, timeoutMs = 5000): Promise<{ readonly body: Buffer } | RequestFailure> {
    return new Promise((resolve) => {
      this.network.request(to, { body, timeoutMs, done: resolve });
    });
  }

  onMessage(from: string, message: PeerMessage): void {
    this.onMessageArrived(message, from);
  }

  onRequest(from: string, body: Buffer, respond: Respond): void {
    this.onRequestBody(body, respond, from);
  }

  onDisconnected(node: string): void {
    this.disconnected.push(node);
  }
}

/** Starts nodes of these names that know each other; each test stops them itself. */
export async function startPeerNodes(names: readonly string[], options: PeerNodeOptions = {}): Promise<PeerNode[]> {
  const book: AddressBook = new Map();
  const nodes = names.map((name) => new PeerNode(name, book, options));
  return Promise.all(nodes.map((node) => node.start()));
}
