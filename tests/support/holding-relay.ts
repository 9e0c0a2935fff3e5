import { connect, createServer, type Server, type Socket } from "node:net";

/**
 * A relay in front of a server that can keep what its clients send, even after they have gone: a network that delivers a request
 * long after its sender gave up.
 */
export class HoldingRelay {
  readonly #server: Server;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #links = new Set<Link>();
  #isHolding = false;

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  static async start(target: { readonly host: string; readonly port: number }): Promise<HoldingRelay> {
    const relay = new HoldingRelay(target);
    const { promise, resolve } = Promise.withResolvers<void>();
    relay.#server.listen({ host: "127.0.0.1", port: 0 }, resolve);
    await promise;
    return relay;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  hold(): void {
    this.#isHolding = true;
  }

  /** Delivers everything, and waits until each connection on which something was held has an answer; gives their number. */
  async release(): Promise<number> {
    this.#isHolding = false;
    const answers = [...this.#links].filter((link) => link.heldByteCount > 0).map(async (link) => link.deliver());
    return (await Promise.all(answers)).length;
  }

  close(): void {
    this.#server.close();
    for (const link of this.#links) link.close();
  }

  #accept(socket: Socket): void {
    const link = new Link(socket, this.#target, () => this.#isHolding);
    this.#links.add(link);
  }
}

/** One client's connection and the one to the server that belongs to it. */
class Link {
  readonly #client: Socket;
  readonly #server: Socket;
  #held: Buffer[] = [];

  constructor(client: Socket, target: { readonly host: string; readonly port: number }, isHolding: () => boolean) {
    this.#client = client;
    this.#server = connect({ ...target, noDelay: true });
    client.on("data", (chunk: Buffer) => {
      if (isHolding()) this.#held.push(chunk);
      else this.#server.write(chunk);
    });
    this.#server.on("data", (chunk: Buffer) => {
      if (client.writable) client.write(chunk);
    });
    client.on("error", () => {});
    client.on("close", () => {
      if (this.#held.length === 0 && !isHolding()) this.#server.destroy();
    });
    this.#server.on("error", () => client.destroy());
    this.#server.on("close", () => client.destroy());
  }

  get heldByteCount(): number {
    return this.#held.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  async deliver(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.once("data", () => resolve());
    this.#server.once("close", () => resolve());
    for (const chunk of this.#held) this.#server.write(chunk);
    this.#held = [];
    await promise;
  }

  close(): void {
    this.#client.destroy();
    this.#server.destroy();
  }
}
