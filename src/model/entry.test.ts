import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { crc32 } from "../base/crc32.ts";
import { fuzzRuns, mutations as mutated } from "../../tests/support/byte-mutations.ts";
import {
  decodeEntry,
  encodeEntry,
  ENTRY_BYTES_MAX,
  ENTRY_HEADER_BYTES,
  EntryFormatError,
  entryLengthAt,
  readEntryHeader,
  SPACE,
  type Entry,
  type EntryBody,
  type EpochStart,
  type Mutation,
} from "./entry.ts";

/** Ordinary objects, as the decoder makes them. */
const PLAIN = { noNullPrototype: true } as const;
const bytes = (maxLength: number, minLength = 0): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength, maxLength }).map((array) => Buffer.from(array));
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const term = bytes(8, 8).map((one) => one.toString("hex"));
const text = fc.string({ unit: "grapheme", maxLength: 20 });
const mutation: fc.Arbitrary<Mutation> = fc
  .record(
    {
      space: fc.constantFrom(...Object.values(SPACE)),
      key: bytes(50, 1).map((key) => key.toString("latin1")),
      value: fc.option(bytes(200), { nil: null }),
      expiryMs: fc.oneof(fc.constant(0), fc.maxSafeNat()),
      contentType: fc.oneof(fc.constant(""), text),
    },
    PLAIN,
  )
  .map((one) => (one.value === null ? { ...one, expiryMs: 0, contentType: "" } : one));
const start: fc.Arbitrary<EpochStart> = fc.record(
  {
    term,
    previous: fc.record({ epoch: u32, term }, PLAIN),
    versionBase: fc.maxSafeNat(),
    lineage: u32,
    inSync: fc.array(fc.record({ node: text, store: text, generation: u32 }, PLAIN), { maxLength: 4 }),
  },
  PLAIN,
);
const body: fc.Arbitrary<EntryBody> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.array(mutation, { maxLength: 5 }).map((mutations) => ({ kind: "data" as const, mutations })),
  },
  { weight: 3, arbitrary: start.map((one) => ({ kind: "epochStart" as const, start: one })) },
  { weight: 1, arbitrary: fc.constantFrom<EntryBody>({ kind: "clear" }, { kind: "noop" }) },
);
const entry: fc.Arbitrary<Entry> = fc.record(
  {
    epoch: u32,
    sequence: fc.maxSafeNat(),
    timestampMs: fc.maxSafeNat(),
    body,
  },
  PLAIN,
);

const SAMPLES: readonly Entry[] = [
  {
    epoch: 3,
    sequence: 17,
    timestampMs: 1_700_000_000_000,
    body: {
      kind: "data",
      mutations: [
        { space: 0, key: "city:IN:Delhi", value: Buffer.from("{}"), expiryMs: 99, contentType: "application/json" },
        { space: 1, key: "\x00\xff", value: null, expiryMs: 0, contentType: "" },
        { space: 2, key: "empty", value: Buffer.alloc(0), expiryMs: 0, contentType: "" },
      ],
    },
  },
  {
    epoch: 1004,
    sequence: 18,
    timestampMs: 1_700_000_000_001,
    body: {
      kind: "epochStart",
      start: {
        term: "00ff00ff12345678",
        previous: { epoch: 3, term: "fedcba9876543210" },
        versionBase: 2 ** 33,
        lineage: 2,
        inSync: [{ node: "127.0.0.2:8080", store: "7f-1", generation: 4 }],
      },
    },
  },
  { epoch: 1, sequence: 1, timestampMs: 0, body: { kind: "clear" } },
  { epoch: 1, sequence: 2, timestampMs: 1, body: { kind: "noop" } },
];

describe("an entry's bytes", () => {
  test("decode to what was encoded, for every kind, at any offset", () => {
    fc.assert(
      fc.property(entry, fc.nat({ max: 30 }), (one, offset) => {
        const encoded = encodeEntry(one);
        const within = Buffer.concat([Buffer.alloc(offset, 0xaa), encoded, Buffer.alloc(7, 0xbb)]);
        const decoded = decodeEntry(within, offset);
        assert.deepEqual(decoded, { ...one, lengthBytes: encoded.length });
        assert.deepEqual(encodeEntry(decoded), encoded);
        assert.deepEqual(readEntryHeader(within, offset), {
          lengthBytes: encoded.length,
          epoch: one.epoch,
          sequence: one.sequence,
          timestampMs: one.timestampMs,
        });
      }),
      { numRuns: 500 },
    );
  });

  test("stay as they are between versions", () => {
    const [first] = SAMPLES;
    assert.ok(first !== undefined);
    assert.equal(encodeEntry(first).toString("hex"), ENCODED_FIRST_SAMPLE);
  });

  test("with any single bit flipped are refused", () => {
    for (const sample of SAMPLES) {
      const encoded = encodeEntry(sample);
      for (let bit = 0; bit < encoded.length * 8; bit++) {
        const flipped = Buffer.from(encoded);
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        assert.throws(() => decodeEntry(flipped), EntryFormatError, `bit ${bit}`);
        // Nor when other bytes follow, as they do in a log.
        const followed = Buffer.concat([flipped, encoded, encoded]);
        assert.throws(() => decodeEntry(followed), EntryFormatError, `bit ${bit}, followed`);
      }
    }
  });

  test("cut off anywhere are refused", () => {
    for (const sample of SAMPLES) {
      const encoded = encodeEntry(sample);
      for (let length = 0; length < encoded.length; length++) {
        assert.throws(() => decodeEntry(encoded.subarray(0, length)), EntryFormatError, `${length} bytes`);
      }
    }
  });

  test("cut off and sealed anew hold whole mutations only, and never half of an epoch's start", () => {
    for (const sample of SAMPLES) {
      const whole = sample.body.kind === "data" ? sample.body.mutations : null;
      const encoded = encodeEntry(sample);
      let decodedCount = 0;
      for (let length = ENTRY_HEADER_BYTES; length < encoded.length; length++) {
        try {
          const { body: cut } = decodeEntry(resealed(encoded.subarray(0, length)));
          assert.ok(cut.kind === "data" && whole !== null);
          assert.deepEqual(cut.mutations, whole.slice(0, cut.mutations.length));
          decodedCount++;
        } catch (error) {
          assert.ok(error instanceof EntryFormatError, String(error));
        }
      }
      assert.equal(decodedCount, whole?.length ?? 0);
    }
  });

  test("of an unknown kind, space or flag are refused, not guessed", () => {
    const data = encodeEntry(dataOf({ space: 0, key: "k", value: Buffer.from("v"), expiryMs: 0, contentType: "" }));
    for (const kind of [0, 5, 6, 200]) refusesChange(data, ENTRY_HEADER_BYTES - 1, kind);
    for (const space of [3, 7, 255]) refusesChange(data, ENTRY_HEADER_BYTES, space);
    for (const flags of [8, 16, 128, 255]) refusesChange(data, ENTRY_HEADER_BYTES + 1, flags);
  });

  test("with bytes behind a body that has none, or behind an epoch's start, are refused", () => {
    for (const sample of SAMPLES.slice(1)) {
      const longer = Buffer.concat([encodeEntry(sample), Buffer.alloc(1)]);
      assert.throws(() => decodeEntry(resealed(longer)), EntryFormatError);
    }
  });

  test("with an empty key, or a number that a double cannot hold, are refused", () => {
    const emptyKey = Buffer.concat([encodeEntry(dataOf()), Buffer.from([0, 1, 0, 0])]);
    assert.throws(() => decodeEntry(resealed(emptyKey)), /empty key/);
    const encoded = encodeEntry(dataOf());
    for (const at of [12, 20]) {
      const huge = Buffer.from(encoded);
      huge.writeBigUInt64LE(2n ** 53n, at);
      assert.throws(() => decodeEntry(resealed(huge)), EntryFormatError);
      assert.throws(() => readEntryHeader(resealed(huge), 0, true), EntryFormatError);
    }
  });

  test("hold values of 16 MiB", () => {
    const value = Buffer.alloc(16 * 1024 * 1024, "ab");
    const encoded = encodeEntry(dataOf({ space: 0, key: "big", value, expiryMs: 0, contentType: "" }));
    assert.ok(encoded.length <= ENTRY_BYTES_MAX);
    const { body: decoded } = decodeEntry(encoded);
    assert.ok(decoded.kind === "data" && decoded.mutations[0]?.value?.equals(value) === true);
  });

  test("hold values of all sizes around those of length fields", () => {
    for (const size of [0, 1, 255, 256, 65_535, 65_536, 1_000_000]) {
      const one = dataOf({ space: 0, key: "k", value: Buffer.alloc(size, size), expiryMs: 1, contentType: "t" });
      assert.deepEqual(decodeEntry(encodeEntry(one)).body, one.body);
    }
  });

  test("are not made from a key or a content type that has no room in them", () => {
    const base = { space: 0 as const, key: "k", value: Buffer.from("v"), expiryMs: 0, contentType: "" };
    assert.throws(() => encodeEntry(dataOf({ ...base, key: "" })), /Broken invariant/);
    assert.throws(() => encodeEntry(dataOf({ ...base, key: "k".repeat(65_536) })), /Broken invariant/);
    assert.throws(() => encodeEntry(dataOf({ ...base, contentType: "t".repeat(256) })), /Broken invariant/);
    assert.ok(decodeEntry(encodeEntry(dataOf({ ...base, contentType: "t".repeat(255) }))));
  });

  test("announce a length that is checked before anything is read", () => {
    assert.equal(entryLengthAt(Buffer.alloc(3), 0), null);
    for (const length of [0, ENTRY_HEADER_BYTES - 1, ENTRY_BYTES_MAX + 1, 0xffff_ffff]) {
      const announced = Buffer.alloc(64);
      announced.writeUInt32LE(length);
      assert.throws(() => entryLengthAt(announced, 0), EntryFormatError);
    }
  });

  test("damaged in any way throw nothing but EntryFormatError", () => {
    const valid = [...SAMPLES.map(encodeEntry), ...fc.sample(entry, { numRuns: 40, seed: 3 }).map(encodeEntry)];
    const runs = fuzzRuns(20_000);
    let refusedCount = 0;
    let acceptedCount = 0;
    let index = 0;
    for (const damaged of mutated(valid, runs)) {
      // Half of them get a right length and checksum, so that the damage reaches the body's decoder.
      const input = index++ % 2 === 0 ? damaged : resealed(damaged);
      try {
        decodeEntry(input);
        acceptedCount++;
      } catch (error) {
        assert.ok(error instanceof EntryFormatError, String(error));
        refusedCount++;
      }
    }
    assert.ok(refusedCount > runs / 2, `${refusedCount} refused`);
    assert.ok(acceptedCount > runs / 100, `${acceptedCount} were still whole: the decoder was reached`);
  });
});

const ENCODED_FIRST_SAMPLE =
  "60000000734d24ca0300000011000000000000000068e5cf8b0100000100060d00636974793a494e3a44656c6869630000000000000010" +
  "6170706c69636174696f6e2f6a736f6e020000007b7d0101020000ff02000500656d70747900000000";

function dataOf(...mutations: readonly Mutation[]): Entry {
  return { epoch: 1, sequence: 1, timestampMs: 1, body: { kind: "data", mutations } };
}

/** The same bytes with a length and a checksum that fit them. */
function resealed(damaged: Buffer): Buffer {
  const sealed = Buffer.from(damaged);
  if (sealed.length < ENTRY_HEADER_BYTES) return sealed;
  sealed.writeUInt32LE(sealed.length, 0);
  sealed.writeUInt32LE(crc32(sealed.subarray(8)), 4);
  return sealed;
}

function refusesChange(encoded: Buffer, at: number, value: number): void {
  const changed = Buffer.from(encoded);
  changed[at] = value;
  assert.throws(() => decodeEntry(resealed(changed)), EntryFormatError, `byte ${at} = ${value}`);
}
