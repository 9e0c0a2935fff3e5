import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { addLongDoubles, formatLongDouble, parseLongDouble } from "./long-double.ts";

function sum(a: string, b: string): string | null {
  const [left, right] = [parseLongDouble(a), parseLongDouble(b)];
  assert.ok(left !== null && left !== "infinite" && right !== null && right !== "infinite");
  const total = addLongDoubles(left, right);
  return total === null ? null : formatLongDouble(total);
}

describe("80-bit floating point", () => {
  test("adds and shows as Redis does", () => {
    assert.equal(sum("10.50", "0.1"), "10.6");
    assert.equal(sum("5.0e3", "2.0e2"), "5200");
    assert.equal(sum("0.1", "0.2"), "0.3");
    assert.equal(sum("3", "1.1"), "4.1");
    assert.equal(sum("-0.5", "0.5"), "0");
    assert.equal(sum("1e-20", "0"), "0");
    assert.equal(sum("-1e-20", "0"), "0");
    assert.equal(sum("17179869184", "1.5"), "17179869185.5");
    assert.equal(sum("0x1p3", "0x.8"), "8.5");
  });

  test("keeps whole numbers of 64 bits exactly", () => {
    const aNumber = fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n });
    fc.assert(fc.property(aNumber, aNumber, (a, b) => assert.equal(sum(String(a), String(b)), String(a + b))));
  });

  test("has an end", () => {
    assert.equal(sum("1e4932", "1e4932"), null);
    assert.equal(parseLongDouble("1e4933"), null);
    assert.equal(parseLongDouble("1e-5000"), null);
    assert.notEqual(parseLongDouble("1e-4940"), null);
    assert.equal(parseLongDouble("1".repeat(5120)), null);
  });

  test("takes numbers, and nothing else", () => {
    const numbers = ["1", "-1", "+1", ".5", "5.", "1e5", "1E-5", "0x1F", "-0x.8p-2"];
    for (const text of numbers) assert.notEqual(parseLongDouble(text), null, text);
    const others = ["", " 1", "1 ", "1e", "e5", ".", "nan", "1.5x", "0x", "--1", "1,5"];
    for (const text of others) assert.equal(parseLongDouble(text), null, text);
    for (const text of ["inf", "-Infinity"]) assert.equal(parseLongDouble(text), "infinite");
  });
});
