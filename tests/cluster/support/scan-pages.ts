import { setTimeout as sleep } from "node:timers/promises";
import { ClientConnection } from "./client-connection.ts";

const BUSY_MS_MAX = 20_000;
const BUSY_PAUSE_MS = 100;

/** Every key with a prefix, through one node, page by page. Throws when a page is not answered. */
export async function scanAll(address: string, prefix: string): Promise<Map<string, string>> {
  const rows = new Map<string, string>();
  for await (const { key, value } of scanPages(address, `prefix=${encodeURIComponent(prefix)}`)) {
    rows.set(key, value);
  }
  return rows;
}

export interface ScannedRow {
  readonly key: string;
  readonly value: string;
  readonly version: number;
}

/** Every row of a query of `/v1/kv`, through one node. */
export async function* scanPages(address: string, query: string): AsyncGenerator<ScannedRow> {
  const connection = new ClientConnection();
  let cursor: string | null = null;
  do {
    const next: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const body = await askForPage(connection, address, `/v1/kv?limit=1000&${query}${next}`);
    const page = JSON.parse(body.toString("utf8")) as { items: ScannedRow[]; cursor: string | null };
    yield* page.items;
    ({ cursor } = page);
  } while (cursor !== null);
  connection.close();
}

/** A page, asked for again while the node says that it cannot answer at the moment. */
async function askForPage(connection: ClientConnection, address: string, path: string): Promise<Buffer> {
  const endMs = performance.now() + BUSY_MS_MAX;
  for (;;) {
    const exchange = await connection.send(address, { path, timeoutMs: 30_000 });
    if (exchange.kind === "answer" && exchange.status === 200) return exchange.body;
    const isBusy = exchange.kind === "answer" && (exchange.status === 503 || exchange.status === 504);
    if (!isBusy || performance.now() > endMs) {
      const reason = exchange.kind === "answer" ? exchange.body.toString() : exchange.kind;
      throw new Error(`a scan through ${address} failed: ${reason}`);
    }
    await sleep(BUSY_PAUSE_MS);
  }
}
