import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { errorCodeOfWire, ERRORS, KvError, type ErrorCode } from "./errors.ts";

const codes = Object.keys(ERRORS) as ErrorCode[];

describe("the table of errors", () => {
  test("gives every error a wire number of its own, in 16 bits", () => {
    const numbers = codes.map((code) => ERRORS[code].wire);
    assert.equal(new Set(numbers).size, codes.length);
    for (const number of numbers) assert.ok(Number.isInteger(number) && number > 0 && number <= 0xffff);
  });

  test("every code comes back from its wire number; a number of a newer version is INTERNAL", () => {
    for (const code of codes) assert.equal(errorCodeOfWire(ERRORS[code].wire), code);
    for (const number of [0, 29, 9999, -1, Number.NaN]) assert.equal(errorCodeOfWire(number), "INTERNAL");
  });

  test("keeps the wire numbers that other versions know", () => {
    const known: Partial<Record<ErrorCode, number>> = {
      INVALID_ARGUMENT: 1,
      NOT_FOUND: 10,
      PRECONDITION_FAILED: 13,
      NOT_AN_INTEGER: 14,
      NOT_LEADER: 30,
      BUSY: 33,
      OVERLOADED: 34,
      DISK_FULL: 35,
      NOT_ENOUGH_REPLICAS: 36,
      UNREACHABLE: 37,
      UNKNOWN_OUTCOME: 60,
      INTERNAL: 61,
    };
    for (const [code, number] of Object.entries(known)) assert.equal(ERRORS[code as ErrorCode].wire, number);
  });

  test("only what may have taken effect is unknown, and that is never retried", () => {
    const unknown = codes.filter((code) => ERRORS[code].outcome === "unknown");
    assert.deepEqual(unknown, ["UNKNOWN_OUTCOME", "INTERNAL"]);
    for (const code of unknown) assert.equal(ERRORS[code].retryable, false);
  });

  test("what may be tried again says so in HTTP and on the Redis protocol", () => {
    for (const code of codes) {
      const { http, resp, retryable, outcome } = ERRORS[code];
      assert.equal(retryable, http === 503, code);
      if (resp === "TRYAGAIN") assert.ok(retryable, code);
      if (retryable) assert.equal(outcome, "not_applied", code);
    }
  });

  test("every error has a legal HTTP status, a RESP prefix and a sentence", () => {
    for (const code of codes) {
      const { http, resp, when } = ERRORS[code];
      assert.ok(http >= 400 && http < 600, code);
      assert.match(resp, /^[A-Z]+$/);
      assert.match(when, /^[a-z].*[^.]$/);
      assert.match(code, /^[A-Z_]+$/);
    }
  });
});

describe("an operating error", () => {
  test("carries its code, its outcome, details and cause", () => {
    const cause = new Error("connection reset");
    const error = new KvError("UNKNOWN_OUTCOME", "The write was sent", { details: { node: "n1" }, cause });
    assert.equal(error.code, "UNKNOWN_OUTCOME");
    assert.equal(error.outcome, "unknown");
    assert.equal(error.kind.http, 504);
    assert.deepEqual(error.details, { node: "n1" });
    assert.equal(error.cause, cause);
    assert.equal(error.name, "KvError");
    assert.ok(!Object.hasOwn(new KvError("BUSY", "Busy"), "cause"));
  });
});
