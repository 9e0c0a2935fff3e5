import assert from "node:assert/strict";
import { test } from "node:test";
import { describeTrace } from "./describe.ts";
import { explore } from "./explore.ts";
import { CAUGHT_MUTANTS, HARMLESS_MUTANTS, type MutantId } from "./mutants.ts";
import { PROFILES } from "./profiles.ts";

const STATES_MAX = 3_000_000;

/** `npm run model` asks for all states within the bounds. */
const HARMLESS_STATES_MAX = 300_000;

for (const { id, mistake, profile } of CAUGHT_MUTANTS) {
  test(`${id} has a counter-example: ${mistake}`, (context) => {
    const outcome = explore(PROFILES[profile], { statesMax: STATES_MAX, mutant: id });
    assert.notEqual(outcome.violation, undefined, `nothing breaks in ${outcome.states} states of ${profile}`);
    const text = describeTrace(PROFILES[profile], outcome.trace, id);
    assert.equal(text.match(/^ +\d+\. /gm)?.length, outcome.trace.length + 1);
    context.diagnostic(`${outcome.states} states, ${outcome.trace.length} steps: ${outcome.violation}`);
  });
}

for (const { id, mistake, profile } of HARMLESS_MUTANTS) {
  test(`${id} breaks nothing: ${mistake}`, () => {
    const { violation, states, isExhausted } = explore(PROFILES[profile], {
      statesMax: HARMLESS_STATES_MAX,
      mutant: id,
    });
    assert.equal(violation, undefined);
    assert.ok(isExhausted || states >= HARMLESS_STATES_MAX);
  });
}

test("with two members needed, a leader promoted alone gets its member back, unless that waits for a commit", () => {
  const expands = (mutant?: MutantId): number =>
    explore(PROFILES.pairMinInSync, { statesMax: STATES_MAX, mutant }).steps.get("asks to expand the set with") ?? 0;
  assert.ok(expands() > 0);
  assert.equal(expands("X02"), 0);
});
