import { ERRORS } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { jsonOf } from "./cluster-client.ts";
import type { JsonMembers } from "./json-members.ts";
import { keyOfBytes } from "../model/key.ts";
import { setValue } from "./key-requests.ts";
import { bytesMembers, type StoredRow } from "./stored-row.ts";

/** What became of one operation of a batch. */
export type OperationOutcome =
  | { readonly kind: "written" }
  | { readonly kind: "refused" | "unknown"; readonly retryable: boolean; readonly reason: string };

/** A row with its operation as JSON. */
export interface RowOperation {
  readonly row: StoredRow;
  readonly json: string;
}

const BATCH_TIMEOUT_MS = 30_000;
const ENVELOPE_BYTES = 64;

/** The operation that stores `row`, as JSON; null when it has expired at `nowMs` (since 1970) already. */
export function batchRowOf(row: StoredRow, nowMs: number): string | null {
  const ttl = ttlSecondsOf(row, nowMs);
  if (ttl !== null && ttl < 1) return null;
  return JSON.stringify({
    set: {
      ...bytesMembers("key", row.key),
      ...bytesMembers("value", row.value),
      ...(row.contentType === "" ? {} : { content_type: row.contentType }),
      ...(ttl === null ? {} : { ttl }),
    },
  });
}

/**
 * Sends operations as one request and returns what became of each, in order. A single row too large for a batch goes by
 * itself. Throws KvError when nothing can be said of any single one.
 */
export async function sendBatch(
  client: ClusterClient,
  operations: readonly RowOperation[],
  durability: string | undefined,
): Promise<readonly OperationOutcome[]> {
  const body = Buffer.from(`{"ops":[${operations.map(({ json }) => json).join(",")}]}`, "utf8");
  const [first] = operations;
  if (first !== undefined && operations.length === 1 && body.length > LIMITS.batchBytesMax - ENVELOPE_BYTES) {
    return [await setRow(client, first.row, durability)];
  }
  const answer = await client.ask({
    method: "POST",
    path: "/v1/batch",
    headers: {
      "Content-Type": "application/json",
      ...(durability === undefined ? {} : { "KV-Durability": durability }),
    },
    body,
    timeoutMs: BATCH_TIMEOUT_MS,
    isRepeatable: false,
  });
  return jsonOf(answer).objects("results", readOutcome);
}

function readOutcome(members: JsonMembers): OperationOutcome {
  const status = members.number("status");
  if (status >= 200 && status < 300) return { kind: "written" };
  const code = members.text("code");
  const kind = members.text("outcome") === "not_applied" ? "refused" : "unknown";
  const known = Object.entries(ERRORS).find(([name]) => name === code)?.[1];
  return { kind, retryable: known?.retryable ?? false, reason: `${code}: ${members.text("detail")}` };
}

async function setRow(
  client: ClusterClient,
  row: StoredRow,
  durability: string | undefined,
): Promise<OperationOutcome> {
  const ttl = ttlSecondsOf(row, Date.now());
  await setValue(client, {
    key: keyOfBytes(row.key),
    value: row.value,
    contentType: row.contentType === "" ? undefined : row.contentType,
    ttlSeconds: ttl === null ? undefined : String(Math.max(1, ttl)),
    durability,
    condition: undefined,
  });
  return { kind: "written" };
}

/** Rounded up: a key may live a moment longer than in the place it comes from, but never shorter. */
function ttlSecondsOf(row: StoredRow, nowMs: number): number | null {
  return row.expiresAtMs === null ? null : Math.ceil((row.expiresAtMs - nowMs) / 1000);
}
