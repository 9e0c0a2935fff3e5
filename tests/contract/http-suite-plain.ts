import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { send } from "../support/http-client.ts";
import { freshKey } from "./http-system.ts";

const FORM = { "Content-Type": "application/x-www-form-urlencoded" };

/** `/set`, `/get` and `/delete`. */
export function describePlainPaths(address: () => string): void {
  describe("the plain paths", () => {
    test("a value that was set can be read back as it is, and is gone after a delete", async () => {
      const key = freshKey();
      const set = await send(address(), { path: `/set?key=${key}&value=hello` });
      assert.equal(set.status, 200);
      const { shard, version } = set.json() as { shard: string; version: number };
      assert.equal(set.headers["kv-shard"], shard);
      assert.equal(set.headers["kv-version"], String(version));
      assert.deepEqual(Object.keys(set.json() as object), ["shard", "version"]);

      const get = await send(address(), { path: `/get?key=${key}` });
      assert.equal(get.status, 200);
      assert.equal(get.text, "hello");
      assert.equal(get.headers["kv-version"], String(version));

      const deleted = await send(address(), { path: `/delete?key=${key}` });
      assert.equal(deleted.status, 200);
      assert.deepEqual(deleted.json(), { shard, deleted: true });
      assert.equal((await send(address(), { path: `/get?key=${key}` })).status, 404);
      assert.deepEqual((await send(address(), { path: `/delete?key=${key}` })).json(), { shard, deleted: false });
    });

    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"]) {
      test(`${method} works, with the parameters in the query`, async () => {
        const key = freshKey();
        assert.equal((await send(address(), { method, path: `/set?key=${key}&value=1` })).status, 200);
        assert.equal((await send(address(), { method, path: `/get?key=${key}` })).text, "1");
      });
    }

    test("parameters may come in a form body, or some in the query and some in the body", async () => {
      const key = freshKey();
      const inBody = await send(address(), {
        method: "POST",
        path: "/set",
        headers: FORM,
        body: `key=${key}&value=a+b%21`,
      });
      assert.equal(inBody.status, 200);
      assert.equal(
        (await send(address(), { method: "POST", path: "/get", headers: FORM, body: `key=${key}` })).text,
        "a b!",
      );
      await send(address(), { method: "POST", path: `/set?key=${key}`, headers: FORM, body: "value=split" });
      assert.equal((await send(address(), { path: `/get?key=${key}` })).text, "split");
    });

    test("a body that is no form is refused with 415", async () => {
      const headers = { "Content-Type": "application/json" };
      const answer = await send(address(), { method: "POST", path: "/set", headers, body: '{"key":"a"}' });
      assert.equal(answer.status, 415);
      assert.equal((answer.json() as { code: string }).code, "UNSUPPORTED_MEDIA_TYPE");
    });

    test("a key with a ttl is there at first and gone when its time is up", async () => {
      const key = freshKey();
      assert.equal((await send(address(), { path: `/set?key=${key}&value=x&ttl=1` })).status, 200);
      assert.equal((await send(address(), { path: `/get?key=${key}` })).status, 200);
      await sleep(1300);
      assert.equal((await send(address(), { path: `/get?key=${key}` })).status, 404);
    });

    test("an empty value is stored, and differs from no value", async () => {
      const key = freshKey();
      assert.equal((await send(address(), { path: `/set?key=${key}&value=` })).status, 200);
      const get = await send(address(), { path: `/get?key=${key}` });
      assert.equal(get.status, 200);
      assert.equal(get.body.length, 0);
      assert.equal((await send(address(), { path: `/set?key=${key}` })).status, 400);
    });

    test("keys and values in a query are bytes, whatever they mean as text", async () => {
      const key = `${freshKey()}%ff%00%2F`;
      await send(address(), { path: `/set?key=${key}&value=%fe%00%0d%0a` });
      const get = await send(address(), { path: `/get?key=${key}` });
      assert.deepEqual(get.body, Buffer.of(0xfe, 0x00, 0x0d, 0x0a));
      assert.equal((await send(address(), { path: `/v1/kv/${key}` })).status, 200);
    });
  });
}
