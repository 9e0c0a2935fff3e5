import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { KvError } from "../model/errors.ts";
import { percentDecodeBytes, percentDecodePath } from "./percent.ts";

describe("percent-decoding", () => {
  test("gives back any bytes, however many of them are escaped", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.infiniteStream(fc.boolean()), (bytes, escapes) => {
        const encoded = [...bytes].map((byte) => {
          const mustEscape = byte === 0x25 || byte === 0x2b;
          return mustEscape || escapes.next().value === true ? escape(byte) : String.fromCharCode(byte);
        });
        const source = Buffer.from(encoded.join(""), "latin1");
        assert.deepEqual(percentDecodeBytes(source, true), Buffer.from(bytes));
        assert.equal(percentDecodePath(source.toString("latin1")), Buffer.from(bytes).toString("latin1"));
      }),
    );
  });

  test("agrees with decodeURIComponent where that gives an answer", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."%0123456789abcdefABCDEFgz/+é".split("")) }), (text) => {
        const bytes = Buffer.from(text, "utf8");
        const expected = orUndefined(() => decodeURIComponent(text));
        const actual = orUndefined(() => percentDecodeBytes(bytes, false).toString("utf8"));
        if (expected !== undefined) assert.equal(actual, expected);
      }),
    );
  });

  test("decodes once only", () => {
    assert.equal(percentDecodePath("%2541"), "%41");
  });

  test("takes a plus for a space only where it is told to", () => {
    assert.equal(percentDecodeBytes(Buffer.from("a+b"), true).toString(), "a b");
    assert.equal(percentDecodeBytes(Buffer.from("a+b"), false).toString(), "a+b");
  });
});

function escape(byte: number): string {
  return `%${byte.toString(16).padStart(2, "0")}`;
}

function orUndefined(run: () => string): string | undefined {
  try {
    return run();
  } catch (error) {
    assert.ok(error instanceof URIError || error instanceof KvError);
    return undefined;
  }
}
