import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { send, type TestResponse } from "../support/http-client.ts";
import { freshKey } from "./http-system.ts";

interface Page {
  readonly items: ReadonlyArray<{ readonly key: string; readonly value?: string; readonly version: number }>;
  readonly cursor: string | null;
}

/** Scans, batches, and what is told about the cluster. */
export function describeCollections(address: () => string): void {
  const scan = async (query: string): Promise<Page> => {
    const answer = await send(address(), { path: `/v1/kv?${query}` });
    assert.equal(answer.status, 200, answer.text);
    return answer.json() as Page;
  };
  const put = (key: string, body: string): Promise<TestResponse> =>
    send(address(), { method: "PUT", path: `/v1/kv/${key}`, body });
  const putAll = async (prefix: string, names: readonly string[]): Promise<void> => {
    for (const name of names) assert.equal((await put(`${prefix}${name}`, `value of ${name}`)).status, 201);
  };

  describe("a scan", () => {
    test("gives keys in byte order, whatever shard they live on", async () => {
      const prefix = `${freshKey()}:`;
      await putAll(prefix, ["b", "a", "c/d", "aa", "%C3%A9", "Z"]);
      const page = await scan(`prefix=${prefix}`);
      assert.deepEqual(
        page.items.map(({ key, value }) => [key.slice(prefix.length), value]),
        [
          ["Z", "value of Z"],
          ["a", "value of a"],
          ["aa", "value of aa"],
          ["b", "value of b"],
          ["c/d", "value of c/d"],
          ["é", "value of %C3%A9"],
        ],
      );
      assert.equal(page.cursor, null);
      assert.ok(page.items.every(({ version }) => version > 0));
    });

    for (const reverse of [false, true]) {
      test(`walks page by page over everything once, reverse=${reverse}`, async () => {
        const prefix = `${freshKey()}:`;
        const names = Array.from({ length: 25 }, (_, index) => String(index).padStart(2, "0"));
        await putAll(prefix, names);
        const seen: string[] = [];
        let cursor = "";
        for (let pages = 0; ; pages++) {
          assert.ok(pages < 20, "the walk ends");
          const page = await scan(`prefix=${prefix}&limit=7&reverse=${reverse}${cursor}`);
          assert.ok(page.items.length <= 7);
          seen.push(...page.items.map(({ key }) => key.slice(prefix.length)));
          if (page.cursor === null) break;
          cursor = `&cursor=${page.cursor}`;
        }
        assert.deepEqual(seen, reverse ? names.toReversed() : names);
      });
    }

    test("honours start (included), end (not included), prefix and keys_only together", async () => {
      const prefix = `${freshKey()}:`;
      await putAll(prefix, ["a", "b", "c", "d"]);
      const keys = async (query: string): Promise<string[]> =>
        (await scan(query)).items.map(({ key }) => key.slice(prefix.length));
      assert.deepEqual(await keys(`start=${prefix}b&end=${prefix}d`), ["b", "c"]);
      assert.deepEqual(await keys(`prefix=${prefix}&start=${prefix}c`), ["c", "d"]);
      assert.deepEqual(await keys(`prefix=${prefix}&end=${prefix}b`), ["a"]);
      assert.deepEqual(await keys(`start=${prefix}d&end=${prefix}b`), []);
      const { items } = await scan(`prefix=${prefix}&keys_only=true`);
      assert.equal(items.length, 4);
      assert.ok(items.every((item) => !("value" in item)));
    });

    test("a prefix that ends in the highest byte has an end of its own", async () => {
      const prefix = freshKey();
      await putAll(prefix, ["%ff%ff", "%ff%ff%01", "%ff"]);
      assert.equal((await scan(`prefix=${prefix}%ff`)).items.length, 3);
      assert.equal((await scan(`prefix=${prefix}%ff%ff`)).items.length, 2);
    });

    test("bytes that are no text come as base64, and say so", async () => {
      const prefix = `${freshKey()}:`;
      await send(address(), { method: "PUT", path: `/v1/kv/${prefix}%ff`, body: Buffer.of(0xfe, 0x00) });
      const page = await scan(`prefix=${prefix}`);
      assert.deepEqual(page.items[0], {
        key: Buffer.concat([Buffer.from(prefix), Buffer.of(0xff)]).toString("base64"),
        key_encoding: "base64",
        value: "/gA=",
        value_encoding: "base64",
        version: page.items[0]?.version,
      });
    });
  });

  describe("a batch", () => {
    const batch = (ops: unknown): Promise<TestResponse> =>
      send(address(), { method: "POST", path: "/v1/batch", body: JSON.stringify({ ops }) });

    test("carries out its operations in order; a get sees what came before it in the batch", async () => {
      const key = freshKey();
      const answer = await batch([
        { get: { key } },
        { set: { key, value: "one" } },
        { get: { key } },
        { set: { key, value: "two", content_type: "text/plain" } },
        { get: { key } },
        { delete: { key } },
        { get: { key } },
        { delete: { key } },
      ]);
      assert.equal(answer.status, 200);
      const { results } = answer.json() as { results: Array<Record<string, unknown>> };
      assert.deepEqual(
        results.map(({ status, code, outcome, value }) => [status, code, outcome, value]),
        [
          [404, "NOT_FOUND", "not_applied", undefined],
          [201, "OK", "ok", undefined],
          [200, "OK", "ok", "one"],
          [200, "OK", "ok", undefined],
          [200, "OK", "ok", "two"],
          [204, "OK", "ok", undefined],
          [404, "NOT_FOUND", "not_applied", undefined],
          [404, "NOT_FOUND", "not_applied", undefined],
        ],
      );
      assert.equal(results[4]?.["content_type"], "text/plain");
      assert.ok(results.every(({ shard }) => typeof shard === "string"));
    });

    test("answers each operation by itself when keys live on several shards", async () => {
      const keys = Array.from({ length: 20 }, freshKey);
      const written = await batch(keys.map((key) => ({ set: { key, value: `of ${key}` } })));
      const results = (written.json() as { results: Array<{ status: number }> }).results;
      assert.deepEqual(new Set(results.map(({ status }) => status)), new Set([201]));
      const read = await batch(keys.map((key) => ({ get: { key } })));
      const values = (read.json() as { results: Array<{ value: string }> }).results.map(({ value }) => value);
      assert.deepEqual(
        values,
        keys.map((key) => `of ${key}`),
      );
    });

    test("a condition that does not hold fails its own operation", async () => {
      const key = freshKey();
      const answer = await batch([
        { set: { key, value: "a", if_none_match: "*" } },
        { set: { key, value: "b", if_none_match: "*" } },
        { delete: { key, if_match: 1234567890123 } },
        { set: { key, value: "c", if_match: "*" } },
        { get: { key } },
      ]);
      const { results } = answer.json() as { results: Array<{ status: number; value?: string }> };
      assert.deepEqual(
        results.map(({ status }) => status),
        [201, 412, 412, 200, 200],
      );
      assert.equal(results[4]?.value, "c");
    });

    test("keys and values that are no text travel as base64", async () => {
      const bytes = Buffer.concat([Buffer.from(freshKey()), Buffer.of(0xff)]).toString("base64");
      const operand = { key: bytes, key_encoding: "base64" };
      const answer = await batch([{ set: { ...operand, value: "/gA=", value_encoding: "base64" } }, { get: operand }]);
      const { results } = answer.json() as { results: Array<Record<string, unknown>> };
      assert.equal(results[0]?.["status"], 201);
      assert.equal(results[1]?.["value"], "/gA=");
      assert.equal(results[1]?.["value_encoding"], "base64");
    });

    test("a ttl is taken", async () => {
      const key = freshKey();
      const { results } = (await batch([{ set: { key, value: "x", ttl: 60 } }])).json() as { results: unknown[] };
      assert.equal(results.length, 1);
      assert.equal((await send(address(), { path: `/v1/kv/${key}` })).status, 200);
    });

    test("names of JavaScript's own are ordinary keys", async () => {
      const answer = await batch([
        { set: { key: "__proto__", value: "mine" } },
        { get: { key: "__proto__" } },
        { delete: { key: "__proto__" } },
      ]);
      const { results } = answer.json() as { results: Array<{ value?: string }> };
      assert.equal(results[1]?.value, "mine");
      assert.equal(Object.prototype.toString.call({}), "[object Object]");
    });
  });

  describe("what is told about the cluster", () => {
    test("/v1/cluster names the shards and their members", async () => {
      const answer = await send(address(), { path: "/v1/cluster" });
      assert.equal(answer.status, 200);
      const status = answer.json() as { answered_by: string; shards: Array<{ shard: string; members: unknown[] }> };
      assert.match(status.answered_by, /:\d+$/);
      assert.ok(status.shards.length > 0);
      assert.ok(status.shards.every(({ members }) => members.length > 0));
    });

    test("/v1/member is what the node says of itself to those who make its cluster's documents", async () => {
      const answer = await send(address(), { path: "/v1/member" });
      assert.equal(answer.status, 200);
      const told = answer.json() as Record<string, unknown> & { store: { node: string } };
      assert.match(told.store.node, /:\d+$/);
      assert.deepEqual([told["coordinator"], told["cluster_id"], told["recovered"]], ["static", null, true]);
      assert.equal(typeof told["last_sequence"], "number");
    });

    test("/v1/explain says where a key lives", async () => {
      const answer = await send(address(), { path: "/v1/explain/user:123" });
      assert.equal(answer.status, 200);
      const told = answer.json() as Record<string, unknown>;
      assert.equal(told["key"], "user:123");
      assert.equal(told["hash"], "10702988777466904498");
      assert.equal(told["slot"], Number(10702988777466904498n % 55440n));
      assert.ok(Array.isArray(told["copies"]));
      const binary = await send(address(), { path: "/v1/explain/%ff" });
      assert.equal((binary.json() as Record<string, unknown>)["key_encoding"], "base64");
    });

    test("/healthz and /readyz answer 200", async () => {
      assert.equal((await send(address(), { path: "/healthz" })).status, 200);
      assert.equal((await send(address(), { path: "/readyz" })).status, 200);
    });

    test("/metrics counts requests by route and status, and tells of the member", async () => {
      await send(address(), { path: `/v1/kv/${freshKey()}` });
      const metrics = await send(address(), { path: "/metrics" });
      assert.equal(metrics.status, 200);
      assert.match(metrics.headers["content-type"] ?? "", /^text\/plain; version=0\.0\.4/);
      assert.match(metrics.text, /^kv_http_requests_total\{[^}]*route="\/v1\/kv\/\{key\}",code="404"[^}]*\} [1-9]/m);
      assert.match(metrics.text, /^kv_http_request_duration_seconds_bucket\{/m);
      assert.match(metrics.text, /^kv_shard_role\{[^}]*role="leader"[^}]*\} [01]$/m);
      assert.match(metrics.text, /^kv_shard_commit_sequence/m);
    });
  });
}
