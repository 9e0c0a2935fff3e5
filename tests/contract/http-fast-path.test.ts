import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SeededRandom } from "../../src/base/random.ts";
import { fuzzRuns } from "../support/byte-mutations.ts";
import { cutAtRandom, hotRequest, requestSequence } from "../support/http-requests.ts";
import { metricOf } from "../support/local-http.ts";
import { converse, type HttpTwins, startTwins } from "../support/http-twins.ts";

const HANDED_OVER = "kv_http_connections_handed_over_total";
const CLIENTS = 8;
const HOT_ONLY = [
  "PUT /v1/kv/k%20l HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
  "GET /v1/kv/k%20l HTTP/1.1\r\nHost: localhost\r\nUser-Agent: test\r\nConnection: keep-alive\r\n\r\n",
  "HEAD /v1/kv/k%20l HTTP/1.1\r\nHost: localhost\r\n\r\n",
  "DELETE /v1/kv/k%20l HTTP/1.1\r\nHost: localhost\r\n\r\n",
].join("");
/** Hot requests, then others, then hot ones again, by then on the ordinary path. */
const MIXED: Buffer = Buffer.from(
  [
    HOT_ONLY,
    "PUT /v1/kv/c HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "GET /v1/kv/c HTTP/1.1\r\nHost: localhost\r\n\r\n",
  ].join(""),
  "latin1",
);
const SEED = Number(process.env["KV_FUZZ_SEED"] ?? 1);

/**
 * Whether a method is unknown or no method at all: the ordinary server guesses from the line that the fault is in, and a body
 * before it, or a cut, hides where that line starts.
 */
const METHOD_FAULT =
  /"detail":"(?:The method is not known|The bytes are not a valid HTTP request: Invalid method encountered)"/;

function sameFaults(text: string): string {
  const lastAnswerAt = text.lastIndexOf("HTTP/1.1 40");
  return METHOD_FAULT.test(text.slice(lastAnswerAt)) ? `${text.slice(0, lastAnswerAt)}a fault in the method` : text;
}

/** The same bytes to both: the same answers, and the same done in both stores. */
async function expectAgreement(twins: HttpTwins, pieces: readonly Buffer[], claim: string): Promise<string> {
  const [fast, ordinary] = await Promise.all([
    converse(twins.fast.address, pieces),
    converse(twins.ordinary.address, pieces),
  ]);
  const sent = JSON.stringify(pieces.map((piece) => piece.toString("latin1").slice(0, 2000)));
  assert.equal(sameFaults(fast), sameFaults(ordinary), `${claim}: ${sent}`);
  assert.deepEqual(twins.fast.gateway.asked, twins.ordinary.gateway.asked, `${claim}: ${sent}`);
  twins.fast.gateway.asked = [];
  twins.ordinary.gateway.asked = [];
  return fast;
}

/** Versions depend on what other clients do meanwhile, and with them the lengths of what tells them. */
function withoutVersions(text: string): string {
  return text.replaceAll(/(ETag: "|KV-Version: |"version":|Content-Length: |KV-Token: .*\.)\d+/g, "$1n");
}

describe("the fast path and the ordinary one", () => {
  test("agree on requests of all kinds, pipelined, cut anywhere, answered late", async (context) => {
    const twins = await startTwins(context, SEED);
    const random = new SeededRandom(SEED);
    for (let run = 0; run < fuzzRuns(300); run++) {
      const pieces = cutAtRandom(random, requestSequence(random));
      await expectAgreement(twins, pieces, `KV_FUZZ_SEED=${SEED}, run ${run}`);
    }
    assert.ok((await metricOf(twins.fast.address, HANDED_OVER)) > 0, "some connections left the fast path");
  });

  test("agree when many clients are answered in another order than they asked", async (context) => {
    const twins = await startTwins(context, SEED);
    const random = new SeededRandom(SEED);
    for (let run = 0; run < fuzzRuns(15); run++) {
      const conversations = Array.from({ length: CLIENTS }, (_, client) => {
        const requests = Array.from({ length: 20 }, () => hotRequest(random, `client-${client}:`));
        return cutAtRandom(random, Buffer.concat(requests));
      });
      const [fast, ordinary] = await Promise.all(
        [twins.fast, twins.ordinary].map(({ address }) =>
          Promise.all(conversations.map(async (pieces) => withoutVersions(await converse(address, pieces)))),
        ),
      );
      assert.deepEqual(fast, ordinary, `KV_FUZZ_SEED=${SEED}, run ${run}`);
    }
  });

  test("agree wherever the bytes are cut in two", async (context) => {
    const twins = await startTwins(context, SEED);
    for (let cut = 0; cut <= MIXED.length; cut++) {
      await expectAgreement(twins, [MIXED.subarray(0, cut), MIXED.subarray(cut)], `cut at ${cut}`);
    }
  });

  test("agree when the bytes come one by one, and hot requests stay on the fast path", async (context) => {
    const twins = await startTwins(context, SEED);
    const bytes = Buffer.from(HOT_ONLY, "latin1");
    const pieces = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
    const text = await expectAgreement(twins, pieces, "byte by byte");
    assert.equal(text.split("HTTP/1.1 ").length - 1, 4);
    // Asking is the first thing that the fast path hands over.
    assert.equal(await metricOf(twins.fast.address, HANDED_OVER), 1);
  });

  test("agree on requests that end too early", async (context) => {
    const twins = await startTwins(context, SEED);
    const bytes = Buffer.from(HOT_ONLY, "latin1");
    for (let end = 0; end < bytes.length; end++) await expectAgreement(twins, [bytes.subarray(0, end)], `${end} bytes`);
  });

  test("agree on values of every size that is written in another way", async (context) => {
    const twins = await startTwins(context, SEED);
    for (const byteCount of [0, 1, 8192, 8193, 65_535, 65_536, 65_537, 300_000]) {
      const put = `PUT /v1/kv/sized HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${byteCount}\r\n\r\n`;
      const get = "GET /v1/kv/sized HTTP/1.1\r\nHost: localhost\r\n\r\n";
      const body = Buffer.alloc(byteCount, `${byteCount},`);
      await expectAgreement(twins, [Buffer.from(put), body, Buffer.from(get.repeat(3))], `${byteCount} bytes`);
      await expectAgreement(twins, [Buffer.from(get.repeat(20))], `${byteCount} bytes, read again`);
    }
  });
});
