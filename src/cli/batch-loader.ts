import { setTimeout as sleep } from "node:timers/promises";
import { KvError } from "../model/errors.ts";
import { batchRowOf, type OperationOutcome, sendBatch } from "./batch-request.ts";
import type { ClusterClient } from "./cluster-client.ts";
import type { StoredRow } from "./stored-row.ts";

export interface LoadOptions {
  readonly durability: string | undefined;
  /** Requests under way at the same time. */
  readonly inFlightMax: number;
  /** Whether a write of unknown outcome is sent again. It is the same write, but another client's may lie between. */
  readonly retryUnknown: boolean;
  /** Called with the number of rows whose fate has become known. */
  readonly onProgress: (rowCount: number) => void;
}

/** One row that is not known to be stored. `label` says which one it is: "line 17". */
export interface LoadFailure {
  readonly label: string;
  readonly outcome: "not_applied" | "unknown";
  readonly reason: string;
}

/** What a load came to: every row is counted exactly once. */
export interface LoadTotals {
  readonly written: number;
  readonly failed: number;
  readonly unknown: number;
  /** The first of the failed and unknown ones. */
  readonly failures: readonly LoadFailure[];
}

interface PendingRow {
  readonly row: StoredRow;
  readonly label: string;
  /** The operation as JSON. */
  readonly json: string;
}

const BATCH_ROWS_MAX = 500;
const BATCH_BYTES_TARGET = 1_048_576;
const FAILURES_KEPT = 10;
const PATIENCE_MS = 30_000;
const PAUSE_MS_FIRST = 50;
const PAUSE_MS_MAX = 2_000;

/**
 * Writes rows through `/v1/batch`, several requests at a time.
 *
 * Owns the rows that are not yet answered, and the count of what became of all others. Rows of one key keep their order: one
 * whose key is under way waits for it. A refusal that may pass is tried again for half a minute; a row whose fate the cluster
 * does not know is counted as unknown and, unless told otherwise, not sent twice.
 */
export class BatchLoader {
  readonly #client: ClusterClient;
  readonly #options: LoadOptions;
  readonly #failures: LoadFailure[] = [];
  readonly #underWay = new Set<Promise<void>>();
  readonly #batchByKey = new Map<string, Promise<void>>();
  #gathered: PendingRow[] = [];
  #gatheredBytes = 0;
  #written = 0;
  #failed = 0;
  #unknown = 0;

  constructor(client: ClusterClient, options: LoadOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** Takes one row; waits while as many requests are under way as may be. Never throws for a row that fails. */
  async add(row: StoredRow, label: string): Promise<void> {
    const earlier = this.#batchByKey.get(row.key.toString("latin1"));
    if (earlier !== undefined) await earlier;
    const json = batchRowOf(row, Date.now());
    if (json === null) {
      this.#fail(label, { outcome: "not_applied", reason: "it expired before it could be written" });
      return;
    }
    if (this.#gatheredBytes + json.length > BATCH_BYTES_TARGET) await this.#send();
    this.#gathered.push({ row, label, json });
    this.#gatheredBytes += json.length;
    if (this.#gathered.length >= BATCH_ROWS_MAX) await this.#send();
  }

  /** Counts a row that could not even be read. */
  refuse(label: string, reason: string): void {
    this.#fail(label, { outcome: "not_applied", reason });
  }

  /** Sends what is left and waits for every answer. */
  async finish(): Promise<void> {
    await this.#send();
    await Promise.all(this.#underWay);
  }

  /** What has become of the rows so far; of all, once it has finished. */
  get totals(): LoadTotals {
    return { written: this.#written, failed: this.#failed, unknown: this.#unknown, failures: this.#failures };
  }

  async #send(): Promise<void> {
    const rows = this.#gathered;
    if (rows.length === 0) return;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    while (this.#underWay.size >= this.#options.inFlightMax) await Promise.race(this.#underWay);
    const keys = rows.map(({ row }) => row.key.toString("latin1"));
    const batch = this.#write(rows).finally(() => {
      this.#underWay.delete(batch);
      for (const key of keys) this.#batchByKey.delete(key);
    });
    this.#underWay.add(batch);
    for (const key of keys) this.#batchByKey.set(key, batch);
  }

  /** Until every row is written, refused for good, of unknown fate, or out of time. */
  async #write(rows: readonly PendingRow[]): Promise<void> {
    const giveUpAtMs = performance.now() + PATIENCE_MS;
    let pauseMs = PAUSE_MS_FIRST;
    let left = rows;
    for (;;) {
      left = await this.#writeOnce(left, performance.now() >= giveUpAtMs);
      if (left.length === 0) return;
      await sleep(pauseMs);
      pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX);
    }
  }

  /** Returns the rows to send again. */
  async #writeOnce(rows: readonly PendingRow[], isLastTry: boolean): Promise<PendingRow[]> {
    const outcomes = await this.#outcomesOf(rows);
    const again: PendingRow[] = [];
    for (const [index, pending] of rows.entries()) {
      const outcome = outcomes[index] ?? MISSING;
      if (outcome.kind === "written") {
        this.#written += 1;
        this.#options.onProgress(1);
      } else if (!isLastTry && (outcome.retryable || (outcome.kind === "unknown" && this.#options.retryUnknown))) {
        again.push(pending);
      } else {
        this.#fail(pending.label, {
          outcome: outcome.kind === "unknown" ? "unknown" : "not_applied",
          reason: outcome.reason,
        });
      }
    }
    return again;
  }

  async #outcomesOf(rows: readonly PendingRow[]): Promise<readonly OperationOutcome[]> {
    try {
      const operations = rows.map(({ row, json }) => ({ row, json }));
      return await sendBatch(this.#client, operations, this.#options.durability);
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      const outcome = outcomeOfError(error);
      return rows.map(() => outcome);
    }
  }

  #fail(label: string, failure: Omit<LoadFailure, "label">): void {
    if (failure.outcome === "unknown") this.#unknown += 1;
    else this.#failed += 1;
    if (this.#failures.length < FAILURES_KEPT) this.#failures.push({ label, ...failure });
    this.#options.onProgress(1);
  }
}

function outcomeOfError(error: KvError): OperationOutcome {
  const kind = error.outcome === "unknown" ? "unknown" : "refused";
  return { kind, retryable: error.kind.retryable, reason: error.message };
}

const MISSING: OperationOutcome = {
  kind: "unknown",
  retryable: false,
  reason: "the answer has no result for it",
};
