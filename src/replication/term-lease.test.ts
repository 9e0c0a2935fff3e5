import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import { proveCaught } from "../../tests/support/prove-caught.ts";
import { PromisedLease } from "./term-lease.ts";

interface Trouble {
  readonly silenceMs?: number;
  readonly isFlushStuck?: boolean;
}

function leaseIn({ silenceMs = 100, isFlushStuck = false }: Trouble): PromisedLease {
  return new PromisedLease({
    clock: new ManualTimers(),
    leaseMs: 1500,
    others: () => ["b"],
    silenceMs: () => silenceMs,
    isFlushStuck: () => isFlushStuck,
  });
}

describe("the lease of a leader that others may replace", () => {
  test("asks for promises with every frame", () => {
    assert.notEqual(leaseIn({}).beacon(), 0);
  });

  test("asks for none while a member that a commit needs has been silent for a whole lease (L10, M96)", () => {
    proveCaught("M96", () => assert.equal(leaseIn({ silenceMs: 1600 }).beacon(), 0));
  });

  test("asks for none while its own disk hangs (L8)", () => {
    assert.equal(leaseIn({ isFlushStuck: true }).beacon(), 0);
  });
});
