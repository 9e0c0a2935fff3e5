import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { literalPrefix, matchesGlob } from "./glob.ts";

describe("patterns of keys", () => {
  test("match as Redis does", () => {
    const yes = [
      ["*", ""],
      ["a*", "abc"],
      ["*c", "abc"],
      ["a*b*c", "axxbyyc"],
      ["?", "x"],
      ["[abc]", "b"],
      ["[^abc]", "d"],
      ["[a-c]", "b"],
      ["[c-a]", "b"],
      ["\\*", "*"],
      ["a\\", "a\\"],
      ["[\\]]", "]"],
      ["[a", "a"],
      ["**a**", "a"],
      ["\u00ff?", "\u00ff\n"],
    ] as const;
    for (const [pattern, text] of yes) assert.ok(matchesGlob(pattern, text), `${pattern} matches ${text}`);
    const no = [
      ["", "a"],
      ["a", ""],
      ["a*", "ba"],
      ["?", ""],
      ["[abc]", "d"],
      ["[^abc]", "a"],
      ["\\*", "x"],
      ["a*b", "abc"],
    ] as const;
    for (const [pattern, text] of no) assert.ok(!matchesGlob(pattern, text), `${pattern} does not match ${text}`);
  });

  test("take little time, however they are made", () => {
    const text = "a".repeat(1024);
    const startedMs = performance.now();
    for (const pattern of [
      `${"a*".repeat(127)}b`,
      `${"*a".repeat(127)}b`,
      `${"*[a-b]".repeat(42)}c`,
      "*?".repeat(128),
    ]) {
      matchesGlob(pattern, text);
    }
    assert.ok(performance.now() - startedMs < 400, "four of them, on a busy machine");
  });

  test("tell what every match begins with", () => {
    assert.equal(literalPrefix("user:*:x"), "user:");
    assert.equal(literalPrefix("a[bc]"), "a");
    assert.equal(literalPrefix("plain"), "plain");
    assert.equal(literalPrefix("\\*"), "");
  });
});
