import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ByteWriter } from "./byte-writer.ts";

describe("the writer of bytes", () => {
  test("what follows a large value neither copies it again nor doubles its memory", () => {
    const writer = new ByteWriter();
    const value = Buffer.alloc(1_000_000, 1);
    writer.u32(value.length);
    writer.bytes(value);
    const memory = writer.view().buffer;
    writer.u64(1);
    writer.text16("text/plain");
    assert.equal(writer.view().buffer, memory);
    assert.ok(memory.byteLength < 1_010_000, `${memory.byteLength} bytes`);
  });
});
