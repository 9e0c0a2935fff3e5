import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { byteLines } from "./byte-lines.ts";
import { parseRow, renderRow, type StoredRow } from "./stored-row.ts";

const aRow: fc.Arbitrary<StoredRow> = fc.record(
  {
    key: fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
      fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }).map((text) => Buffer.from(text, "utf8")),
      fc.constantFrom("\u2028", "\n", "__proto__", '"\\').map((text) => Buffer.from(text, "utf8")),
    ),
    value: fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
    contentType: fc.constantFrom("", "text/plain", "application/json; charset=utf-8"),
    expiresAtMs: fc.option(fc.integer({ min: 1, max: 4e12 })),
  },
  { noNullPrototype: true },
);

test("rows written as lines, joined, and cut anywhere come back byte for byte", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(aRow, { maxLength: 8 }), fc.array(fc.nat(500), { maxLength: 5 }), async (rows, cuts) => {
      const bytes = Buffer.from(rows.map(renderRow).join(""), "utf8");
      const places = [0, ...cuts.filter((at) => at < bytes.length).sort((a, b) => a - b), bytes.length];
      const chunks = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
      const read: StoredRow[] = [];
      for await (const line of byteLines(asyncOf(chunks))) read.push(parseRow(line));
      assert.deepEqual(read, rows);
    }),
    { numRuns: 300 },
  );
});

test("a line that is no row is refused with what is wrong with it", () => {
  const wrong: ReadonlyArray<readonly [string, RegExp]> = [
    ["", /is not JSON/],
    ["[]", /is not a JSON object/],
    ['{"value":"v"}', /key should be text, but is missing/],
    ['{"key":"k"}', /value should be text, but is missing/],
    ['{"key":"k","value":7}', /value should be text, but is 7/],
    ['{"key":"k","value":"not base64!","value_encoding":"base64"}', /value should be base64/],
    ['{"key":"k","value":"","value_encoding":"hex"}', /value_encoding should be base64/],
    ['{"key":"","value":""}', /a key of 0 bytes/],
    [`{"key":"${"x".repeat(1025)}","value":""}`, /a key of 1025 bytes/],
    ['{"key":"k","value":"v","ttl":3}', /unknown member ttl/],
  ];
  for (const [line, reason] of wrong) assert.throws(() => parseRow(Buffer.from(line)), reason, line);
  assert.throws(() => parseRow(Buffer.from([0x22, 0xff, 0x22])), /is not UTF-8/);
});

async function* asyncOf(chunks: readonly Buffer[]): AsyncGenerator<Buffer, void> {
  for (const chunk of chunks) yield await Promise.resolve(chunk);
}
