import type { NodeName } from "../../../src/model/position.ts";
import type { SimEndpoint } from "./sim-endpoint.ts";

/** What travels. Headers travel as JSON text, so that only what survives that arrives. */
export type Frame =
  | {
      readonly kind: "message";
      readonly type: string;
      readonly shard: string;
      readonly header: string;
      readonly body: Buffer;
    }
  | { readonly kind: "request"; readonly id: number; readonly body: Buffer }
  | { readonly kind: "response"; readonly id: number; readonly body: Buffer };

const FRAME_OVERHEAD_BYTES = 64;
const REMEMBERED_FRAMES = 4;

/** The length of `frame` on the wire, about. */
export function frameBytes(frame: Frame): number {
  return FRAME_OVERHEAD_BYTES + frame.body.length + (frame.kind === "message" ? frame.header.length : 0);
}

/** One side of a connection, as the process there sees it. */
export class ConnectionEnd {
  readonly endpoint: SimEndpoint;
  readonly peer: NodeName;
  /** Frames on their way to this end, in order. */
  readonly inbox: Frame[] = [];
  /** The last messages handed over here: what a duplicate would repeat. */
  readonly delivered: Frame[] = [];
  /** Frames that came while the path was blocked: they wait in the inbox. */
  stalledCount = 0;
  /** The latest arrival time given out to a frame: nothing overtakes on one connection. */
  lastArrivalMs = 0;
  inboxBytes = 0;
  /** True from when this end has the connection until it has noticed that it is gone. */
  isOpen = false;

  constructor(endpoint: SimEndpoint, peer: NodeName) {
    this.endpoint = endpoint;
    this.peer = peer;
  }

  push(frame: Frame): void {
    this.inbox.push(frame);
    this.inboxBytes += frameBytes(frame);
  }

  shift(): Frame | undefined {
    const frame = this.inbox.shift();
    if (frame === undefined) return undefined;
    this.inboxBytes -= frameBytes(frame);
    if (frame.kind === "message") this.delivered.push(frame);
    if (this.delivered.length > REMEMBERED_FRAMES) this.delivered.shift();
    return frame;
  }

  /** Loses all but the first `count` frames under way. */
  keepFirst(count: number): void {
    for (const frame of this.inbox.splice(count)) this.inboxBytes -= frameBytes(frame);
  }
}

/** A connection between two processes. It may be dead before its ends notice. */
export class SimConnection {
  readonly id: number;
  readonly ends: readonly [ConnectionEnd, ConnectionEnd];
  isDead = false;

  constructor(id: number, ends: readonly [ConnectionEnd, ConnectionEnd]) {
    this.id = id;
    this.ends = ends;
  }

  /** The other end of the one at `endpoint`. */
  oppositeOf(end: ConnectionEnd): ConnectionEnd {
    return this.ends[0] === end ? this.ends[1] : this.ends[0];
  }
}
