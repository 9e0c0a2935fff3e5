import type { KvError } from "../model/errors.ts";
import type { NodeName } from "../model/position.ts";

/**
 * A message between nodes: a JSON header for coordination, and bytes that travel as they are.
 *
 * An outgoing `body` belongs to the network from `send` on and must not be changed any more. An incoming one is a view
 * of what was read from the socket: it stays as it is, but whoever keeps a small part of it for long keeps all of it in
 * memory, and copies it instead.
 */
export interface PeerMessage {
  /** Which message it is, 1 to 32 of `A`–`Z` and `_`; see docs/protocol.md. */
  readonly type: string;
  /** At most 255 bytes; messages of one shard are one ordered stream. */
  readonly shard: string;
  /** A JSON value of at most `LIMITS.peerHeaderBytesMax` bytes. An incoming one is parsed, but not validated. */
  readonly header: unknown;
  readonly body: Buffer;
}

/** Hands the answer to a request back; only the first call counts. The bytes must not be changed any more. */
export type Respond = (body: Buffer) => void;

/**
 * What a node does with what arrives. One handler for the whole node.
 *
 * `onMessage` and `onRequest` may throw `ProtocolError` when the bytes make no sense: the connection is then closed and
 * the fault counted. Anything else they throw is a programmer's error and ends the process.
 */
export interface PeerHandler {
  onMessage(from: NodeName, message: PeerMessage): void;
  /** A request of another node: `body` in, exactly one `respond` out, now or later. `body` as in `PeerMessage`. */
  onRequest(from: NodeName, body: Buffer, respond: Respond): void;
  /** A connection with `node` was lost, and with it perhaps messages. Another one may be there, or be made at once. */
  onDisconnected(node: NodeName): void;
}

/** How a request ended without an answer. */
export interface RequestFailure {
  /**
   * UNKNOWN_OUTCOME when `sent`; else what stood in the way, definitely not applied: UNREACHABLE, OVERLOADED,
   * DEADLINE_EXCEEDED, STOPPING.
   */
  readonly error: KvError;
  /** False means that the request was definitely not seen, or refused unseen, by the other node (rule U5). */
  readonly sent: boolean;
}

export interface PeerRequest {
  readonly body: Buffer;
  /** How long from now the answer is waited for, in milliseconds; observed to within 50 ms. */
  readonly timeoutMs: number;
  /** Called exactly once, perhaps before `request` returns. */
  readonly done: (outcome: { readonly body: Buffer } | RequestFailure) => void;
}

/**
 * How nodes talk. Connections are made on demand and remade when lost.
 *
 * Messages are sent at most once, in order on one connection, and may be lost with it: whoever needs more repeats.
 * What is sent while a connection is being made waits for it; while the other node is backed off from, it is refused at
 * once. Requests of up to `LIMITS.peerFragmentBytes` arrive in the order in which they were made; larger ones are cut,
 * and others overtake them. Every queue has a bound. A node cannot send to itself.
 */
export interface PeerNetwork {
  /** The replication stream: false when it was dropped at once (no connection could be used, or the queue is full). */
  send(to: NodeName, message: PeerMessage): boolean;
  request(to: NodeName, request: PeerRequest): void;
}
