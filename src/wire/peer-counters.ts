/** What the network between nodes has done since it was started; read by metrics, written by the wire alone. */
export interface PeerCounters {
  readonly framesIn: number;
  readonly framesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Connections closed because what came did not follow the protocol. */
  readonly protocolErrors: number;
  /** Handshakes that ended with a refusal, by either side, or were not finished in time. */
  readonly handshakesRefused: number;
  /** Handshakes that were done, and those of them with a node that had been connected before. */
  readonly connects: number;
  readonly reconnects: number;
  readonly dialFailures: number;
  /** Connections given up because nothing was heard for too long. */
  readonly silences: number;
  readonly requestsTimedOut: number;
  /** Messages and requests refused because a queue was full. */
  readonly overloads: number;
}

/** The writer's side of `PeerCounters`. */
export type MutablePeerCounters = { -readonly [Name in keyof PeerCounters]: number };

export function noCounts(): MutablePeerCounters {
  return {
    framesIn: 0,
    framesOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    protocolErrors: 0,
    handshakesRefused: 0,
    connects: 0,
    reconnects: 0,
    dialFailures: 0,
    silences: 0,
    requestsTimedOut: 0,
    overloads: 0,
  };
}
