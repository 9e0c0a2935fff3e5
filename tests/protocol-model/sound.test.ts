import assert from "node:assert/strict";
import { test } from "node:test";
import { describeTrace } from "./describe.ts";
import { explore } from "./explore.ts";
import { PROFILE_NAMES, PROFILES } from "./profiles.ts";

/** `npm run model` goes on from here. */
const STATES_MAX = 400_000;

const taken = new Map<string, number>();

for (const name of PROFILE_NAMES) {
  test(`the protocol keeps its promises within the bounds of ${name}`, (context) => {
    const { states, depth, isExhausted, violation, trace, steps } = explore(PROFILES[name], { statesMax: STATES_MAX });
    assert.equal(violation, undefined, `${violation}\n${describeTrace(PROFILES[name], trace, undefined)}`);
    assert.ok(isExhausted || states >= STATES_MAX);
    context.diagnostic(`${states} states, depth ${depth}, ${isExhausted ? "exhausted" : "stopped at the limit"}`);
    for (const [kind, count] of steps) taken.set(kind, (taken.get(kind) ?? 0) + count);
  });
}

test("every kind of step was taken", () => {
  assert.ok(taken.size > 20);
  assert.deepEqual(
    [...taken].filter(([, count]) => count === 0),
    [],
  );
});
