import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SeededRandom } from "../../src/base/random.ts";
import { fuzzRuns } from "../support/byte-mutations.ts";
import { cutAtRandom, requestSequence } from "../support/http-requests.ts";
import { converse, type HttpTwins, startTwins } from "../support/http-twins.ts";

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

describe("the fast path and the ordinary one", () => {
  test("agree on requests of all kinds, pipelined, cut anywhere, answered late", async (context) => {
    const twins = await startTwins(context, SEED);
    const random = new SeededRandom(SEED);
    for (let run = 0; run < fuzzRuns(300); run++) {
      const pieces = cutAtRandom(random, requestSequence(random));
      await expectAgreement(twins, pieces, `KV_FUZZ_SEED=${SEED}, run ${run}`);
    }
  });
});
