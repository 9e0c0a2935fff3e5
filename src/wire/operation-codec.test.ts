import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { anOperation, aReply, someOptions } from "../../tests/support/wire-arbitraries.ts";
import { fuzzRuns, mutations } from "../../tests/support/byte-mutations.ts";
import { KvError } from "../model/errors.ts";
import { keyOfText } from "../model/key.ts";
import { LIMITS } from "../model/limits.ts";
import { DEFAULT_OPTIONS, type Operation, type Reply } from "../model/operation.ts";
import { decodeOperation, decodeReply, encodeOperation, encodeReply } from "./operation-codec.ts";
import { ProtocolError } from "./protocol-error.ts";

/** Errors compare by what travels: the stack and the cause stay at home. */
function comparable(value: unknown): unknown {
  if (value instanceof KvError) return { code: value.code, message: value.message, details: value.details };
  if (Buffer.isBuffer(value)) return value.toString("hex");
  if (Array.isArray(value)) return value.map((item) => comparable(item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, comparable(field)]));
}

/** Decodes bytes that are nobody's encoding: a value or a ProtocolError, nothing else. Says which. */
function isRefused(decode: () => unknown): boolean {
  try {
    decode();
    return false;
  } catch (error) {
    assert.ok(error instanceof ProtocolError, `threw ${String(error)}`);
    return true;
  }
}

const aSet: Operation = {
  kind: "set",
  key: keyOfText("city:IN:Delhi"),
  value: Buffer.from("value"),
  contentType: "text/plain",
  expiry: { kind: "after", ms: 5000 },
  condition: { kind: "version", version: 2 ** 40 },
  returnOld: true,
  isBlind: true,
};
const aPage: Reply = {
  ok: true,
  answerer: { shard: "Delhi", node: "127.0.0.5:8080", role: "replica", lagMs: 12.5 },
  position: { epoch: 3, lineage: 2, sequence: 99 },
  result: {
    kind: "page",
    resume: keyOfText("last"),
    items: [{ key: keyOfText("a"), value: null, version: 1, expiryMs: 0, contentType: "" }],
  },
};

describe("the encoding of operations", () => {
  it("gives every operation back as it was", () => {
    fc.assert(
      fc.property(anOperation, someOptions, (operation, options) => {
        assert.deepEqual(
          comparable(decodeOperation(encodeOperation(operation, options))),
          comparable({ operation, options }),
        );
      }),
      { numRuns: fuzzRuns(2000) },
    );
  });

  it("refuses every strict prefix, and bytes that follow", () => {
    fc.assert(
      fc.property(anOperation, someOptions, (operation, options) => {
        const bytes = encodeOperation(operation, options);
        const step = Math.max(1, Math.floor(bytes.length / 50));
        for (let length = 0; length < bytes.length; length += step) {
          assert.throws(() => decodeOperation(bytes.subarray(0, length)), ProtocolError);
        }
        assert.throws(() => decodeOperation(Buffer.concat([bytes, Buffer.from([0])])), ProtocolError);
      }),
      { numRuns: fuzzRuns(300) },
    );
  });

  it("throws nothing but ProtocolError whatever the bytes are", () => {
    const valid = fc.sample(fc.tuple(anOperation, someOptions), { numRuns: 200, seed: 1 });
    const inputs = valid.map(([operation, options]) => encodeOperation(operation, options));
    let refused = 0;
    const total = fuzzRuns(20_000);
    for (const bytes of mutations(inputs, total)) if (isRefused(() => decodeOperation(bytes))) refused++;
    assert.ok(refused > total / 10, `only ${refused} of ${total} inputs were refused`);
    assert.ok(refused < total, "some mutated operations are still operations");
  });

  it("refuses what exceeds a limit", () => {
    const key = keyOfText("k");
    const scan: Operation = {
      kind: "scan",
      start: "",
      end: "",
      reverse: false,
      keysOnly: false,
      rowsMax: 1,
      bytesMax: 1,
    };
    const tooMuch: Operation[] = [
      { ...aSet, key: "k".repeat(LIMITS.keyBytesMax + 1) } as Operation,
      { ...aSet, key: "" } as Operation,
      { ...aSet, value: Buffer.alloc(LIMITS.valueBytesMax + 1) },
      { ...aSet, expiry: { kind: "after", ms: LIMITS.ttlMsMax + 1 } },
      { ...aSet, expiry: { kind: "at", ms: 1.5 } },
      { ...aSet, expiry: { kind: "at", ms: Number.NaN } },
      { kind: "batch", operations: [] },
      { kind: "batch", operations: [aSet, aSet].map((set) => ({ ...set, value: Buffer.alloc(9_000_000) })) },
      {
        kind: "batch",
        operations: [
          { kind: "setAllAbsent", key, value: Buffer.alloc(16_777_216), more: [{ key, value: Buffer.from("v") }] },
        ],
      },
      {
        kind: "batch",
        operations: Array.from({ length: 19_000 }, () => ({ kind: "get", key: keyOfText("k".repeat(1024)) })),
      },
      { ...scan, rowsMax: 0 },
      { ...scan, rowsMax: LIMITS.scanRowsMax + 1 },
      { ...scan, bytesMax: LIMITS.scanPageBytesMax + 1 },
      { ...scan, start: "s".repeat(LIMITS.keyBytesMax + 2) },
    ];
    for (const operation of tooMuch) {
      assert.throws(() => decodeOperation(encodeOperation(operation, DEFAULT_OPTIONS)), ProtocolError);
    }
    const largest = { ...aSet, value: Buffer.alloc(LIMITS.valueBytesMax) } as Operation;
    assert.deepEqual(decodeOperation(encodeOperation(largest, DEFAULT_OPTIONS)).operation, largest);
  });

  it("does not keep a whole chunk alive for the sake of a small value", () => {
    const chunk = Buffer.alloc(65_536);
    const bytes = encodeOperation(aSet, DEFAULT_OPTIONS);
    bytes.copy(chunk, 100);
    const { operation } = decodeOperation(chunk.subarray(100, 100 + bytes.length));
    assert.ok(operation.kind === "set");
    assert.notEqual(operation.value.buffer, chunk.buffer);
  });
});

describe("the encoding of replies", () => {
  it("gives every reply back as it was", () => {
    fc.assert(
      fc.property(aReply, (reply) => {
        assert.deepEqual(comparable(decodeReply(encodeReply(reply))), comparable(reply));
      }),
      { numRuns: fuzzRuns(2000) },
    );
  });

  it("throws nothing but ProtocolError whatever the bytes are", () => {
    const inputs = fc.sample(aReply, { numRuns: 200, seed: 2 }).map((reply) => encodeReply(reply));
    let refused = 0;
    const total = fuzzRuns(20_000);
    for (const bytes of mutations(inputs, total)) if (isRefused(() => decodeReply(bytes))) refused++;
    assert.ok(refused > total / 10, `only ${refused} of ${total} inputs were refused`);
  });

  it("refuses every strict prefix", () => {
    const bytes = encodeReply(aPage);
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => decodeReply(bytes.subarray(0, length)), ProtocolError);
    }
  });

  it("takes an error number of a newer version as INTERNAL, whose outcome is unknown", () => {
    const bytes = encodeReply({ ok: false, error: new KvError("BUSY", "later") });
    bytes.writeUInt16LE(9999, 1);
    const reply = decodeReply(bytes);
    assert.ok(!reply.ok);
    assert.equal(reply.error.code, "INTERNAL");
    assert.equal(reply.error.outcome, "unknown");
  });

  it("carries an error whose details cannot travel without them", () => {
    const details = { text: "x".repeat(100_000) };
    const reply = decodeReply(encodeReply({ ok: false, error: new KvError("BUSY", "m".repeat(100_000), { details }) }));
    assert.ok(!reply.ok);
    assert.equal(reply.error.code, "BUSY");
    assert.deepEqual(reply.error.details, {});
    const big = decodeReply(encodeReply({ ok: false, error: new KvError("BUSY", "", { details: { version: 7n } }) }));
    assert.deepEqual(big.ok ? null : big.error.details, { version: "7" });
  });

  it("refuses details that are no object, or have a field __proto__", () => {
    const encoded = encodeReply({ ok: false, error: new KvError("BUSY", "", { details: { leader: "xxxxxxxxxxx" } }) });
    const detailsAt = encoded.indexOf("{");
    for (const json of ['["leader","xxxxxxxxxxx"]', '{"__proto__":{"a":1}}']) {
      const bytes = Buffer.concat([encoded.subarray(0, detailsAt), Buffer.from(json)]);
      bytes.writeUInt16LE(json.length, detailsAt - 2);
      assert.throws(() => decodeReply(bytes), ProtocolError);
    }
  });
});
