import { ClientConnection } from "./client-connection.ts";

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
    const exchange = await connection.send(address, { path: `/v1/kv?limit=1000&${query}${next}`, timeoutMs: 30_000 });
    if (exchange.kind !== "answer" || exchange.status !== 200) {
      const reason = exchange.kind === "answer" ? exchange.body.toString() : exchange.kind;
      throw new Error(`a scan through ${address} failed: ${reason}`);
    }
    const page = JSON.parse(exchange.body.toString("utf8")) as { items: ScannedRow[]; cursor: string | null };
    yield* page.items;
    ({ cursor } = page);
  } while (cursor !== null);
  connection.close();
}
