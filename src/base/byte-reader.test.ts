import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ByteReader, TruncatedError } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";

/** One field of a byte string: how it is written and read back. */
interface Field {
  readonly name: string;
  readonly value: unknown;
  readonly write: (writer: ByteWriter) => void;
  readonly read: (reader: ByteReader) => unknown;
}

const MAX_U64 = Number.MAX_SAFE_INTEGER;
const number = (name: "u8" | "u16" | "u32" | "u64" | "f64", value: number): Field => ({
  name,
  value,
  write: (writer) => writer[name](value),
  read: (reader) => reader[name](),
});
const hexDigits = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString("hex"));
const field: fc.Arbitrary<Field> = fc.oneof(
  fc.integer({ min: 0, max: 0xff }).map((value) => number("u8", value)),
  fc.integer({ min: 0, max: 0xffff }).map((value) => number("u16", value)),
  fc.integer({ min: 0, max: 0xffff_ffff }).map((value) => number("u32", value)),
  fc.maxSafeNat().map((value) => number("u64", value)),
  fc.double({ noNaN: true }).map((value) => number("f64", value)),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => ({
    name: "bytes",
    value: Buffer.from(bytes),
    write: (writer: ByteWriter) => writer.bytes(bytes),
    read: (reader: ByteReader) => Buffer.from(reader.bytes(bytes.length)),
  })),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => {
    const value = Buffer.from(bytes).toString("latin1");
    return {
      name: "binary",
      value,
      write: (writer: ByteWriter) => writer.binary(value),
      read: (reader: ByteReader) => reader.binary(value.length),
    };
  }),
  fc.string({ unit: "grapheme", maxLength: 60 }).map((value) => ({
    name: "text16",
    value,
    write: (writer: ByteWriter) => writer.text16(value),
    read: (reader: ByteReader) => reader.text16(),
  })),
  hexDigits.map((value) => ({
    name: "hex64",
    value,
    write: (writer: ByteWriter) => writer.hex64(value),
    read: (reader: ByteReader) => reader.hex64(),
  })),
);

describe("bytes written and read", () => {
  test("whatever was written is read back, in order, to the last byte", () => {
    fc.assert(
      fc.property(fc.array(field, { maxLength: 30 }), fc.integer({ min: 1, max: 40 }), (fields, capacityBytes) => {
        const writer = new ByteWriter(capacityBytes);
        for (const { write } of fields) write(writer);
        assert.deepEqual(writer.view(), writer.finish());
        const reader = new ByteReader(writer.finish());
        for (const { name, value, read } of fields) assert.deepEqual(read(reader), value, name);
        assert.equal(reader.remaining, 0);
        assert.equal(reader.position, writer.length);
      }),
      { numRuns: 300 },
    );
  });

  test("bytes cut off anywhere are noticed, and never read past their end", () => {
    fc.assert(
      fc.property(fc.array(field, { minLength: 1, maxLength: 8 }), fc.nat(), (fields, seed) => {
        const writer = new ByteWriter();
        for (const { write } of fields) write(writer);
        const whole = writer.finish();
        if (whole.length === 0) return;
        const end = seed % whole.length;
        // What lies behind the end is there, in the same buffer: a reader must not reach for it.
        const reader = new ByteReader(whole, 0, end);
        assert.throws(() => {
          for (const { read } of fields) read(reader);
        }, TruncatedError);
        assert.ok(reader.position <= end);
      }),
      { numRuns: 300 },
    );
  });

  test("a number of eight bytes reaches up to 2^53 - 1 and is refused beyond", () => {
    for (const value of [0, 1, 0xffff_ffff, 0x1_0000_0000, 0x1_0000_0001, MAX_U64 - 1, MAX_U64]) {
      const writer = new ByteWriter();
      writer.u64(value);
      assert.equal(writer.view().readBigUInt64LE(), BigInt(value));
      assert.equal(new ByteReader(writer.finish()).u64(), value);
    }
    for (const value of [2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(value);
      assert.throws(() => new ByteReader(bytes).u64(), TruncatedError);
    }
  });

  test("a writer that is cleared starts anew, and what it finished stays as it was", () => {
    const writer = new ByteWriter(4);
    writer.u32(1);
    const first = writer.finish();
    writer.clear();
    writer.u32(2);
    assert.equal(first.readUInt32LE(), 1);
    assert.equal(writer.finish().readUInt32LE(), 2);
  });

  test("a length that was not known yet is patched in, also after the buffer has grown", () => {
    const writer = new ByteWriter(4);
    writer.u32(0);
    writer.bytes(Buffer.alloc(1000, 7));
    writer.patchU32(1000, 0);
    const reader = new ByteReader(writer.finish());
    assert.deepEqual(reader.bytes(reader.u32()), Buffer.alloc(1000, 7));
  });
});
