import assert from "node:assert/strict";
import { test } from "node:test";
import { actionsOf, explore } from "./explore.ts";
import { PROFILE_NAMES, PROFILES } from "./profiles.ts";
import { StateCodec } from "./state-codec.ts";
import { StateSet } from "./state-set.ts";
import { World } from "./world.ts";

const WALK_STEPS = 2_000;

/** A generator of numbers below `limit` that is the same in every run. */
function sequence(): (limit: number) => number {
  let value = 1;
  return (limit) => {
    value = (Math.imul(value, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((value / 2 ** 32) * limit);
  };
}

for (const name of PROFILE_NAMES) {
  test(`a step that is not possible changes nothing, and the bytes hold the whole state: ${name}`, () => {
    const profile = { ...PROFILES[name], crashes: 9, setChanges: 20 };
    const world = new World(profile);
    const codec = new StateCodec(profile.nodes);
    const actions = actionsOf(profile, false);
    const pick = sequence();
    const before = new Uint8Array(codec.byteLength);
    const after = new Uint8Array(codec.byteLength);
    let taken = 0;
    for (let step = 0; step < WALK_STEPS; step++) {
      const action = actions[pick(actions.length)];
      const copy = structuredClone(world.state);
      codec.encode(world.state, before);
      if (action?.run(world) === true) taken += 1;
      else assert.deepEqual(world.state, copy, action?.label);
      codec.encode(world.state, after);
      const successor = structuredClone(world.state);
      codec.decode(before, 0, world.state);
      assert.deepEqual(world.state, copy);
      codec.decode(after, 0, world.state);
      assert.deepEqual(world.state, successor);
    }
    assert.ok(taken > 20, `${taken} steps were possible`);
  });
}

test("a set tells new states from known ones while it grows, and finds the way to each", () => {
  const set = new StateSet();
  const count = 200_000;
  for (let number = 0; number < count; number++) {
    assert.ok(set.add(Uint32Array.of(number, number * 7), number - 1, number % 50));
  }
  for (let number = 0; number < count; number++) assert.ok(!set.add(Uint32Array.of(number, number * 7), 0, 0));
  assert.equal(set.size, count);
  assert.deepEqual(set.pathTo(4), [1, 2, 3, 4]);
});

test("an exploration that ends at its limit does not call itself exhausted", () => {
  assert.ok(!explore(PROFILES.pairTerms, { statesMax: 1_000 }).isExhausted);
  assert.ok(explore(PROFILES.pairMinInSync, { statesMax: 1_000_000 }).isExhausted);
});
