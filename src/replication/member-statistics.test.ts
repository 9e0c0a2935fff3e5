import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualTimers } from "../../tests/support/manual-timers.ts";
import { MemberStatistics } from "./member-statistics.ts";

test("what leaderships could not answer is added up over all of them", () => {
  const statistics = new MemberStatistics(new ManualTimers());
  assert.deepEqual(statistics.outcomes, { unknownOutcomes: 0, leaseRefusals: 0 });
  const first = { unknownCount: 0, leaseRefusalCount: 0 };
  statistics.follow(first);
  first.unknownCount = 3;
  statistics.follow(first);
  first.leaseRefusalCount = 2;
  assert.deepEqual(statistics.outcomes, { unknownOutcomes: 3, leaseRefusals: 2 });
  const second = { unknownCount: 1, leaseRefusalCount: 0 };
  statistics.follow(second);
  second.leaseRefusalCount = 5;
  assert.deepEqual(statistics.outcomes, { unknownOutcomes: 4, leaseRefusals: 7 });
});
