import assert from "node:assert/strict";
import { test } from "node:test";
import { ReplyWriter } from "./reply-writer.ts";

test("a value of any length, copied or passed on as it is, is written behind its length", () => {
  const out = new ReplyWriter();
  const lengths = [0, 1, 9, 10, 64, 99, 100, 101, 999, 1000, 1001, 4095, 4096, 4097, 70_000];
  for (const length of lengths) out.bulk(Buffer.alloc(length, "x"));
  const expected = lengths.map((length) => `$${length}\r\n${"x".repeat(length)}\r\n`).join("");
  assert.equal(out.byteCount, expected.length);
  assert.ok(Buffer.concat(out.take()).equals(Buffer.from(expected, "latin1")));
  assert.equal(out.byteCount, 0);
});
