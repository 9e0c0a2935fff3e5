import assert from "node:assert/strict";
import { test } from "node:test";
import { isExpired } from "./record.ts";

test("a record is gone from the millisecond of its expiry on, and never without one", () => {
  assert.ok(!isExpired({ expiryMs: 1000 }, 999));
  assert.ok(isExpired({ expiryMs: 1000 }, 1000));
  assert.ok(isExpired({ expiryMs: 1000 }, 5000));
  assert.ok(!isExpired({ expiryMs: 0 }, Number.MAX_SAFE_INTEGER));
});
