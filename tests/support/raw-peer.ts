import { connect, type Socket } from "node:net";
import { SystemRandom } from "../../src/base/random.ts";
import { LIMITS } from "../../src/model/limits.ts";
import { decodeFailure } from "../../src/wire/failure-codec.ts";
import { FRAME, type Frame } from "../../src/wire/frame.ts";
import { FrameDecoder } from "../../src/wire/frame-decoder.ts";
import { Handshake, type PeerIdentity } from "../../src/wire/handshake.ts";
import { until, type PeerNode } from "./peer-node.ts";
import { frameBytes } from "./wire-frames.ts";

const random = new SystemRandom();

/** The other end of a peer port, held by the test byte by byte: it may say anything at any time. */
export class RawPeer {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  isClosed = false;
  readonly #node: PeerNode;
  readonly #decoder = new FrameDecoder(LIMITS.frameBytesMax);

  constructor(node: PeerNode, localAddress?: string) {
    this.#node = node;
    this.socket = connect({
      host: node.host,
      port: node.port,
      ...(localAddress === undefined ? {} : { localAddress }),
    });
    this.socket.on("data", (chunk: Buffer) => this.#decoder.push(chunk, (frame) => this.frames.push(frame)));
    this.socket.on("error", () => {});
    this.socket.on("close", () => (this.isClosed = true));
  }

  write(...bytes: readonly Buffer[]): void {
    for (const each of bytes) this.socket.write(each);
  }

  /** Proves itself as the node `name`. */
  async prove(name: string, identity: Partial<PeerIdentity> = {}, secret = ""): Promise<this> {
    const handshake = new Handshake({
      own: { cluster: "test", node: name, store: "raw", boot: random.hex64(), formatVersion: 1, ...identity },
      secret: Buffer.from(secret),
      isKnownNode: () => true,
      nonce: random.hex64() + random.hex64(),
      dialled: this.#node.name,
    });
    let step = handshake.start();
    while (step.peer === null) {
      if (step.send !== null) this.write(frameBytes(step.send));
      const frame = await this.next();
      step = handshake.receive({
        type: frame.type,
        id: frame.id,
        shardBytes: frame.shardBytes,
        payload: frame.payload,
      });
    }
    return this;
  }

  /** The next frame that comes. */
  async next(): Promise<Frame> {
    await until("a frame arrives", () => this.frames.length > 0 || this.isClosed);
    const frame = this.frames.shift();
    if (frame === undefined) throw new Error("The connection was closed");
    return frame;
  }

  /** Waits until the node has closed the connection; gives the reason if it told one. */
  async refusal(): Promise<string> {
    await until("the node closes the connection", () => this.isClosed);
    const refused = this.frames.find((frame) => frame.type === FRAME.refused);
    return refused === undefined ? "" : decodeFailure(refused.payload).error.message;
  }

  destroy(): void {
    this.socket.destroy();
  }
}
