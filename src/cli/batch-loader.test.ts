import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json as readJson } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { BatchLoader, type LoadTotals } from "./batch-loader.ts";
import { ClusterClient } from "./cluster-client.ts";
import type { StoredRow } from "./stored-row.ts";

interface BatchBody {
  readonly ops: ReadonlyArray<{ readonly set: { readonly key: string; readonly value: string } }>;
}

type Answer = (body: BatchBody, response: ServerResponse, request: IncomingMessage) => void;

const WRITTEN = { status: 201, code: "OK", outcome: "ok", shard: "one", version: 1 };
const BUSY = { status: 503, code: "BUSY", outcome: "not_applied", detail: "in a moment" };
const UNKNOWN = { status: 504, code: "UNKNOWN_OUTCOME", outcome: "unknown", detail: "nobody knows" };

test("a row refused for now is sent again until it is written, and the others of its batch are not", async (t) => {
  const seen: string[] = [];
  const totals = await load(t, ["a", "b", "c"], {
    answer: (body, response) => {
      const results = body.ops.map(({ set: { key } }) => (key === "b" && seen.length < 4 ? BUSY : WRITTEN));
      seen.push(...body.ops.map(({ set: { key } }) => key));
      send(response, results);
    },
  });
  assert.deepEqual(seen, ["a", "b", "c", "b", "b"]);
  assert.deepEqual(totals, { written: 3, failed: 0, unknown: 0, failures: [] });
});

test("a row of unknown fate is counted as unknown, named, and not sent twice", async (t) => {
  let requests = 0;
  const totals = await load(t, ["a", "b"], {
    answer: (body, response) => {
      requests += 1;
      send(
        response,
        body.ops.map(({ set: { key } }) => (key === "b" ? UNKNOWN : WRITTEN)),
      );
    },
  });
  assert.equal(requests, 1);
  const failures = [{ label: "row b", outcome: "unknown", reason: "UNKNOWN_OUTCOME: nobody knows" }];
  assert.deepEqual(totals, { written: 1, failed: 0, unknown: 1, failures });
});

test("when the connection breaks after the request was sent, every row of it is of unknown fate", async (t) => {
  const totals = await load(t, ["a", "b"], { answer: (_body, _response, request) => request.socket.destroy() });
  assert.deepEqual([totals.written, totals.failed, totals.unknown], [0, 0, 2]);
});

test("told to, the loader sends rows of unknown fate again", async (t) => {
  let requests = 0;
  const totals = await load(t, ["a"], {
    retryUnknown: true,
    answer: (_body, response, request) => {
      requests += 1;
      if (requests === 1) request.socket.destroy();
      else send(response, [WRITTEN]);
    },
  });
  assert.deepEqual([requests, totals.written, totals.unknown], [2, 1, 0]);
});

test("rows of one key arrive in order although many requests are under way", async (t) => {
  const values: string[] = [];
  const keys = Array.from({ length: 4000 }, (_, i) => `filler:${i}`);
  for (let i = 0; i < 4000; i += 400) keys[i] = "same";
  const totals = await load(t, keys, {
    answer: (body, response) => {
      setTimeout(() => {
        values.push(...body.ops.filter(({ set }) => set.key === "same").map(({ set }) => set.value));
        send(
          response,
          body.ops.map(() => WRITTEN),
        );
      }, Math.random() * 20);
    },
  });
  assert.equal(totals.written, 4000);
  assert.deepEqual(
    values,
    Array.from({ length: 10 }, (_, i) => String(i * 400)),
  );
});

test("an answer with too few results leaves the rest of unknown fate", async (t) => {
  const totals = await load(t, ["a", "b"], { answer: (_body, response) => send(response, [WRITTEN]) });
  assert.deepEqual([totals.written, totals.unknown], [1, 1]);
});

test("a row that has expired meanwhile is counted as not stored", async (t) => {
  const totals = await load(t, ["a"], { answer: (_body, response) => send(response, [WRITTEN]), expiresAtMs: 1 });
  assert.deepEqual([totals.written, totals.failed], [0, 1]);
});

/** Loads a row for each key, its place as the value, into a server that answers as told. */
async function load(
  t: TestContext,
  keys: readonly string[],
  options: { readonly answer: Answer; readonly retryUnknown?: boolean; readonly expiresAtMs?: number },
): Promise<LoadTotals> {
  const server = createServer((request, response) => {
    void readJson(request).then((body) => options.answer(body as BatchBody, response, request));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  const client = new ClusterClient({ nodes: [`127.0.0.1:${port}`], source: "the test" });
  t.after(() => {
    client.close();
    server.close();
  });
  const loader = new BatchLoader(client, {
    durability: undefined,
    inFlightMax: 4,
    retryUnknown: options.retryUnknown ?? false,
    onProgress: () => {},
  });
  for (const [index, key] of keys.entries()) {
    const row: StoredRow = {
      key: Buffer.from(key),
      value: Buffer.from(String(index)),
      contentType: "",
      expiresAtMs: options.expiresAtMs ?? null,
    };
    await loader.add(row, `row ${key}`);
  }
  await loader.finish();
  return loader.totals;
}

function send(response: ServerResponse, results: readonly object[]): void {
  response.writeHead(200, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ results }));
}
