import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fuzzRuns, mutations } from "../../tests/support/byte-mutations.ts";
import { KvError } from "./errors.ts";
import type { StoreRef } from "./position.ts";
import { decodeShardDocument, encodeShardDocument, type ShardDocument } from "./shard-document.ts";

const LEADER: StoreRef = { node: "127.0.0.2:8080", store: "7f0e1c1a-0000-4000-a000-000000000001", generation: 3 };
const REPLICA: StoreRef = { node: "[fd00::2]:8080", store: "a1", generation: 0 };

const DOCUMENT: ShardDocument = {
  version: 118,
  epoch: 42,
  term: "00000000000000a7",
  leader: LEADER,
  inSync: [LEADER, REPLICA],
  members: [LEADER.node, REPLICA.node],
  minInSync: 1,
  lineage: 0,
  token: "127.0.0.2:8080/boot-uuid/77",
  cause: "promote",
};

const TEXT = encodeShardDocument(DOCUMENT);

/** The refusal of `text`; fails when it is accepted, or when something else is thrown. */
function refusalOf(text: string): string {
  try {
    decodeShardDocument(text);
  } catch (error) {
    assert(error instanceof KvError, String(error));
    assert.equal(error.code, "DOCUMENT_INVALID");
    assert(error.message.length < 400, error.message);
    return error.message;
  }
  assert.fail("the document was accepted");
}

/** The document with some members replaced, as text. */
function changed(members: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ ...(JSON.parse(TEXT) as object), ...members });
}

const stores: fc.Arbitrary<StoreRef[]> = fc
  .uniqueArray(fc.stringMatching(/^[a-z0-9.]{1,20}:[0-9]{1,5}$/), { minLength: 1, maxLength: 5 })
  .chain((nodes) =>
    fc.tuple(
      ...nodes.map((node) =>
        fc.record({ node: fc.constant(node), store: fc.uuid(), generation: fc.nat() }, { noNullPrototype: true }),
      ),
    ),
  );

const documents: fc.Arbitrary<ShardDocument> = stores.chain((inSync) =>
  fc.record(
    {
      version: fc.integer({ min: 1, max: 2 ** 52 }),
      epoch: fc.integer({ min: 1, max: 0xf000_0000 }),
      term: fc.stringMatching(/^[0-9a-f]{16}$/),
      leader: fc.constantFrom(...inSync),
      inSync: fc.constant(inSync),
      members: fc.constant(inSync.map(({ node }) => node)),
      minInSync: fc.integer({ min: 1, max: 64 }),
      lineage: fc.integer({ min: 0, max: 0xffff_ffff }),
      token: fc.stringMatching(/^[!-~]{1,100}$/),
      cause: fc.constantFrom("create", "promote", "restart", "handover", "shrink", "expand", "members", "unclean"),
    },
    { noNullPrototype: true },
  ),
);

test("a shard document has the members that other programs expect", () => {
  assert.deepEqual(JSON.parse(TEXT), {
    v: 1,
    ver: 118,
    epoch: 42,
    term: "00000000000000a7",
    leader: { node: LEADER.node, store: LEADER.store, gen: 3 },
    isr: [
      { node: LEADER.node, store: LEADER.store, gen: 3 },
      { node: REPLICA.node, store: REPLICA.store, gen: 0 },
    ],
    members: [LEADER.node, REPLICA.node],
    min_in_sync: 1,
    lineage: 0,
    token: "127.0.0.2:8080/boot-uuid/77",
    cause: "promote",
  });
});

test("every document comes back as it was written", () => {
  fc.assert(
    fc.property(documents, (document) => {
      assert.deepEqual(decodeShardDocument(encodeShardDocument(document)), document);
    }),
    { numRuns: 200 },
  );
});

const REFUSALS: readonly (readonly [string, string, string | RegExp])[] = [
  ["nothing", "", "the shard document is empty"],
  ["no JSON", "{", "the shard document is not JSON"],
  ["a list", "[]", "the shard document is not an object"],
  ["null", "null", "the shard document is not an object"],
  ["a newer version", changed({ v: 2 }), "the shard document has version 2, this program reads version 1"],
  ["a version that is text", changed({ v: "1" }), 'the shard document.v "1" must be from 0'],
  ["no version", changed({ v: undefined }), "the shard document.v is missing"],
  ["an unknown member", changed({ extra: 1 }), 'the shard document."extra" is not a known member'],
  ["a doubled member", TEXT.replace('"epoch":42', '"epoch":41,"epoch":42'), /names a member twice/],
  ["a doubled member by an escape", TEXT.replace('"epoch":42', '"epoch":42,"\\u0065poch":43'), /names a member twice/],
  ["a member __proto__", TEXT.replace('"v":1', '"v":1,"__proto__":{"epoch":1}'), /"__proto__" is not a known member/],
  ["an epoch of 0", changed({ epoch: 0 }), "the shard document.epoch 0 must be from 1 to 4026531840"],
  ["an epoch behind which there are few left", changed({ epoch: 0xffff_ffff }), /epoch 4294967295 must be/],
  [
    "a version behind which there are few left",
    changed({ ver: Number.MAX_SAFE_INTEGER }),
    /ver 9007199254740991 must be/,
  ],
  ["an epoch above 32 bits", changed({ epoch: 2 ** 32 }), /epoch 4294967296 must be/],
  ["an epoch that is a fraction", changed({ epoch: 1.5 }), /epoch 1.5 must be/],
  ["a version beyond what a number holds", TEXT.replace('"ver":118', '"ver":9007199254740993'), /ver \S+ must be/],
  ["no leader", changed({ leader: undefined }), "the shard document.leader is missing"],
  ["a leader that is text", changed({ leader: "n1" }), "the shard document.leader is not an object"],
  ["a leader outside the in-sync set", changed({ isr: [] }), "the shard document.isr does not hold the leader"],
  ["a leader of another life", changed({ leader: { node: LEADER.node, store: LEADER.store, gen: 4 } }), /the leader/],
  [
    "a node twice in the set",
    changed({ isr: [0, 1].map((gen) => ({ ...LEADER, generation: undefined, gen })) }),
    /isr/,
  ],
  ["a store without a generation", changed({ leader: { node: "a", store: "b" } }), /leader.gen is missing/],
  ["no members", changed({ members: [] }), "the shard document.members is empty"],
  ["a member twice", changed({ members: ["a", "a"] }), "the shard document.members names a node twice"],
  ["a member that is a number", changed({ members: [1] }), "the shard document.members[0] is malformed"],
  ["a member with a line break", changed({ members: ["a\nb"] }), "the shard document.members[0] is malformed"],
  ["members without end", changed({ members: Array.from({ length: 65 }, (_, i) => `n${i}`) }), /more than 64 items/],
  ["a cause of a newer version", changed({ cause: "magic" }), /cause "magic" must be create, promote/],
  ["a long token", changed({ token: "x".repeat(513) }), /token "x{64}…" is not a token/],
  ["more than 1 MiB", TEXT + " ".repeat(1_048_577), /has \d+ bytes, more than 1048576/],
  ["depth without end", `{"v":${"[".repeat(400_000)}${"]".repeat(400_000)}}`, /nested deeper than 32/],
];

for (const [what, text, expected] of REFUSALS) {
  test(`${what} is refused with one clear error`, () => {
    const message = refusalOf(text);
    if (typeof expected === "string") assert.equal(message, expected);
    else assert.match(message, expected);
  });
}

test("whatever the bytes, the answer is a document or one clear error", () => {
  let accepted = 0;
  for (const bytes of mutations([Buffer.from(TEXT)], fuzzRuns(20_000))) {
    try {
      const document = decodeShardDocument(bytes.toString("utf8"));
      assert.deepEqual(decodeShardDocument(encodeShardDocument(document)), document);
      accepted++;
    } catch (error) {
      assert(error instanceof KvError && error.code === "DOCUMENT_INVALID", String(error));
    }
  }
  assert(accepted > 0, "some changes leave a document that is valid");
  assert.equal(Object.keys(Object.prototype).length, 0);
});
