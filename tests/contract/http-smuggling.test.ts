import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SeededRandom } from "../../src/base/random.ts";
import { cutAtRandom } from "../support/http-requests.ts";
import { converse, startTwins } from "../support/http-twins.ts";
import { SMUGGLED_KEY, SMUGGLING_CORPUS } from "../support/smuggling-corpus.ts";

const HOT = "GET /v1/kv/before HTTP/1.1\r\nHost: localhost\r\n\r\n";
const CUTS_PER_REQUEST = 3;

describe("a request inside another one", () => {
  test("is never carried out, on the fast path or the ordinary one, and both answer alike", async (context) => {
    const twins = await startTwins(context, 1);
    const random = new SeededRandom(1);
    for (const [description, request] of Object.entries(SMUGGLING_CORPUS)) {
      const bytes = Buffer.from(HOT + request, "latin1");
      const manners = [[bytes], ...Array.from({ length: CUTS_PER_REQUEST }, () => cutAtRandom(random, bytes))];
      for (const pieces of manners) {
        const [fast, ordinary] = await Promise.all([
          converse(twins.fast.address, pieces),
          converse(twins.ordinary.address, pieces),
        ]);
        assert.equal(fast, ordinary, description);
        assert.ok(fast.startsWith("HTTP/1.1 404 "), `${description}: the request before it is answered`);
        for (const { gateway } of [twins.fast, twins.ordinary]) {
          const keys = gateway.asked?.map(({ operation }) => operation.key) ?? [];
          assert.ok(!keys.some((key) => key.includes(SMUGGLED_KEY)), `${description}: what was hidden was carried out`);
        }
        assert.deepEqual(twins.fast.gateway.asked, twins.ordinary.gateway.asked, description);
        twins.fast.gateway.asked = [];
        twins.ordinary.gateway.asked = [];
      }
    }
  });

  test("is carried out when it is no longer inside: the corpus could tell", async (context) => {
    const { fast } = await startTwins(context, 1);
    await converse(fast.address, [
      Buffer.from(SMUGGLING_CORPUS["a plain body"]?.replace(/Content-Length: \d+/, "Content-Length: 0") ?? ""),
    ]);
    assert.deepEqual(
      fast.gateway.asked?.map(({ operation }) => operation.key),
      ["outer", SMUGGLED_KEY],
    );
  });
});
