import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Leadership } from "../../model/leadership.ts";
import { decodeShardDocument, encodeShardDocument } from "../../model/shard-document.ts";
import type { MemberAccount } from "../../model/status.ts";
import { restoredDocument } from "./restored-document.ts";

const SHARD = {
  name: "Mumbai",
  index: 0,
  members: ["a:1", "b:1"].map((node) => ({ node, peer: `${node}001`, resp: `${node}002` })),
};
const TERM = "00000000000000aa";
const A = { node: "a:1", store: "store-a", generation: 1 };
const B = { node: "b:1", store: "store-b", generation: 3 };
const LEADERSHIP: Leadership = { epoch: 7, term: TERM, leader: B, lineage: 2, inSync: [B, A], setVersion: 19 };

function account(changes: Partial<MemberAccount> = {}): MemberAccount {
  return {
    shard: "Mumbai",
    store: A,
    seenEpoch: 7,
    seenTerm: TERM,
    leadership: LEADERSHIP,
    role: "replica",
    complete: true,
    recovered: true,
    inConflict: false,
    lastEpoch: 7,
    lastTerm: TERM,
    lastSequence: 30,
    ...changes,
  };
}

const LEADER = account({ store: B, role: "leader" });

function restore(accounts: readonly MemberAccount[], forces = false): ReturnType<typeof restoredDocument> {
  return restoredDocument({ shard: SHARD, accounts, minInSync: 1, forces, token: "rebuild/1" });
}

describe("the document of a leader that goes on without one", () => {
  test("is what the leader goes by, in its epoch, as the next version", () => {
    const document = restore([account(), LEADER]);
    assert(document !== null && "epoch" in document);
    const { epoch, term, leader, inSync, lineage, version, members } = document;
    assert.deepEqual({ epoch, term, leader, inSync, lineage, setVersion: version - 1 }, LEADERSHIP);
    assert.deepEqual(members, ["a:1", "b:1"]);
    assert.deepEqual(decodeShardDocument(encodeShardDocument(document)), document);
  });

  test("is not made where nobody leads, or somebody has seen a later leadership, or another of that epoch", () => {
    assert.equal(restore([account(), account({ store: B })]), null);
    assert.equal(restore([account({ seenEpoch: 8 }), LEADER]), null);
    assert.equal(restore([account({ seenTerm: "00000000000000bb" }), LEADER]), null);
  });

  test("waits for members that do not answer, unless forced: one of them may have been promoted", () => {
    assert.deepEqual(restore([LEADER]), {
      refusal: "a:1 of shard Mumbai does not answer, and may hold what the others lack",
      silent: ["a:1"],
    });
    const forced = restore([LEADER], true);
    assert(forced !== null && "epoch" in forced);
    assert.equal(forced.epoch, 7);
  });
});
