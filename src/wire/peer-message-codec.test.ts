import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { fuzzRuns, mutations } from "../../tests/support/byte-mutations.ts";
import { someJson } from "../../tests/support/wire-arbitraries.ts";
import { AssertionError } from "../base/assert.ts";
import { LIMITS } from "../model/limits.ts";
import type { WireMessage } from "./message-assembler.ts";
import { FRAME } from "./frame.ts";
import { decodePeerMessage, encodePeerMessage } from "./peer-message-codec.ts";
import type { PeerMessage } from "./peer-network.ts";
import { ProtocolError } from "./protocol-error.ts";

const aMessage: fc.Arbitrary<PeerMessage> = fc.record({
  type: fc.stringMatching(/^[A-Z_]{1,32}$/),
  shard: fc.string({ maxLength: 60, unit: "grapheme" }),
  header: someJson,
  body: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
});

function carried(message: PeerMessage): WireMessage {
  const { type, id, shardBytes, parts } = encodePeerMessage(message, 7);
  return { type, id, shardBytes, payload: Buffer.concat(parts) };
}

function headerOf(json: string): WireMessage {
  const bytes = Buffer.from(json);
  const prefix = Buffer.from([1, 0x48, 0, 0, 0, 0]);
  prefix.writeUInt32LE(bytes.length, 2);
  return { type: FRAME.message, id: 0, shardBytes: 0, payload: Buffer.concat([prefix, bytes]) };
}

describe("the encoding of messages between nodes", () => {
  it("gives every message back as it was", () => {
    fc.assert(
      fc.property(aMessage, (message) => {
        const decoded = decodePeerMessage(carried(message));
        assert.deepEqual({ ...decoded }, { ...message });
      }),
      { numRuns: fuzzRuns(2000) },
    );
  });

  it("throws nothing but ProtocolError whatever the bytes are", () => {
    const samples = fc.sample(aMessage, { numRuns: 200, seed: 3 }).map((message) => carried(message));
    const total = fuzzRuns(20_000);
    let refused = 0;
    let at = 0;
    for (const payload of mutations(
      samples.map((sample) => sample.payload),
      total,
    )) {
      const shardBytes = Math.min(samples[at++ % samples.length]?.shardBytes ?? 0, payload.length);
      try {
        decodePeerMessage({ type: FRAME.message, id: 0, shardBytes, payload });
      } catch (error) {
        assert.ok(error instanceof ProtocolError, String(error));
        refused++;
      }
    }
    assert.ok(refused > total / 10, `only ${refused} of ${total} were refused`);
  });

  it("refuses a header that is too long, too deep, no JSON, no UTF-8, or has a field __proto__", () => {
    const deep = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
    const wrong = [
      "",
      "{",
      '{"a":1}x',
      '{"__proto__":{"isAdmin":true}}',
      '{"a":[{"\\u005f_proto__":1}]}',
      deep(LIMITS.jsonDepthMax + 2),
      deep(30_000),
      `"${"x".repeat(LIMITS.peerHeaderBytesMax)}"`,
    ];
    for (const json of wrong) assert.throws(() => decodePeerMessage(headerOf(json)), ProtocolError, json.slice(0, 40));
    const invalid = headerOf('"abc"');
    invalid.payload[8] = 0xff;
    assert.throws(() => decodePeerMessage(invalid), ProtocolError);
    assert.deepEqual(decodePeerMessage(headerOf('{"constructor":1}')).header, { constructor: 1 });
    assert.deepEqual(decodePeerMessage(headerOf(deep(LIMITS.jsonDepthMax))).shard, "");
    assert.equal(Object.getPrototypeOf({}), Object.prototype);
    assert.equal("isAdmin" in {}, false);
  });

  it("takes a header of the largest size", () => {
    const header = "x".repeat(LIMITS.peerHeaderBytesMax - 2);
    const message = { type: "HB", shard: "Delhi", header, body: Buffer.alloc(0) };
    assert.equal(decodePeerMessage(carried(message)).header, header);
    assert.throws(() => carried({ ...message, header: `${header}x` }), AssertionError);
  });
});
