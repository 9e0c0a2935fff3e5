import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KvError } from "../model/errors.ts";
import { keyOfText } from "../model/key.ts";
import { DEFAULT_OPTIONS } from "../model/operation.ts";
import { ProtocolError } from "../wire/protocol-error.ts";
import { decodeAnswer, encodeAnswer, readCopyAnswer, readPromotionReport, readStatusAnswer } from "./peer-answer.ts";
import { decodeCall, encodeCall, type PeerCall } from "./peer-call.ts";
import { MemoryCluster } from "../../tests/support/memory-cluster.ts";

const CALLS: readonly PeerCall[] = [
  {
    kind: "operate",
    shard: "Mumbai",
    hops: 2,
    leftMs: 5999,
    epoch: 4_294_967_295,
    operation: { kind: "increment", key: keyOfText("k"), by: -5n },
    options: DEFAULT_OPTIONS,
  },
  { kind: "status" },
  { kind: "copy", key: keyOfText("ключ") },
  {
    kind: "promote",
    request: { shard: "Delhi", node: "127.0.0.5:8080", dryRun: true, acceptDataLoss: false, isHandover: false },
  },
];

test("every call between nodes survives its encoding", () => {
  for (const call of CALLS) assert.deepEqual(decodeCall(encodeCall(call)), call);
});

test("time left is rounded up to whole milliseconds and never negative", () => {
  const [call] = CALLS;
  assert.ok(call?.kind === "operate");
  for (const [leftMs, expected] of [
    [0.2, 1],
    [-5, 0],
    [7, 7],
  ] as const) {
    const decoded = decodeCall(encodeCall({ ...call, leftMs }));
    assert.equal(decoded.kind === "operate" && decoded.leftMs, expected);
  }
});

test("bytes that are no call are a protocol error, whatever they are", () => {
  const check = (bytes: Uint8Array): void => {
    try {
      decodeCall(Buffer.from(bytes));
    } catch (error) {
      assert.ok(error instanceof ProtocolError, String(error));
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), check));
  for (const call of CALLS) {
    const bytes = encodeCall(call);
    for (let length = 0; length < bytes.length; length++) check(bytes.subarray(0, length));
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      check(flipped);
    }
  }
  assert.throws(() => decodeCall(Buffer.alloc(0)), ProtocolError);
  assert.throws(() => decodeCall(Buffer.from([2, 0])), ProtocolError);
  assert.throws(() => decodeCall(Buffer.from('\x04{"shard":"a","node":"b","dryRun":1}')), ProtocolError);
});

test("answers about members, copies and promotions survive their encoding, and errors stay errors", () => {
  const made = new MemoryCluster({ shardCount: 1, memberCount: 2 });
  const { member } = made.node("s0m0");
  const answer = { status: member.status(), known: member.knownLeader() };
  assert.deepEqual(decodeAnswer(encodeAnswer(answer), readStatusAnswer), answer);
  const copy = { role: "replica", version: null, lagEntries: 3, lagMs: 4.5 } as const;
  assert.deepEqual(decodeAnswer(encodeAnswer(copy), readCopyAnswer), copy);
  const report = {
    shard: "a",
    node: "b",
    done: false,
    ledAlready: false,
    findings: ["x"],
    refusal: "y",
    epoch: 3,
    missingEntries: 1,
  };
  assert.deepEqual(decodeAnswer(encodeAnswer(report), readPromotionReport), report);
  const error = decodeAnswer(
    encodeAnswer(new KvError("PROMOTION_REFUSED", "no", { details: { behind: 3 } })),
    readPromotionReport,
  );
  assert.ok(error instanceof KvError && error.code === "PROMOTION_REFUSED");
  assert.deepEqual(error.details, { behind: 3 });
});

test("an answer with a field missing or of another kind is a protocol error", () => {
  for (const text of [
    "{}",
    "[]",
    "x",
    '{"ok":{"role":"king","version":1,"lagEntries":0,"lagMs":0}}',
    '{"ok":{"role":"leader"}}',
  ]) {
    assert.throws(() => decodeAnswer(Buffer.from(text), readCopyAnswer), ProtocolError, text);
  }
  const unknown = decodeAnswer(Buffer.from('{"error":{"code":"toString","message":"m"}}'), readCopyAnswer);
  assert.ok(unknown instanceof KvError && unknown.code === "INTERNAL");
});
