import type { KvError } from "../model/errors.ts";
import type { NodeName } from "../model/position.ts";

/** A message between nodes: a JSON header for coordination, and bytes that travel as they are. */
export interface PeerMessage {
  /** Which message it is; see docs/protocol.md. */
  readonly type: string;
  readonly shard: string;
  readonly header: unknown;
  readonly body: Buffer;
}

/** Hands the answer to a request back; only the first call counts. */
export type Respond = (body: Buffer) => void;

/** What a node does with what arrives. One handler for the whole node. */
export interface PeerHandler {
  onMessage(from: NodeName, message: PeerMessage): void;
  /** A request of another node: `body` in, exactly one `respond` out. */
  onRequest(from: NodeName, body: Buffer, respond: Respond): void;
  /** No connection with `node` is left. Messages may have been lost. */
  onDisconnected(node: NodeName): void;
}

export interface PeerRequest {
  readonly body: Buffer;
  readonly deadlineMs: number;
  /**
   * Called exactly once. On failure `sent` says whether the bytes may have reached the other node: false means that the
   * request was definitely not seen (rule U5).
   */
  readonly done: (outcome: { readonly body: Buffer } | { readonly error: KvError; readonly sent: boolean }) => void;
}

/**
 * How nodes talk. Connections are made on demand and remade when lost.
 *
 * Messages are sent at most once, in order on one connection, and may be lost with it: whoever needs more repeats.
 * `send` to a node that cannot be reached is dropped silently. Every queue has a bound.
 */
export interface PeerNetwork {
  /** The replication stream: false when it was dropped at once (no connection could be used, or the queue is full). */
  send(to: NodeName, message: PeerMessage): boolean;
  request(to: NodeName, request: PeerRequest): void;
}
