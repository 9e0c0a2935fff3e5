import { LIMITS } from "../model/limits.ts";

/** How long a client may take and how much of it is held; the limits of single values stand in model/limits.ts. */
export interface HttpSettings {
  readonly connectionsMax: number;
  readonly bodiesInFlightBytesMax: number;
  readonly outgoingBytesMax: number;
  /** From the first byte of a request (or the start of the connection) to the end of its header block. */
  readonly headerDeadlineMs: number;
  /** A connection without a request is closed after this. */
  readonly idleMsMax: number;
  /** How often slow clients are looked for: the unit of the periods below. */
  readonly sweepMs: number;
  /** A body must bring `bodyBytesPerPeriodMin` in every such number of sweeps, or end: 1 KiB/s over 5 s. */
  readonly bodyPeriodSweeps: number;
  readonly bodyBytesPerPeriodMin: number;
  /** A client that takes not one slice of its answer in so many sweeps is cut off. */
  readonly stalledSweepsMax: number;
  /** A refused connection stays half-open for so many sweeps, so that the client can read why before it is reset. */
  readonly lingerSweeps: number;
  /** Whether requests of the hot shapes are answered from their raw bytes; the answers are the same without. */
  readonly isFastPathOn: boolean;
  /** How long `close` waits for the requests in flight. */
  readonly closeGraceMs: number;
}

export const DEFAULT_HTTP_SETTINGS: HttpSettings = {
  connectionsMax: LIMITS.connectionsMax,
  bodiesInFlightBytesMax: LIMITS.bodiesInFlightBytesMax,
  outgoingBytesMax: LIMITS.outgoingBytesMax,
  headerDeadlineMs: 10_000,
  idleMsMax: 60_000,
  sweepMs: 1000,
  bodyPeriodSweeps: 5,
  bodyBytesPerPeriodMin: 5 * 1024,
  stalledSweepsMax: 20,
  lingerSweeps: 2,
  isFastPathOn: true,
  closeGraceMs: 5000,
};
