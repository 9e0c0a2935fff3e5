import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Record } from "../model/record.ts";
import { RowCache } from "./row-cache.ts";

describe("a cache of rows", () => {
  test("keeps a row when it is read again, until the tree changes", () => {
    const cache = new RowCache();
    const row = recordOf(10);
    cache.offer("k", row);
    assert.equal(cache.get("k"), undefined);
    cache.offer("k", row);
    assert.equal(cache.get("k"), row);
    cache.clear();
    assert.equal(cache.get("k"), undefined);
  });

  test("keeps none of the rows that are read once, however many", () => {
    const cache = new RowCache();
    const keys = Array.from({ length: 200_000 }, (_, i) => `key-${i}`);
    for (const key of keys) cache.offer(key, recordOf(64));
    assert.ok(keys.filter((key) => cache.get(key) !== undefined).length < 20);
  });

  test("is bounded in bytes, and leaves large values to the tree", () => {
    const cache = new RowCache();
    const keys = Array.from({ length: 20_000 }, (_, i) => `key-${i}`);
    for (const key of keys) {
      cache.offer(key, recordOf(1000));
      cache.offer(key, recordOf(1000));
    }
    const kept = keys.filter((key) => cache.get(key) !== undefined).length;
    assert.ok(kept > 0 && kept * 1250 < 8 * 1024 * 1024, `${kept} rows are kept`);
    cache.offer("large", recordOf(5000));
    cache.offer("large", recordOf(5000));
    assert.equal(cache.get("large"), undefined);
  });
});

function recordOf(bytes: number): Record {
  return { value: Buffer.alloc(bytes), version: 1, expiryMs: 0, contentType: "" };
}
