import { setTimeout as sleep } from "node:timers/promises";
import { KvError } from "../model/errors.ts";
import { keyOfBytes } from "../model/key.ts";
import type { NodeName } from "../model/position.ts";
import type { Topology } from "../model/topology.ts";
import { type ClusterClient, jsonOf } from "./cluster-client.ts";
import type { JsonMembers } from "./json-members.ts";
import { bytesMembers, type StoredRow } from "./stored-row.ts";

export interface ReadBackParts {
  readonly client: ClusterClient;
  readonly topology: Topology;
  readonly rows: readonly StoredRow[];
  readonly onProgress: (rowCount: number) => void;
}

export interface ReadBackResult {
  readonly wrong: number;
  /** Says which row came back how; null when all were right. */
  readonly firstWrong: string | null;
}

/** Rows of one request, all of one shard, and a node that is no member of that shard. */
interface Portion {
  readonly stranger: NodeName;
  readonly rows: readonly StoredRow[];
}

const PORTION_ROWS = 500;
const IN_FLIGHT_MAX = 8;
const ATTEMPTS_MAX = 20;
const PAUSE_MS = 250;

/** Reads rows from nodes that do not own them, each from another one in turn, and compares value and content type. */
export async function readBack({ client, topology, rows, onProgress }: ReadBackParts): Promise<ReadBackResult> {
  const waiting = portionsOf(topology, rows);
  let wrong = 0;
  let firstWrong: string | null = null;
  const work = async (): Promise<void> => {
    for (let portion = waiting.pop(); portion !== undefined; portion = waiting.pop()) {
      const faults = await readPortion(client, portion);
      wrong += faults.length;
      firstWrong ??= faults[0] ?? null;
      onProgress(portion.rows.length);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT_MAX }, work));
  return { wrong, firstWrong };
}

function portionsOf(topology: Topology, rows: readonly StoredRow[]): Portion[] {
  const byShard = Map.groupBy(rows, ({ key }) => topology.shardOfKey(keyOfBytes(key)));
  const portions: Portion[] = [];
  for (const [shard, owned] of byShard) {
    const members = new Set(shard.members.map(({ node }) => node));
    const strangers = topology.nodes.map(({ node }) => node).filter((node) => !members.has(node));
    for (let start = 0; start < owned.length; start += PORTION_ROWS) {
      const stranger = strangers[portions.length % strangers.length];
      if (stranger === undefined) {
        throw new KvError("INVALID_ARGUMENT", "with one shard there is no node that does not own a row");
      }
      portions.push({ stranger, rows: owned.slice(start, start + PORTION_ROWS) });
    }
  }
  return portions;
}

async function readPortion(client: ClusterClient, { stranger, rows }: Portion): Promise<string[]> {
  const ops = rows.map(({ key }) => ({ get: bytesMembers("key", key) }));
  const body = Buffer.from(JSON.stringify({ ops }), "utf8");
  const results = await askPatiently(client, stranger, body);
  return rows.flatMap((row, index) => faultOf(row, results[index]) ?? []);
}

async function askPatiently(client: ClusterClient, node: NodeName, body: Buffer): Promise<JsonMembers[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      const headers = { "Content-Type": "application/json" };
      const answer = await client.askNode(node, { method: "POST", path: "/v1/batch", headers, body });
      return jsonOf(answer).objects("results", (members) => members);
    } catch (error) {
      const isPassing = error instanceof KvError && error.kind.retryable;
      if (!isPassing || attempt === ATTEMPTS_MAX) throw error;
    }
    await sleep(PAUSE_MS);
  }
}

function faultOf(row: StoredRow, result: JsonMembers | undefined): string | null {
  const key = row.key.toString("utf8");
  if (result === undefined) return `${key}: no answer`;
  if (result.number("status") !== 200) return `${key}: ${result.text("code")}`;
  if (!result.bytes("value").equals(row.value)) return `${key}: another value`;
  return result.textOrNull("content_type") === row.contentType ? null : `${key}: another content type`;
}
