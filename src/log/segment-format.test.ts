import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { crc32 } from "../base/crc32.ts";
import { KvError } from "../model/errors.ts";
import {
  announcedHeaderBytes,
  BATCH_HEADER_BYTES,
  decodeSegmentHeader,
  encodeSegmentHeader,
  encodeSegmentTrailer,
  kindOfName,
  preparedName,
  readBatchHeader,
  segmentName,
  sequenceOfName,
  trailerStart,
  trimmedName,
  writeBatchHeader,
} from "./segment-format.ts";
import type { SegmentHeader } from "./segment-format.ts";

const HEADER: SegmentHeader = {
  generation: 3,
  salt: 0xdeadbeef,
  firstSequence: 12_345,
  attempt: 1,
  sizeBytes: 4_194_304,
  epochs: [{ epoch: 7, term: "0123456789abcdef", firstSequence: 99, versionBase: 2 ** 32, lineage: 2 }],
};

/** A record with the prototype that decoders give. */
function plain<Value>(fields: { [Name in keyof Value]: fc.Arbitrary<Value[Name]> }): fc.Arbitrary<Value> {
  return fc.record(fields, { noNullPrototype: true });
}

const sequence = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const header: fc.Arbitrary<SegmentHeader> = plain({
  generation: u32,
  salt: u32,
  firstSequence: sequence,
  attempt: u32,
  sizeBytes: sequence,
  epochs: fc.array(
    plain({
      epoch: u32,
      term: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((bits) => bits.toString(16).padStart(16, "0")),
      firstSequence: sequence,
      versionBase: sequence,
      lineage: u32,
    }),
    { maxLength: 5 },
  ),
});

describe("the format of a segment", () => {
  test("is what every released version has written", () => {
    assert.equal(
      encodeSegmentHeader(HEADER).toString("hex"),
      "4b564c4f475345470100000054000000" +
        "03000000efbeadde3930000000000000" +
        "00004000000000000100000001000000" +
        "070000000123456789abcdef63000000" +
        "00000000000000000100000002000000" +
        "240692c4",
    );
    const batch = Buffer.alloc(BATCH_HEADER_BYTES);
    writeBatchHeader(batch, { lengthBytes: 100, flushedSequence: 12_344, commitSequence: 12_300 }, HEADER.salt);
    assert.equal(batch.toString("hex"), "64000000cc56a56d38300000000000000c30000000000000");
  });

  test("a header is read back from the beginning and from the end of its file", () => {
    fc.assert(
      fc.property(header, (written) => {
        const bytes = encodeSegmentHeader(written);
        assert.equal(announcedHeaderBytes(bytes), bytes.length);
        assert.deepEqual(decodeSegmentHeader(bytes), written);
        const trailer = encodeSegmentTrailer(written);
        const start = trailerStart(trailer.subarray(-4), trailer.length + 1000);
        assert.equal(start, 1000);
        assert.deepEqual(decodeSegmentHeader(trailer.subarray(0, -4)), written);
      }),
    );
  });

  test("a header with any bit flipped or any end missing is none", () => {
    const bytes = encodeSegmentHeader(HEADER);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.equal(decodeSegmentHeader(flipped), null, `bit ${bit}`);
    }
    for (let length = 0; length < bytes.length; length++) {
      assert.equal(decodeSegmentHeader(bytes.subarray(0, length)), null);
    }
  });

  test("rubbish is neither a header nor a crash", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), u32, (rubbish, salt) => {
        const bytes = Buffer.from(rubbish);
        assert.equal(announcedHeaderBytes(bytes), null);
        assert.equal(decodeSegmentHeader(bytes), null);
        if (bytes.some((byte) => byte !== 0)) assert.equal(readBatchHeader(bytes, 0, salt), null);
      }),
    );
  });

  test("a batch header depends on its segment's salt, so that no value can imitate one", () => {
    fc.assert(
      fc.property(u32, u32, sequence, sequence, (salt, other, flushedSequence, commitSequence) => {
        const bytes = Buffer.alloc(BATCH_HEADER_BYTES);
        const written = { lengthBytes: 1000, flushedSequence, commitSequence };
        writeBatchHeader(bytes, written, salt);
        assert.deepEqual(readBatchHeader(bytes, 0, salt), written);
        if (other !== salt) assert.equal(readBatchHeader(bytes, 0, other), null);
      }),
    );
  });

  test("a newer format is refused", () => {
    assert.throws(
      () => decodeSegmentHeader(newerHeader()),
      (error) => error instanceof KvError && error.code === "UNKNOWN_FORMAT",
    );
  });

  test("files are named by their first sequence", () => {
    assert.equal(segmentName(1), "0000000000000001.log");
    assert.equal(sequenceOfName(segmentName(12_345)), 12_345);
    assert.ok(segmentName(9) < segmentName(10));
    assert.equal(kindOfName(segmentName(1)), "segment");
    assert.equal(kindOfName(preparedName(0xffff_ffff)), "prepared");
    assert.equal(kindOfName(trimmedName(1)), "trimmed");
    assert.equal(kindOfName("node.json"), "other");
  });
});

function newerHeader(): Buffer {
  const bytes = encodeSegmentHeader(HEADER);
  bytes.writeUInt32LE(2, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, -4)), bytes.length - 4);
  return bytes;
}
