import { setTimeout as sleep } from "node:timers/promises";
import { KvError } from "../model/errors.ts";
import type { ClusterClient } from "./cluster-client.ts";
import type { JsonMembers } from "./json-members.ts";
import { percentEncode } from "./key-argument.ts";

/** A range of the cluster's keys; bounds are binary strings, empty where there is none. */
export interface KeyRange {
  readonly prefix: string;
  readonly start: string;
  readonly end: string;
  readonly reverse: boolean;
  readonly keysOnly: boolean;
}

/** A row as a scan answers it. */
export interface ScannedRow {
  readonly key: Buffer;
  /** Empty where only keys were asked for. */
  readonly value: Buffer;
  readonly version: number;
  readonly contentType: string;
  /** When the key goes away, in milliseconds since 1970; null when it does not. */
  readonly expiresAtMs: number | null;
}

const PAGE_ROWS_MAX = 1000;
const PATIENCE_MS = 30_000;
const PAUSE_MS = 500;

/**
 * The rows of a range in byte order, page by page, at most `rowsMax`. A page that fails for now (a node restarts, a leader
 * is missing) is asked for again for half a minute: where the scan stands is in its cursor, so nothing is lost or doubled.
 * Only the first page fails at once: then there is probably no cluster to wait for.
 */
export async function* scanPages(
  client: ClusterClient,
  range: KeyRange,
  rowsMax: number = Number.POSITIVE_INFINITY,
): AsyncGenerator<readonly ScannedRow[], void> {
  const query = queryOf(range);
  let left = rowsMax;
  let cursor = "";
  while (left > 0) {
    const limit = Math.min(left, PAGE_ROWS_MAX);
    const resume = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const path = `/v1/kv?limit=${limit}${query}${resume}`;
    const page = await askPatiently(client, path, cursor === "" ? 0 : PATIENCE_MS);
    const rows = page.objects("items", (members) => readRow(members, range.keysOnly));
    if (rows.length > 0) yield rows;
    left -= rows.length;
    const next = page.textOrNull("cursor");
    if (next === null) return;
    cursor = next;
  }
}

async function askPatiently(client: ClusterClient, path: string, patienceMs: number): Promise<JsonMembers> {
  const giveUpAtMs = performance.now() + patienceMs;
  for (;;) {
    try {
      return await client.askJson({ method: "GET", path, isRepeatable: true });
    } catch (error) {
      const isPassing = error instanceof KvError && error.kind.retryable;
      if (!isPassing || performance.now() >= giveUpAtMs) throw error;
    }
    await sleep(PAUSE_MS);
  }
}

function queryOf(range: KeyRange): string {
  const bounds = [
    ["prefix", range.prefix],
    ["start", range.start],
    ["end", range.end],
  ] as const;
  const given = bounds.filter(([, bound]) => bound !== "").map(([name, bound]) => `&${name}=${percentEncode(bound)}`);
  return given.join("") + (range.reverse ? "&reverse=true" : "") + (range.keysOnly ? "&keys_only=true" : "");
}

function readRow(members: JsonMembers, keysOnly: boolean): ScannedRow {
  return {
    key: members.bytes("key"),
    value: keysOnly ? Buffer.alloc(0) : members.bytes("value"),
    version: members.number("version"),
    contentType: members.textOrNull("content_type") ?? "",
    expiresAtMs: members.numberOrNull("expires_at_ms"),
  };
}
