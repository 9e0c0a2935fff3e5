import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { crc32 as libraryCrc32 } from "node:zlib";
import fc from "fast-check";
import { crc32, crc32OfBinary } from "./crc32.ts";

describe("CRC-32", () => {
  test("is the one of zip and Ethernet", () => {
    assert.equal(crc32(Buffer.from("123456789")), 0xcbf43926);
    assert.equal(crc32(Buffer.alloc(0)), 0);
    assert.equal(crc32(Buffer.alloc(32)), 0x190a55ad);
  });

  test("of pieces continued is that of the whole", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 200 }), (bytes, at) => {
        assert.equal(crc32(bytes.subarray(at), crc32(bytes.subarray(0, at))), crc32(bytes));
      }),
    );
  });

  test("with a salt differs from the one without, so that a value cannot imitate a header", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), fc.integer({ min: 1, max: 0xffff_ffff }), (bytes, salt) => {
        assert.notEqual(crc32(bytes, salt), crc32(bytes));
      }),
    );
  });

  test("notices every single flipped bit", () => {
    const bytes = Buffer.from("a short entry");
    const whole = crc32(bytes);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.notEqual(crc32(flipped), whole);
    }
  });

  test("of any range, of any length, is what the library computes, also when it goes on from a value", () => {
    const place = fc.nat({ max: 400 });
    const bytes = fc.uint8Array({ maxLength: 400 });
    fc.assert(
      fc.property(bytes, place, place, fc.nat({ max: 0xffff_ffff }), (data, a, b, start) => {
        const from = Math.min(a, b, data.length);
        const to = Math.min(Math.max(a, b), data.length);
        assert.equal(crc32(data, start, from, to), libraryCrc32(data.subarray(from, to), start));
        assert.equal(crc32OfBinary(Buffer.from(data).toString("latin1")), libraryCrc32(data));
      }),
    );
  });
});
