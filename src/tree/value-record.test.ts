import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import fc from "fast-check";
import { crc32 } from "../base/crc32.ts";
import { clearMutants, plantMutant } from "../base/mutants.ts";
import { KvError } from "../model/errors.ts";
import type { Record } from "../model/record.ts";
import { decodeRecord, encodeRecord, isIntact, storedExpiryMs } from "./value-record.ts";

const binaryKey = fc
  .uint8Array({ minLength: 1, maxLength: 1024 })
  .map((bytes) => Buffer.from(bytes).toString("latin1"));

const anyRecord: fc.Arbitrary<Record> = fc.record(
  {
    value: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    version: fc.maxSafeNat(),
    expiryMs: fc.oneof(fc.constant(0), fc.maxSafeNat()),
    contentType: fc.oneof(fc.constant(""), fc.string({ maxLength: 60 })),
  },
  { noNullPrototype: true },
);

describe("a stored record", () => {
  afterEach(clearMutants);

  test("comes back as it was, with its expiry readable alone", () => {
    fc.assert(
      fc.property(binaryKey, anyRecord, (key, record) => {
        const stored = encodeRecord(key, record);
        assert.deepEqual(decodeRecord(key, stored), record);
        assert.equal(storedExpiryMs(stored), record.expiryMs);
      }),
    );
  });

  test("starts with the CRC-32 of its key and of everything behind it", () => {
    fc.assert(
      fc.property(binaryKey, anyRecord, (key, record) => {
        const stored = encodeRecord(key, record);
        const covered = Buffer.concat([Buffer.from(key, "latin1"), stored.subarray(4)]);
        assert.equal(stored.readUInt32LE(0), crc32(covered));
      }),
    );
  });

  test("with any one bit flipped is never decoded (M68)", () => {
    const stored = encodeRecord("user:1", {
      value: Buffer.from("Kolkata"),
      version: 7,
      expiryMs: 5,
      contentType: "text/plain",
    });
    for (let bit = 0; bit < stored.length * 8; bit++) {
      const damaged = Buffer.from(stored);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.throws(() => decodeRecord("user:1", damaged), isCorrupt, `bit ${bit}`);
    }
  });

  test("with a flipped bit is served when checksums are not looked at (M68 planted)", () => {
    const stored = encodeRecord("k", { value: Buffer.from("a"), version: 1, expiryMs: 0, contentType: "" });
    stored[stored.length - 1] = "b".charCodeAt(0);
    assert.throws(() => decodeRecord("k", stored), isCorrupt);
    plantMutant("M68");
    assert.equal(decodeRecord("k", stored).value.toString(), "b");
  });

  test("cut off anywhere, or under another key, is never decoded", () => {
    const stored = encodeRecord("k", { value: Buffer.from("value"), version: 1, expiryMs: 0, contentType: "" });
    for (let length = 0; length < stored.length; length++) {
      assert.throws(() => decodeRecord("k", stored.subarray(0, length)), isCorrupt, `${length} bytes`);
    }
    assert.throws(() => decodeRecord("j", stored), isCorrupt);
  });

  test("names the key for people when it is damaged", () => {
    const stored = encodeRecord("\xff\x01", { value: Buffer.from("v"), version: 1, expiryMs: 0, contentType: "" });
    stored[10] = 9;
    assert.throws(() => decodeRecord("\xff\x01", stored), /0xff01/);
  });

  test("of a newer format is refused with its number, though its checksum holds", () => {
    const stored = encodeRecord("k", { value: Buffer.from("v"), version: 1, expiryMs: 0, contentType: "" });
    stored[4] = 2;
    stored.writeUInt32LE(crc32(Buffer.concat([Buffer.from("k"), stored.subarray(4)])), 0);
    assert.ok(isIntact("k", stored));
    assert.throws(
      () => decodeRecord("k", stored),
      (error) => error instanceof KvError && error.code === "UNKNOWN_FORMAT" && error.message.includes("format 2"),
    );
  });
});

function isCorrupt(error: unknown): boolean {
  return error instanceof KvError && error.code === "CORRUPT";
}
