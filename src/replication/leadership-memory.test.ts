import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { leadershipOf, MemoryStateFile, stateOf, storeOf, termOf } from "../../tests/support/member-facts.ts";
import { proveCaught } from "../../tests/support/prove-caught.ts";
import { silentLogger } from "../base/logger.ts";
import type { Leadership } from "../model/leadership.ts";
import { NO_EPOCH } from "../model/position.ts";
import { LeadershipMemory } from "./leadership-memory.ts";
import type { MemberState } from "./member-environment.ts";

describe("adopting a leader", () => {
  test("takes a higher epoch, durably, and the same one again", () => {
    const { file, memory } = knowing(leadershipOf(5, "b"));
    const newer = leadershipOf(6, "c");
    assert.ok(memory.adopt(newer, 5));
    assert.deepEqual(file.state.leadership, newer);
    assert.deepEqual(file.state.seenEpoch, { epoch: 6, term: termOf(6) });
    assert.ok(memory.adopt(newer, 5));
    assert.equal(file.writeCount, 1);
  });

  test("refuses an epoch lower than any seen, or than the log's own, and changes nothing (P1, M28)", () => {
    const check = (): void => {
      const { file, memory } = knowing(leadershipOf(5, "b"));
      assert.ok(!memory.adopt(leadershipOf(4, "c"), 0));
      memory.noteSeen(8);
      assert.ok(!memory.adopt(leadershipOf(7, "c"), 0));
      assert.ok(!memory.adopt(leadershipOf(8, "c"), 9));
      assert.equal(file.state.leadership?.epoch, 5);
    };
    proveCaught("M28", check);
  });

  test("still refuses it after a restart (M29)", () => {
    const check = (): void => {
      const { file, memory } = knowing(null);
      memory.adopt(leadershipOf(5, "b"), 0);
      const restarted = new LeadershipMemory(file, silentLogger);
      assert.ok(!restarted.adopt(leadershipOf(4, "c"), 0));
      assert.equal(restarted.known?.leader.node, "b");
    };
    proveCaught("M29", check);
  });

  test("refuses another leader of the same epoch: terms have no order (G6)", () => {
    const { file, memory } = knowing(leadershipOf(5, "b"));
    const rival = leadershipOf(5, "c", { term: termOf(5, 1), setVersion: 9 });
    assert.ok(memory.isRival(rival));
    assert.ok(!memory.adopt(rival, 0));
    memory.remember(rival);
    assert.equal(file.state.leadership?.leader.node, "b");
  });

  test("takes the newer in-sync set of the same leadership, and no older one", () => {
    const { file, memory } = knowing(leadershipOf(5, "b", { setVersion: 3 }));
    memory.remember(leadershipOf(5, "b", { setVersion: 2, inSync: [] }));
    assert.equal(file.state.leadership?.setVersion, 3);
    assert.ok(memory.adopt(leadershipOf(5, "b", { setVersion: 4, inSync: [] }), 5));
    assert.equal(file.state.leadership?.setVersion, 4);
  });
});

describe("what was seen", () => {
  test("only rises, and an epoch seen elsewhere has no term yet", () => {
    const { file, memory } = knowing(leadershipOf(5, "b"));
    memory.noteSeen(4);
    assert.deepEqual(file.state.seenEpoch, { epoch: 5, term: termOf(5) });
    memory.noteSeen(9);
    assert.deepEqual(file.state.seenEpoch, { epoch: 9, term: NO_EPOCH.term });
    memory.remember(leadershipOf(7, "c"));
    assert.equal(file.state.seenEpoch.epoch, 9);
    assert.equal(file.state.leadership?.epoch, 7);
  });

  test("contradicts a leadership when the number is the same and the term is another, known one (M100)", () => {
    const check = (): void => {
      const own = leadershipOf(5, "a");
      assert.ok(LeadershipMemory.contradicts({ epoch: 5, term: termOf(5, 1) }, own));
      assert.ok(!LeadershipMemory.contradicts({ epoch: 5, term: own.term }, own));
      assert.ok(!LeadershipMemory.contradicts({ epoch: 5, term: NO_EPOCH.term }, own));
      assert.ok(!LeadershipMemory.contradicts({ epoch: 4, term: termOf(4, 1) }, own));
    };
    proveCaught("M100", check);
  });
});

describe("a promotion's word", () => {
  test("is taken when its epoch is above everything seen, and settles a conflict", () => {
    const { file, memory } = knowing(leadershipOf(5, "b"), { conflict: "two leaders" });
    assert.deepEqual(memory.take(leadershipOf(1005, "c")), { isAccepted: true, isNew: true });
    assert.equal(file.state.conflict, null);
    assert.deepEqual(memory.take(leadershipOf(1005, "c")), { isAccepted: true, isNew: false });
    assert.equal(file.state.leadership?.leader.node, "c");
  });

  test("is refused at or below what was seen, also with another term of the same number", () => {
    const { memory } = knowing(leadershipOf(5, "b"));
    memory.noteSeen(1005);
    assert.deepEqual(memory.take(leadershipOf(1005, "c")), { isAccepted: false, isNew: false });
    assert.deepEqual(memory.take(leadershipOf(5, "c", { term: termOf(5, 1) })), { isAccepted: false, isNew: false });
  });

  test("that this node leads settles conflict and damage", () => {
    const { file, memory } = knowing(null, { conflict: "two leaders", damage: "a bit flipped" });
    memory.begin(leadershipOf(8, "a"));
    assert.deepEqual([file.state.conflict, file.state.damage, file.state.seenEpoch.epoch], [null, null, 8]);
  });
});

describe("faults", () => {
  test("a conflict is written down once, and names the other and the epoch", () => {
    const { file, memory } = knowing(leadershipOf(5, "a"));
    memory.noteConflict("b", 5);
    memory.noteConflict("c", 5);
    assert.match(file.state.conflict ?? "", /^b has seen the same epoch 5 .*kv promote/);
    assert.equal(file.writeCount, 1);
  });

  test("a conflict is over when a leadership with a higher number is heard of, not by news of the same number", () => {
    const { file, memory } = knowing(leadershipOf(5, "a"));
    memory.noteConflict("b", 5);
    memory.remember({ ...leadershipOf(5, "a"), setVersion: 99 });
    assert.notEqual(file.state.conflict, null);
    memory.remember(leadershipOf(1005, "b"));
    assert.equal(file.state.conflict, null);
  });

  test("damage raises the store's generation, so that what it once confirmed counts no more (D7, M69)", () => {
    const check = (): void => {
      const { file, memory } = knowing(leadershipOf(5, "a"));
      memory.noteDamage("a bit flipped", false);
      assert.deepEqual(file.state.store, storeOf("a", 1));
      assert.deepEqual([file.state.damage, file.state.bootstrap], ["a bit flipped", null]);
      memory.noteDamage("the log is too short", true);
      assert.deepEqual(file.state.store, storeOf("a", 2));
      assert.deepEqual(file.state.bootstrap, { phase: "copying" });
    };
    proveCaught("M69", check);
  });

  test("damage of a copy that is only being made is none: it is made anew anyway", () => {
    const { file, memory } = knowing(null, { bootstrap: { phase: "copying" } });
    memory.noteDamage("the log is too short", true);
    assert.equal(file.writeCount, 0);
  });
});

function knowing(
  leadership: Leadership | null,
  changes: Partial<MemberState> = {},
): { readonly file: MemoryStateFile; readonly memory: LeadershipMemory } {
  const file = new MemoryStateFile(stateOf("a", { leadership, ...changes }));
  return { file, memory: new LeadershipMemory(file, silentLogger) };
}
