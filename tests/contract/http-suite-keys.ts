import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { send, type TestResponse } from "../support/http-client.ts";
import { freshKey } from "./http-system.ts";

/** `/v1/kv/{key}`. */
export function describeKeys(address: () => string): void {
  const put = (key: string, body: string, headers: Record<string, string> = {}): Promise<TestResponse> =>
    send(address(), { method: "PUT", path: `/v1/kv/${key}`, body, headers });
  const get = (key: string, headers: Record<string, string> = {}): Promise<TestResponse> =>
    send(address(), { path: `/v1/kv/${key}`, headers });

  describe("a key under /v1/kv", () => {
    test("PUT creates with 201, replaces with 200, and each version is an ETag", async () => {
      const key = freshKey();
      const created = await put(key, "one");
      assert.equal(created.status, 201);
      const replaced = await put(key, "two");
      assert.equal(replaced.status, 200);
      const { shard, version } = replaced.json() as { shard: string; version: number };
      assert.equal(replaced.headers["etag"], `"${version}"`);
      assert.notEqual(replaced.headers["etag"], created.headers["etag"]);

      const read = await get(key);
      assert.equal(read.status, 200);
      assert.equal(read.text, "two");
      assert.equal(read.headers["etag"], `"${version}"`);
      assert.equal(read.headers["kv-shard"], shard);
    });

    test("every answer says who answered, in what role, which version, and how far behind", async () => {
      const key = freshKey();
      const answers = [await put(key, "x"), await get(key), await get(`${key}:absent`)];
      answers.push(await send(address(), { method: "DELETE", path: `/v1/kv/${key}` }));
      for (const { headers } of answers) {
        assert.ok(headers["kv-shard"]);
        assert.match(headers["kv-node"] ?? "", /^.+:\d+$/);
        assert.match(headers["kv-role"] ?? "", /^(leader|replica)$/);
        assert.match(headers["kv-version"] ?? "", /^\d+$/);
        assert.match(headers["kv-lag-ms"] ?? "", /^\d+$/);
      }
      assert.equal(answers[1]?.headers["kv-lag-ms"], "0");
    });

    test("the content type comes back as it was stored, and browsers may not run what they get", async () => {
      const key = freshKey();
      await put(key, "<script>alert(1)</script>", { "Content-Type": "text/html; charset=utf-8" });
      const { headers } = await get(key);
      assert.equal(headers["content-type"], "text/html; charset=utf-8");
      assert.equal(headers["x-content-type-options"], "nosniff");
      assert.equal(headers["content-security-policy"], "sandbox");
      await put(key, "no type");
      assert.equal((await get(key)).headers["content-type"], "application/octet-stream");
      await put(key, "as curl -d sends it", { "Content-Type": "application/x-www-form-urlencoded" });
      assert.equal((await get(key)).headers["content-type"], "application/octet-stream");
    });

    test("HEAD answers like GET, without the body", async () => {
      const key = freshKey();
      await put(key, "12345");
      const head = await send(address(), { method: "HEAD", path: `/v1/kv/${key}` });
      assert.equal(head.status, 200);
      assert.equal(head.headers["content-length"], "5");
      assert.equal(head.body.length, 0);
      assert.equal((await send(address(), { method: "HEAD", path: `/v1/kv/${key}:absent` })).status, 404);
    });

    test("GET with If-None-Match of the present version answers 304, of another one the value", async () => {
      const key = freshKey();
      const etag = (await put(key, "x")).headers["etag"] ?? "";
      const same = await get(key, { "If-None-Match": etag });
      assert.equal(same.status, 304);
      assert.equal(same.headers["etag"], etag);
      assert.equal((await get(key, { "If-None-Match": "*" })).status, 304);
      assert.equal((await get(key, { "If-None-Match": '"1234567890123"' })).status, 200);
      assert.equal((await get(`${key}:absent`, { "If-None-Match": etag })).status, 404);
    });

    test("GET with If-Match of another version answers 412", async () => {
      const key = freshKey();
      const etag = (await put(key, "x")).headers["etag"] ?? "";
      assert.equal((await get(key, { "If-Match": etag })).status, 200);
      assert.equal((await get(key, { "If-Match": '"1234567890123"' })).status, 412);
    });

    test("PUT with If-Match replaces only that version", async () => {
      const key = freshKey();
      const first = await put(key, "first");
      const second = await put(key, "second", { "If-Match": first.headers["etag"] ?? "" });
      assert.equal(second.status, 200);
      const third = await put(key, "third", { "If-Match": first.headers["etag"] ?? "" });
      assert.equal(third.status, 412);
      const problem = third.json() as { code: string; outcome: string };
      assert.equal(problem.code, "PRECONDITION_FAILED");
      assert.equal(problem.outcome, "not_applied");
      assert.equal(third.headers["kv-version"], second.headers["kv-version"]);
      assert.equal((await get(key)).text, "second");
      assert.equal((await put(`${key}:absent`, "x", { "If-Match": "*" })).status, 412);
    });

    test("PUT with If-None-Match: * creates only", async () => {
      const key = freshKey();
      assert.equal((await put(key, "first", { "If-None-Match": "*" })).status, 201);
      assert.equal((await put(key, "second", { "If-None-Match": "*" })).status, 412);
      assert.equal((await get(key)).text, "first");
    });

    test("DELETE answers 204, then 404; with If-Match of another version 412", async () => {
      const key = freshKey();
      const etag = (await put(key, "x")).headers["etag"] ?? "";
      const remove = (headers: Record<string, string>): Promise<TestResponse> =>
        send(address(), { method: "DELETE", path: `/v1/kv/${key}`, headers });
      assert.equal((await remove({ "If-Match": '"1234567890123"' })).status, 412);
      assert.equal((await remove({ "If-Match": etag })).status, 204);
      assert.equal((await remove({})).status, 404);
      assert.equal((await remove({ "If-Match": etag })).status, 412);
    });

    test("PUT with a ttl expires", async () => {
      const key = freshKey();
      assert.equal((await send(address(), { method: "PUT", path: `/v1/kv/${key}?ttl=1`, body: "x" })).status, 201);
      assert.equal((await get(key)).status, 200);
      await sleep(1300);
      assert.equal((await get(key)).status, 404);
    });

    test("an empty value is stored, and differs from no value", async () => {
      const key = freshKey();
      assert.equal((await put(key, "")).status, 201);
      const read = await get(key);
      assert.equal(read.status, 200);
      assert.equal(read.body.length, 0);
      assert.equal(read.headers["content-length"], "0");
    });

    test("options are taken from the query or from headers", async () => {
      const key = freshKey();
      assert.equal((await put(`${key}?durability=async`, "x")).status, 201);
      assert.equal((await put(key, "y", { "KV-Durability": "async" })).status, 200);
      assert.equal((await get(`${key}?consistency=linearizable`)).text, "y");
      assert.equal((await get(key, { "KV-Consistency": "eventual" })).status, 200);
      assert.equal((await get(`${key}?consistency=eventual`, { "KV-Consistency": "eventual" })).status, 400);
    });
  });

  describe("names of keys under /v1/kv", () => {
    const names: Record<string, string> = {
      "a slash": "a/b//c",
      "an encoded slash": "a%2Fb",
      "a dot segment inside": "a/../b",
      "a zero byte": "a%00b",
      "control bytes": "%01%0d%0a%7f",
      spaces: "a%20b%20",
      "a plus": "a+b",
      emoji: "%F0%9F%90%98",
      "the bytes of a lone surrogate": "%ED%A0%80",
      "bytes that are no UTF-8": "%ff%fe",
      __proto__: "__proto__",
      constructor: "constructor",
      toString: "toString",
      hasOwnProperty: "hasOwnProperty",
      "a question mark and a hash": "%3F%23",
      "percent signs": "100%25%2525",
    };
    for (const [description, encoded] of Object.entries(names)) {
      test(`${description} in a key is stored and returned byte for byte`, async () => {
        const prefix = freshKey();
        const path = `/v1/kv/${prefix}${encoded}`;
        assert.equal((await send(address(), { method: "PUT", path, body: encoded })).status, 201);
        assert.equal((await send(address(), { path })).text, encoded);
        assert.equal(
          (await send(address(), { path: `/v1/kv?key=${prefix}${encoded.replaceAll("+", "%2B")}` })).text,
          encoded,
        );
        const scanned = await send(address(), { path: `/v1/kv?prefix=${prefix}` });
        const [item] = (scanned.json() as { items: Array<{ key: string; key_encoding?: "base64" }> }).items;
        const bytes = Buffer.from(item?.key ?? "", item?.key_encoding ?? "utf8");
        const expected = prefix + unescapeBinary(encoded);
        assert.equal(bytes.toString("latin1"), expected);
      });
    }

    for (const name of ["__proto__", "constructor", ".", ".."]) {
      test(`the whole key may be ${name}`, async () => {
        const path = `/v1/kv?key=${name}`;
        assert.ok((await send(address(), { method: "PUT", path, body: "mine" })).status < 300);
        assert.equal((await send(address(), { path })).text, "mine");
        assert.equal((await send(address(), { method: "DELETE", path })).status, 204);
        assert.equal((await send(address(), { path })).status, 404);
      });
    }
  });

  describe("increment", () => {
    const increment = (key: string, body: string): Promise<TestResponse> =>
      send(address(), { method: "POST", path: `/v1/kv/${key}/increment`, body });

    test("counts from nothing, by one or by what is asked", async () => {
      const key = freshKey();
      const first = await increment(key, "");
      assert.equal(first.status, 200);
      assert.equal((first.json() as { value: number }).value, 1);
      const second = await increment(key, '{"by":41}');
      assert.equal((second.json() as { value: number }).value, 42);
      assert.equal(second.headers["etag"], `"${(second.json() as { version: number }).version}"`);
      assert.equal((await increment(key, '{"by":-2}')).text.startsWith('{"value":40,'), true);
      assert.equal((await get(key)).text, "40");
    });

    test("keeps all 64 bits, and refuses what does not fit with 409", async () => {
      const key = freshKey();
      const largest = await increment(key, '{"by":9223372036854775807}');
      assert.match(largest.text, /^\{"value":9223372036854775807,/);
      const overflow = await increment(key, '{"by":1}');
      assert.equal(overflow.status, 409);
      assert.equal((overflow.json() as { code: string }).code, "INTEGER_OVERFLOW");
      assert.equal((await get(key)).text, "9223372036854775807");
    });

    test("refuses a value that is no integer with 409", async () => {
      const key = freshKey();
      await put(key, "apple");
      const answer = await increment(key, '{"by":1}');
      assert.equal(answer.status, 409);
      assert.equal((answer.json() as { code: string }).code, "NOT_AN_INTEGER");
    });

    test("a key that ends in /increment can be written and read", async () => {
      const key = `${freshKey()}/increment`;
      assert.equal((await put(key, "5")).status, 201);
      assert.equal((await get(key)).text, "5");
      assert.equal((await increment(key, '{"by":1}')).status, 200);
      assert.equal((await get(key)).text, "6");
    });

    const wrong = ['{"by":1.5}', '{"by":"1"}', '{"by":1e3}', '{"by":9223372036854775808}', '{"of":1}', "[]", "1", "{"];
    for (const body of wrong) {
      test(`refuses the body ${body}`, async () => {
        assert.equal((await increment(freshKey(), body)).status, 400);
      });
    }
  });
}

function unescapeBinary(encoded: string): string {
  return encoded.replace(/%([0-9a-f]{2})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
