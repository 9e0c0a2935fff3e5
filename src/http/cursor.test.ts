import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { KvError } from "../model/errors.ts";
import { CursorCodec } from "./cursor.ts";

const codec = new CursorCodec("india");
const aKey = fc.uint8Array({ minLength: 1, maxLength: 1024 }).map((bytes) => Buffer.from(bytes).toString("latin1"));

describe("a cursor", () => {
  test("gives back the key it was made of, at any node of the cluster", () => {
    fc.assert(
      fc.property(aKey, fc.string(), (key, shape) => {
        assert.equal(new CursorCodec("india").decode(shape, codec.encode(shape, key)), key);
      }),
    );
  });

  test("is refused by another query, another cluster, and after any change", () => {
    fc.assert(
      fc.property(aKey, fc.nat(), fc.integer({ min: 1, max: 255 }), (key, at, difference) => {
        const cursor = codec.encode("shape", key);
        refuses(() => codec.decode("other", cursor));
        refuses(() => new CursorCodec("china").decode("shape", cursor));
        const bytes = Buffer.from(cursor, "base64url");
        const index = at % bytes.length;
        bytes[index] = (bytes[index] ?? 0) ^ difference;
        refuses(() => codec.decode("shape", bytes.toString("base64url")));
      }),
    );
  });
});

function refuses(decode: () => unknown): void {
  assert.throws(decode, (error) => error instanceof KvError && error.code === "INVALID_CURSOR");
}
