import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { proveCaught } from "../../tests/support/prove-caught.ts";
import { storeOf } from "../../tests/support/member-facts.ts";
import type { InSyncMember } from "../model/leadership.ts";
import type { Sequence } from "../model/position.ts";
import { counts, inSyncSequence } from "./commit-rule.ts";
import type { ReplicaSession } from "./replica-sessions.ts";

const SET: readonly InSyncMember[] = [storeOf("a"), storeOf("b"), storeOf("c")];

describe("the commit rule", () => {
  test("takes the lowest of what every member of the set has flushed, the leader itself included (K1)", () => {
    assert.equal(committed(10, [session("b", 8), session("c", 9)]), 8);
    assert.equal(committed(10, [session("b", 12), session("c", 11)]), 10);
  });

  test("with the leader alone in the set is its own flush", () => {
    assert.equal(inSyncSequence({ self: "a", ownDurable: 10, inSync: [storeOf("a")], sessionOf: () => undefined }), 10);
  });

  test("counts nothing for a member without a session, however many others have confirmed (D3)", () => {
    assert.equal(committed(10, [session("b", 10)]), 0);
    assert.equal(committed(10, []), 0);
  });

  test("does not ask members outside the set", () => {
    const inSync = [storeOf("a"), storeOf("b")];
    const sessionOf = (node: string): ReplicaSession | undefined => (node === "b" ? session("b", 7) : session(node, 1));
    assert.equal(inSyncSequence({ self: "a", ownDurable: 10, inSync, sessionOf }), 7);
  });

  test("counts a member only under the store and generation that the set names (D7)", () => {
    assert.equal(committed(10, [session("b", 8, { store: storeOf("b", 1) }), session("c", 9)]), 0);
    const wiped = { node: "b", store: "another", generation: 0 };
    assert.equal(committed(10, [session("b", 8, { store: wiped }), session("c", 9)]), 0);
    const unbound: InSyncMember = { node: "b", store: null, generation: 0 };
    assert.ok(!counts(unbound, session("b", 8)));
  });

  test("counts nothing of a session whose log was not found to match (M10)", () => {
    assert.equal(committed(10, [session("b", 8, { isMatched: false }), session("c", 9)]), 0);
  });

  test("counts nothing of a copy that is still being made (M99)", () => {
    proveCaught("M99", () => {
      assert.equal(committed(10, [session("b", 8, { isComplete: false }), session("c", 9)]), 0);
    });
  });
});

function committed(ownDurable: Sequence, sessions: readonly ReplicaSession[]): Sequence {
  const sessionOf = (node: string): ReplicaSession | undefined => sessions.find((one) => one.node === node);
  return inSyncSequence({ self: "a", ownDurable, inSync: SET, sessionOf });
}

function session(node: string, durable: Sequence, changes: Partial<ReplicaSession> = {}): ReplicaSession {
  return {
    node,
    sid: `sid-${node}`,
    store: storeOf(node),
    isMatched: true,
    isComplete: true,
    durable,
    pulledThrough: durable,
    lastHeardMs: 0,
    lastEcho: 0,
    parked: null,
    parkedSinceMs: 0,
    isNudged: false,
    roomBytes: 0,
    isLeaving: false,
    boot: "boot",
    greeting: 1,
    ...changes,
  };
}
