import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { crc32 } from "./crc32.ts";

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
});
