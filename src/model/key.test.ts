import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { KvError, type ErrorCode } from "./errors.ts";
import { keyBytes, keyForPeople, keyOfBinary, keyOfBytes, keyOfText } from "./key.ts";

describe("a key", () => {
  test("of 1,024 bytes is taken, of 1,025 refused, in every form", () => {
    assert.equal(keyOfText("k".repeat(1024)).length, 1024);
    assert.equal(keyOfBytes(Buffer.alloc(1024)).length, 1024);
    assert.equal(keyOfBinary("\xff".repeat(1024)).length, 1024);
    refuses("KEY_TOO_LONG", () => keyOfText("k".repeat(1025)));
    refuses("KEY_TOO_LONG", () => keyOfBytes(Buffer.alloc(1025)));
    refuses("KEY_TOO_LONG", () => keyOfBinary("k".repeat(1025)));
  });

  test("given as text is as long as its UTF-8 bytes", () => {
    assert.equal(keyOfText("ü".repeat(512)).length, 1024);
    refuses("KEY_TOO_LONG", () => keyOfText(`${"ü".repeat(512)}k`));
    assert.equal(keyOfText("😀".repeat(256)).length, 1024);
    refuses("KEY_TOO_LONG", () => keyOfText(`${"😀".repeat(255)}😀k`));
    assert.equal(keyOfText(`${"€".repeat(341)}k`).length, 1024);
    refuses("KEY_TOO_LONG", () => keyOfText(`${"€".repeat(341)}ü`));
  });

  test("is never empty", () => {
    refuses("KEY_EMPTY", () => keyOfText(""));
    refuses("KEY_EMPTY", () => keyOfBytes(Buffer.alloc(0)));
    refuses("KEY_EMPTY", () => keyOfBinary(""));
  });

  test("keeps every byte, also of a view into a larger buffer", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 1024 }), fc.nat({ max: 20 }), (bytes, at) => {
        const within = Buffer.concat([Buffer.alloc(at, 1), bytes, Buffer.alloc(5, 2)]).subarray(at, at + bytes.length);
        const key = keyOfBytes(within);
        assert.equal(key.length, bytes.length);
        assert.deepEqual(keyBytes(key), Buffer.from(bytes));
        assert.equal(keyOfBinary(key), key);
      }),
    );
  });

  test("is ordered by its bytes", () => {
    const some = fc.uint8Array({ minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(some, some, (a, b) => {
        const order = Buffer.compare(a, b);
        const [first, second] = [keyOfBytes(a), keyOfBytes(b)];
        assert.equal(first < second ? -1 : first > second ? 1 : 0, order);
      }),
      { numRuns: 1000 },
    );
  });

  test("is shown to people as text where it is valid UTF-8, else in hex", () => {
    assert.equal(keyForPeople(keyOfText("Zürich 😀")), "Zürich 😀");
    assert.equal(keyForPeople(keyOfBytes(Buffer.from([0xff, 0x00, 0x41]))), "0xff0041");
  });

  test("may be a name that objects have already", () => {
    for (const text of ["__proto__", "constructor", "toString", "hasOwnProperty"]) assert.equal(keyOfText(text), text);
  });
});

function refuses(code: ErrorCode, run: () => unknown): void {
  assert.throws(run, (error) => error instanceof KvError && error.code === code && error.outcome === "not_applied");
}
