import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { KvError } from "../model/errors.ts";
import { JsonNumber, type JsonValue, parseStrictJson } from "./strict-json.ts";

describe("strict JSON", () => {
  test("agrees with JSON.parse about everything that JSON.stringify writes", () => {
    const json = fc.json({ maxDepth: 10 }).filter((text) => isTame(JSON.parse(text)));
    fc.assert(
      fc.property(json, fc.constantFrom("", " ", "\n\t\r "), (text, blank) => {
        const parsed = parseStrictJson(Buffer.from(blank + text + blank));
        assert.deepEqual(plain(parsed), withoutPrototype(JSON.parse(text)));
      }),
    );
  });

  test("takes no text that JSON.parse refuses, whatever is changed in it", () => {
    const text = '{"a":[1,-2.5e+3,"\\u00e9\\n",true,false,null,{}],"b":{"c":""}}';
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom(...'{}[]",:\\0-+.eEux \n\0é'.split("")), (at, character) => {
        const changed = text.slice(0, at) + character + text.slice(at + 1);
        const isWrong = refuses(() => JSON.parse(changed));
        assert.ok(!isWrong || refuses(() => parseStrictJson(Buffer.from(changed))), changed);
      }),
      { numRuns: 2000 },
    );
  });

  test("keeps every digit of a number", () => {
    const parsed = parseStrictJson(Buffer.from("9223372036854775807"));
    assert.ok(parsed instanceof JsonNumber);
    assert.equal(parsed.text, "9223372036854775807");
  });

  test("finds the end of a string behind any number of backslashes", () => {
    for (let count = 0; count < 20; count++) {
      const text = JSON.stringify({ a: `${"\\".repeat(count)}"${"\\".repeat(count)}`, b: "" });
      assert.deepEqual(plain(parseStrictJson(Buffer.from(text))), withoutPrototype(JSON.parse(text)));
    }
  });

  test("gives names of JavaScript's own no meaning", () => {
    const parsed = parseStrictJson(Buffer.from('{"__proto__":{"polluted":true},"constructor":1}'));
    assert.ok(parsed instanceof Map);
    assert.deepEqual([...parsed.keys()], ["__proto__", "constructor"]);
    assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
  });
});

/** Lone surrogates are refused, and so are numbers that JSON.stringify would not write again. */
function isTame(value: unknown): boolean {
  return JSON.stringify(value).isWellFormed() && !/\\ud[89a-f]/i.test(JSON.stringify(value));
}

function plain(value: JsonValue): unknown {
  if (value instanceof JsonNumber) return Number(value.text);
  if (value instanceof Map) return new Map([...value].map(([name, member]) => [name, plain(member as JsonValue)]));
  return Array.isArray(value) ? value.map(plain) : value;
}

function withoutPrototype(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPrototype);
  if (typeof value !== "object" || value === null) return value;
  return new Map(Object.entries(value).map(([name, member]) => [name, withoutPrototype(member)]));
}

function refuses(parse: () => unknown): boolean {
  try {
    parse();
    return false;
  } catch (error) {
    assert.ok(error instanceof SyntaxError || error instanceof KvError, String(error));
    return true;
  }
}
