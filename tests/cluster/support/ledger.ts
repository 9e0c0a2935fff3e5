import type { Outcome } from "../../support/linearizability/history.ts";

/** A key that is written once. */
export interface LedgerRow {
  readonly value: string;
  readonly outcome: Outcome["kind"];
}

/** What the ledger says of a cluster's content at the end. */
export interface LedgerVerdict {
  readonly acknowledged: number;
  readonly refused: number;
  readonly unknown: number;
  /** Acknowledged, and gone or changed. */
  readonly missing: readonly string[];
  /** Answered "not applied", and there. */
  readonly resurrected: readonly string[];
}

/** Compares what clients were told of the keys they wrote once with what is there. Pure. */
export function verdictOf(ledger: ReadonlyMap<string, LedgerRow>, content: ReadonlyMap<string, string>): LedgerVerdict {
  const missing: string[] = [];
  const resurrected: string[] = [];
  const counts = { ok: 0, notApplied: 0, unknown: 0 };
  for (const [key, { value, outcome }] of ledger) {
    counts[outcome]++;
    const found = content.get(key);
    if (outcome === "ok" && found !== value) missing.push(key);
    if (outcome === "notApplied" && found !== undefined) resurrected.push(key);
    if (outcome === "unknown" && found !== undefined && found !== value) missing.push(`${key} (torn)`);
  }
  return { acknowledged: counts.ok, refused: counts.notApplied, unknown: counts.unknown, missing, resurrected };
}
