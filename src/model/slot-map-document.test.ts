import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fuzzRuns, mutations } from "../../tests/support/byte-mutations.ts";
import { documentKeys, nodeKey, shardKey } from "./document-keys.ts";
import { KvError } from "./errors.ts";
import { decodeMetaDocument, encodeMetaDocument } from "./meta-document.ts";
import { slotOfKey, type Slot } from "./slot.ts";
import { keyOfText } from "./key.ts";
import { decodeSlotMapDocument, encodeSlotMapDocument } from "./slot-map-document.ts";

const META = { clusterId: "01900000-0000-7000-8000-00000000000f", createdAt: "2026-01-02T03:04:05.678Z" };
const SLOT_MAP = '{"v":1,"ver":9,"modulo":["s0","s1"],"moved":[[7,"s1"],[55439,"s0"]]}';

function refusalOf(decode: () => unknown): string {
  try {
    decode();
  } catch (error) {
    assert(error instanceof KvError && error.code === "DOCUMENT_INVALID", String(error));
    return error.message;
  }
  assert.fail("the document was accepted");
}

const slots: fc.Arbitrary<Slot> = fc.string({ minLength: 1 }).map((text) => slotOfKey(keyOfText(text)));

test("every slot map comes back as it was written, and equal maps are equal texts", () => {
  const names = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
  fc.assert(
    fc.property(
      fc.uniqueArray(names, { minLength: 1, maxLength: 8 }),
      fc.uniqueArray(fc.tuple(slots, names), { selector: ([slot]) => slot }),
      fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      (modulo, pairs, version) => {
        const text = encodeSlotMapDocument({ version, modulo, moved: new Map(pairs) });
        assert.deepEqual(decodeSlotMapDocument(text), { version, modulo, moved: new Map(pairs) });
        assert.equal(encodeSlotMapDocument({ version, modulo, moved: new Map([...pairs].reverse()) }), text);
      },
    ),
    { numRuns: 100 },
  );
});

test("the slot map reads as documented", () => {
  const map = decodeSlotMapDocument(SLOT_MAP);
  assert.equal(map.version, 9);
  assert.deepEqual(map.modulo, ["s0", "s1"]);
  assert.equal(encodeSlotMapDocument(map), SLOT_MAP);
});

test("what is wrong with a slot map is named", () => {
  const refusals: readonly (readonly [string, string, string])[] = [
    ['"ver":9', '"ver":0', "slotmap.ver 0 must be from 1"],
    ['["s0","s1"]', "[]", "slotmap.modulo is empty"],
    ['["s0","s1"]', '["s0","s0"]', "slotmap.modulo names a shard twice"],
    ['["s0","s1"]', '["../s"]', "slotmap.modulo[0] is malformed"],
    ['[7,"s1"]', '[7,"s1"],[7,"s0"]', "slotmap.moved names a slot twice"],
    ['[7,"s1"]', "7", "slotmap.moved[0] is not a pair of slot and shard"],
    ['[7,"s1"]', '[55440,"s1"]', "slotmap.moved[0] has a slot that is not from 0 to 55439"],
    ['[7,"s1"]', "[7,null]", "slotmap.moved[0] is malformed"],
  ];
  for (const [from, to, expected] of refusals) {
    assert(SLOT_MAP.includes(from));
    assert.equal(
      refusalOf(() => decodeSlotMapDocument(SLOT_MAP.replace(from, to))),
      expected,
    );
  }
});

test("meta comes back as it was written, and another way to place keys is refused", () => {
  const text = encodeMetaDocument(META);
  assert.deepEqual(JSON.parse(text), { v: 1, slots: 55_440, hash: "fnv1-64", ...META });
  assert.deepEqual(decodeMetaDocument(text), META);
  const refused = "meta places keys by fnv1-64 in 4096 slots, this program by fnv1-64 in 55440";
  assert.equal(
    refusalOf(() => decodeMetaDocument(text.replace("55440", "4096"))),
    refused,
  );
  assert.match(
    refusalOf(() => decodeMetaDocument(text.replace("fnv1-64", "crc16"))),
    /places keys by crc16/,
  );
  assert.match(
    refusalOf(() => decodeMetaDocument(text.replace("01900000", "01900000x"))),
    /clusterId .* is not a UUID/,
  );
});

test("whatever the bytes, meta and slot map are a document or one clear error", () => {
  const decoders = [decodeMetaDocument, decodeSlotMapDocument];
  for (const bytes of mutations([Buffer.from(encodeMetaDocument(META)), Buffer.from(SLOT_MAP)], fuzzRuns(10_000))) {
    for (const decode of decoders) {
      try {
        decode(bytes.toString("utf8"));
      } catch (error) {
        assert(error instanceof KvError && error.code === "DOCUMENT_INVALID", String(error));
      }
    }
  }
});

test("the documents of a cluster lie under its name", () => {
  assert.deepEqual(documentKeys("india"), {
    prefix: "/kv/india/",
    meta: "/kv/india/meta",
    slotMap: "/kv/india/slotmap",
    shards: "/kv/india/shards/",
    nodes: "/kv/india/nodes/",
  });
  assert.equal(shardKey("india", "Delhi"), "/kv/india/shards/Delhi");
  assert.equal(nodeKey("india", "127.0.0.2:8080"), "/kv/india/nodes/127.0.0.2:8080");
});
