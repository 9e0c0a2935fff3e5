import { createHmac, timingSafeEqual } from "node:crypto";
import { KvError, type ErrorCode } from "../model/errors.ts";
import type { NodeName } from "../model/position.ts";
import { decodeFailure } from "./failure-codec.ts";
import { FRAME, PROTOCOL_VERSION, type FrameType } from "./frame.ts";
import { parseJsonObject } from "./json-value.ts";
import type { WireMessage } from "./message-assembler.ts";
import { ProtocolError } from "./protocol-error.ts";

/** Who a node says it is. */
export interface PeerIdentity {
  readonly cluster: string;
  readonly node: NodeName;
  /** Id of its data directory, and of this life of its process. */
  readonly store: string;
  readonly boot: string;
  /** Version of the formats of log and rows. */
  readonly formatVersion: number;
}

export interface HandshakeOptions {
  readonly own: PeerIdentity;
  /** Shared by all nodes of the cluster; may be empty. */
  readonly secret: Buffer;
  /** Whether the topology has a node of this name. */
  readonly isKnownNode: (node: NodeName) => boolean;
  /** 128 random bits in hex, never used before. */
  readonly nonce: string;
  /** The node that was dialled; null on the side that accepted. */
  readonly dialled: NodeName | null;
}

/** What to send next, and whether that was all. */
export interface HandshakeStep {
  readonly send: { readonly type: FrameType; readonly payload: Buffer } | null;
  /** Set when both sides have proved themselves. */
  readonly peer: PeerIdentity | null;
}

/** The other node does not want us, or we do not want it. */
export class HandshakeRefused extends KvError {
  override readonly name: string = "HandshakeRefused";
  /** Whether the other node said so, and need not be told. */
  readonly byPeer: boolean;

  constructor(code: ErrorCode, message: string, byPeer = false) {
    super(code, message);
    this.byPeer = byPeer;
  }
}

const NONCE_PATTERN = /^[0-9a-f]{32}$/;
const TEXT_LENGTH_MAX = 255;

/**
 * The exchange with which every connection begins: HELLO both ways, then proof both ways, the dialler's first.
 *
 * A proof is HMAC-SHA-256 under the shared secret over who proves and both HELLOs as they were sent. Each HELLO carries a
 * fresh nonce, so a recorded proof is worth nothing later; the role in it makes reflecting it useless; and since all of
 * both HELLOs is covered, no field can be changed on the way. The side that accepts reveals no proof before the dialler
 * has given one. `receive` throws HandshakeRefused (to be told to the other node) or
 * ProtocolError; after that the handshake is over.
 */
export class Handshake {
  readonly #options: HandshakeOptions;
  readonly #ownHello: Buffer;
  #peerHello: Buffer | null = null;
  #peer: PeerIdentity | null = null;

  constructor(options: HandshakeOptions) {
    const { own, nonce } = options;
    this.#options = options;
    this.#ownHello = Buffer.from(
      JSON.stringify({
        protocol: PROTOCOL_VERSION,
        cluster: own.cluster,
        node: own.node,
        store: own.store,
        boot: own.boot,
        format: own.formatVersion,
        nonce,
      }),
    );
  }

  /** The dialler's first message; nothing on the other side. */
  start(): HandshakeStep {
    return { send: this.#isDialler ? { type: FRAME.hello, payload: this.#ownHello } : null, peer: null };
  }

  receive(message: WireMessage): HandshakeStep {
    if (message.type === FRAME.refused) {
      const { error } = decodeFailure(message.payload);
      throw new HandshakeRefused(error.code, error.message, true);
    }
    if (message.type === FRAME.hello && this.#peerHello === null) return this.#onHello(message.payload);
    if (message.type === FRAME.proof && this.#peerHello !== null) {
      return this.#onProof(message.payload, this.#peerHello);
    }
    throw new ProtocolError(`A frame of type ${message.type} came before the handshake was done`);
  }

  get #isDialler(): boolean {
    return this.#options.dialled !== null;
  }

  #onHello(payload: Buffer): HandshakeStep {
    this.#peer = this.#checkHello(payload);
    this.#peerHello = payload;
    if (!this.#isDialler) return { send: { type: FRAME.hello, payload: this.#ownHello }, peer: null };
    return { send: { type: FRAME.proof, payload: this.#proof("dialler", payload) }, peer: null };
  }

  #onProof(payload: Buffer, peerHello: Buffer): HandshakeStep {
    const expected = this.#proof(this.#isDialler ? "acceptor" : "dialler", peerHello);
    if (payload.length !== expected.length || !timingSafeEqual(payload, expected)) {
      throw new HandshakeRefused("UNAUTHORIZED", "The two nodes do not have the same shared secret");
    }
    if (this.#isDialler) return { send: null, peer: this.#peer };
    return { send: { type: FRAME.proof, payload: this.#proof("acceptor", peerHello) }, peer: this.#peer };
  }

  #checkHello(payload: Buffer): PeerIdentity {
    const { own, dialled, isKnownNode, nonce } = this.#options;
    const hello = parseHello(payload);
    if (hello.protocol !== PROTOCOL_VERSION) {
      throw new HandshakeRefused("PROTOCOL", `Protocol version ${hello.protocol} meets ${PROTOCOL_VERSION}`);
    }
    if (hello.cluster !== own.cluster) {
      throw new HandshakeRefused("WRONG_CLUSTER", `Node ${own.node} belongs to another cluster`);
    }
    if (hello.node === own.node || hello.boot === own.boot || hello.nonce === nonce) {
      throw new HandshakeRefused("PROTOCOL", `Node ${own.node} does not talk to itself`);
    }
    if (!isKnownNode(hello.node)) {
      throw new HandshakeRefused("WRONG_CLUSTER", `${own.node} knows no node ${hello.node} in its topology`);
    }
    if (dialled !== null && hello.node !== dialled) {
      throw new HandshakeRefused("WRONG_CLUSTER", `The peer address of ${dialled} belongs to ${hello.node}`);
    }
    if (hello.formatVersion !== own.formatVersion) {
      const versions = `${hello.formatVersion} meets ${own.formatVersion}`;
      throw new HandshakeRefused("UNKNOWN_FORMAT", `Format version ${versions}`);
    }
    const { cluster, node, store, boot, formatVersion } = hello;
    return { cluster, node, store, boot, formatVersion };
  }

  #proof(prover: "dialler" | "acceptor", peerHello: Buffer): Buffer {
    const hmac = createHmac("sha256", this.#options.secret).update(`kv peer ${prover}\n`);
    const hellos = this.#isDialler ? [this.#ownHello, peerHello] : [peerHello, this.#ownHello];
    for (const hello of hellos) {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(hello.length, 0);
      hmac.update(length).update(hello);
    }
    return hmac.digest();
  }
}

interface Hello extends PeerIdentity {
  readonly protocol: number;
  readonly nonce: string;
}

function parseHello(payload: Buffer): Hello {
  const { protocol, cluster, node, store, boot, format, nonce } = parseJsonObject(payload);
  if (!Number.isSafeInteger(protocol) || !Number.isSafeInteger(format)) {
    throw new ProtocolError("A HELLO has no versions");
  }
  if (!isText(cluster) || !isText(node) || !isText(store) || !isText(boot)) {
    throw new ProtocolError("A HELLO does not say who sent it");
  }
  if (typeof nonce !== "string" || !NONCE_PATTERN.test(nonce)) throw new ProtocolError("A HELLO has no nonce");
  return { protocol: Number(protocol), cluster, node, store, boot, formatVersion: Number(format), nonce };
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= TEXT_LENGTH_MAX;
}
