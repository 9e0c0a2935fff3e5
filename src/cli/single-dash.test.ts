import assert from "node:assert/strict";
import { test } from "node:test";
import { acceptSingleDash } from "./single-dash.ts";

const NAMES: ReadonlySet<string> = new Set(["shard", "db-location", "replica"]);

test("long options with one dash become long options, with a value attached or behind", () => {
  assert.deepEqual(acceptSingleDash(["-shard=Delhi", "-db-location", "d", "-replica"], NAMES), [
    "--shard=Delhi",
    "--db-location",
    "d",
    "--replica",
  ]);
});

test("what is no known option stays as it is: values, short options, and all behind two dashes", () => {
  const words = ["-h", "-abc", "-shards", "--shard", "-5", "x-shard", "--", "-shard=x"];
  assert.deepEqual(acceptSingleDash(words, NAMES), words);
});
