import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { send, type TestRequest, type TestResponse } from "../support/http-client.ts";
import { refusalsOf } from "./http-refusals.ts";
import { freshKey } from "./http-system.ts";

/** The options of requests: strict reads, session tokens, bounds of staleness, idempotency keys. */
export function describeOptions(address: () => string): void {
  const { refuses } = refusalsOf(address);
  const put = (key: string, body: string, headers: Readonly<Record<string, string>> = {}): Promise<TestResponse> =>
    send(address(), { method: "PUT", path: `/v1/kv/${key}`, body, headers });

  describe("reads", () => {
    for (const option of ["consistency=strict", "consistency=eventual", "consistency=eventual&max_lag_ms=0"]) {
      test(`may ask for ${option}, on every path that reads`, async () => {
        const key = freshKey();
        await put(key, "x");
        assert.equal((await send(address(), { path: `/v1/kv/${key}?${option}` })).text, "x");
        assert.equal((await send(address(), { path: `/get?key=${key}&${option}` })).text, "x");
        assert.equal((await send(address(), { path: `/v1/kv?prefix=${key}&${option}` })).status, 200);
      });
    }

    test("may give the same options as headers", async () => {
      const key = freshKey();
      await put(key, "x");
      const headers = { "KV-Consistency": "eventual", "KV-Max-Lag-Ms": "9007199254740991" };
      assert.equal((await send(address(), { path: `/v1/kv/${key}`, headers })).text, "x");
    });

    test("are not bounded by what is no whole number, nor where the bound means nothing", async () => {
      for (const text of ["", "-1", "1.5", "1e9", "NaN", "0x10", "01", "%2B5", "9007199254740992", "1".repeat(40)]) {
        await refuses({ path: `/v1/kv/a?consistency=eventual&max_lag_ms=${text}` }, 400, "INVALID_ARGUMENT");
      }
      await refuses({ path: "/v1/kv/a?max_lag_ms=5" }, 400, "INVALID_ARGUMENT");
      await refuses({ path: "/v1/kv/a?consistency=strict&max_lag_ms=5" }, 400, "INVALID_ARGUMENT");
      const twice = { path: "/v1/kv/a?consistency=eventual&max_lag_ms=5", headers: { "KV-Max-Lag-Ms": "5" } };
      await refuses(twice, 400, "INVALID_ARGUMENT");
    });
  });

  test("an option that means nothing for what is asked is refused: durability of a read, an eventual write", async () => {
    for (const path of ["/v1/kv/a", "/get?key=a", "/v1/kv?prefix=a", "/v1/kv?key=a"]) {
      await refuses({ path, headers: { "KV-Durability": "async" } }, 400, "INVALID_ARGUMENT");
    }
    const writes: readonly TestRequest[] = [
      { method: "PUT", path: "/v1/kv/a", body: "x" },
      { method: "DELETE", path: "/v1/kv/a" },
      { method: "POST", path: "/v1/kv/a/increment", body: "{}" },
      { path: "/set?key=a&value=x" },
    ];
    for (const request of writes) {
      await refuses({ ...request, headers: { "KV-Consistency": "eventual" } }, 400, "INVALID_ARGUMENT");
    }
    const key = freshKey();
    assert.equal((await put(key, "x", { "KV-Consistency": "strict", "KV-Durability": "async" })).status, 201);
    const body = JSON.stringify({ ops: [{ get: { key } }] });
    const headers = { "KV-Consistency": "eventual", "KV-Durability": "async" };
    assert.equal((await send(address(), { method: "POST", path: "/v1/batch", body, headers })).status, 200);
  });

  describe("a session token", () => {
    test("comes with every answer about a key, and is taken as header and as parameter", async () => {
      const key = freshKey();
      const answers = [
        await send(address(), { path: `/v1/kv/${key}` }),
        await put(key, "x"),
        await send(address(), { path: `/v1/kv/${key}` }),
        await send(address(), { method: "HEAD", path: `/v1/kv/${key}` }),
        await put(key, "y", { "If-Match": '"1"' }),
        await send(address(), { path: `/set?key=${key}&value=z` }),
        await send(address(), { method: "POST", path: `/v1/kv/${key}/increment`, body: "{}" }),
        await send(address(), { path: `/delete?key=${key}` }),
      ];
      for (const { status, headers } of answers) {
        const token = headers["kv-token"] ?? "";
        assert.match(token, /^[\x21-\x7e]{8,}$/, String(status));
        for (const consistency of ["linearizable", "strict", "eventual"]) {
          const path = `/v1/kv/${key}?consistency=${consistency}`;
          assert.equal((await send(address(), { path, headers: { "KV-Token": token } })).status, 404);
          assert.equal((await send(address(), { path: `${path}&token=${encodeURIComponent(token)}` })).status, 404);
        }
      }
    });

    test("comes with each result of a batch", async () => {
      const key = freshKey();
      const body = JSON.stringify({
        ops: [{ set: { key, value: "x" } }, { get: { key } }, { delete: { key: `${key}?` } }],
      });
      const { results } = (await send(address(), { method: "POST", path: "/v1/batch", body })).json() as {
        results: { token: string }[];
      };
      for (const { token } of results) {
        const path = `/v1/kv/${key}?consistency=eventual`;
        assert.equal((await send(address(), { path, headers: { "KV-Token": token } })).text, "x");
      }
    });

    test("that is random, changed, or of another cluster is refused with 400", async () => {
      const token = (await put(freshKey(), "x")).headers["kv-token"] ?? "";
      const fields = token.split(".");
      const changed = (index: number, text: string): string => fields.with(index, text).join(".");
      const tokens = [
        "x",
        "....",
        "abc".repeat(1000),
        Buffer.from("no token").toString("base64url"),
        token.slice(1),
        `${token}.`,
        `${token}0.`,
        changed(0, "2"),
        changed(1, "1234567890abc"),
        changed(2, "00"),
        changed(3, "4294967296"),
        changed(4, "%zz"),
        changed(5, "9007199254740992"),
        changed(5, "1e3"),
      ];
      for (const text of tokens) {
        await refuses({ path: "/v1/kv/a?consistency=eventual", headers: { "KV-Token": text } }, 400, "INVALID_TOKEN");
      }
      await refuses({ path: "/v1/kv/a?token=" }, 400, "INVALID_TOKEN");
      await refuses({ path: "/v1/kv/a?token=a", headers: { "KV-Token": "a" } }, 400, "INVALID_ARGUMENT");
    });

    test("of a future epoch, or of what is still to come, is refused with 409", async () => {
      const token = (await put(freshKey(), "x")).headers["kv-token"] ?? "";
      const fields = token.split(".");
      const later = [fields.with(3, "4294967295"), fields.with(5, "9007199254740991"), fields.with(2, "7")];
      for (const one of later) {
        const request: TestRequest = { path: "/v1/kv/a", headers: { "KV-Token": one.join(".") } };
        await refuses(request, 409, "POSITION_NOT_HELD");
      }
    });

    test("of another shard asks for nothing", async () => {
      const key = freshKey();
      const token = (await put(key, "x")).headers["kv-token"] ?? "";
      const other = token.split(".").with(4, "Elsewhere").with(5, "123456").join(".");
      const path = `/v1/kv/${key}?consistency=eventual`;
      assert.equal((await send(address(), { path, headers: { "KV-Token": other } })).text, "x");
    });
  });

  describe("an Idempotency-Key", () => {
    const named = (id: string): Readonly<Record<string, string>> => ({ "Idempotency-Key": id });

    test("makes a repeated write happen once, with the same answer", async () => {
      const key = freshKey();
      const increment = { method: "POST", path: `/v1/kv/${key}/increment`, body: '{"by":5}', headers: named(key) };
      const first = await send(address(), increment);
      const again = await send(address(), increment);
      assert.deepEqual(first.json(), again.json());
      assert.equal(first.headers["etag"], again.headers["etag"]);
      assert.equal((await send(address(), { path: `/v1/kv/${key}` })).text, "5");
    });

    test("is taken by every path that writes", async () => {
      const key = freshKey();
      const batch = JSON.stringify({ ops: [{ set: { key, value: "batch" } }, { get: { key } }] });
      const requests: TestRequest[] = [
        { method: "PUT", path: `/v1/kv/${key}`, body: "x", headers: named(`${key} put`) },
        { path: `/set?key=${key}&value=y`, headers: named(`${key} set`) },
        { path: `/delete?key=${key}`, headers: named(`${key} delete`) },
        { method: "POST", path: "/v1/batch", body: batch, headers: named(`${key} batch`) },
        { method: "DELETE", path: `/v1/kv/${key}`, headers: named(`${key} remove`) },
      ];
      for (const request of requests) {
        const first = await send(address(), request);
        assert.ok(first.status < 300, first.text);
        await put(key, "in between");
        const again = await send(address(), request);
        assert.deepEqual([again.status, again.text], [first.status, first.text]);
        assert.equal((await send(address(), { path: `/v1/kv/${key}` })).text, "in between");
      }
    });

    test("with another request is refused with 422", async () => {
      const key = freshKey();
      await put(key, "x", named(key));
      const path = `/v1/kv/${key}`;
      await refuses({ method: "PUT", path, body: "y", headers: named(key) }, 422, "REQUEST_ID_REUSED");
      await refuses({ method: "DELETE", path, headers: named(key) }, 422, "REQUEST_ID_REUSED");
      assert.equal((await send(address(), { path })).text, "x");
    });

    test("has 1 to 64 printable characters, comes once, and only where something is written", async () => {
      const path = `/v1/kv/${freshKey()}`;
      assert.equal(
        (await send(address(), { method: "PUT", path, body: "x", headers: named("~".repeat(64)) })).status,
        201,
      );
      for (const id of ["", "~".repeat(65), "caf\u00e9", "a\tb"]) {
        await refuses({ method: "PUT", path, body: "x", headers: named(id) }, 400, "INVALID_ARGUMENT");
      }
      const twice: TestRequest = { method: "PUT", path, body: "x", headers: { "Idempotency-Key": ["a", "b"] } };
      await refuses(twice, 400, "BAD_REQUEST");
      await refuses({ path, headers: named("a") }, 400, "INVALID_ARGUMENT");
      await refuses({ path: "/get?key=a", headers: named("a") }, 400, "INVALID_ARGUMENT");
      await refuses({ path: "/v1/kv?prefix=a", headers: named("a") }, 400, "INVALID_ARGUMENT");
    });
  });

  describe("options mean nothing to paths without keys", () => {
    for (const name of ["KV-Token", "KV-Max-Lag-Ms", "KV-Consistency", "Idempotency-Key"]) {
      test(name, () => refuses({ path: "/v1/cluster", headers: { [name]: "1" } }, 400, "UNKNOWN_PARAMETER"));
    }
  });

  describe("what later versions have is refused with 501", () => {
    for (const path of ["/v1/watch?prefix=a", "/openapi.json"]) {
      test(path, () => refuses({ path }, 501, "NOT_SUPPORTED"));
    }
  });
}
