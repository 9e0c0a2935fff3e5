import type { Version } from "./position.ts";

/** A key's value, as it is stored and answered. */
export interface Record {
  readonly value: Buffer;
  readonly version: Version;
  /** Log-clock milliseconds after which the key is gone; 0 when it does not expire. */
  readonly expiryMs: number;
  /** Media type it was stored with, at most 255 bytes; empty when none was given. */
  readonly contentType: string;
}

/** Whether `record` is gone for a reader whose log clock says `nowMs`. */
export function isExpired(record: { readonly expiryMs: number }, nowMs: number): boolean {
  return record.expiryMs !== 0 && record.expiryMs <= nowMs;
}
