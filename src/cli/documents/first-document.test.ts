import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodeShardDocument, encodeShardDocument, type ShardDocument } from "../../model/shard-document.ts";
import type { MemberAccount } from "../../model/status.ts";
import { type FirstDocumentParts, firstDocument } from "./first-document.ts";

const SHARD = {
  name: "Mumbai",
  index: 0,
  members: ["a:1", "b:1", "c:1"].map((node) => ({ node, peer: `${node}001`, resp: `${node}002` })),
};
const TERM = "00000000000000aa";

function account(node: string, changes: Partial<MemberAccount> = {}): MemberAccount {
  return {
    shard: "Mumbai",
    store: { node, store: `store-${node.slice(0, 1)}`, generation: 1 },
    seenEpoch: changes.lastEpoch ?? 0,
    seenTerm: TERM,
    leadership: null,
    role: "none",
    complete: true,
    recovered: true,
    inConflict: false,
    lastEpoch: 0,
    lastTerm: TERM,
    lastSequence: 0,
    ...changes,
  };
}

function decide(accounts: readonly MemberAccount[], changes: Partial<FirstDocumentParts> = {}): ShardDocument | string {
  const parts = {
    shard: SHARD,
    accounts,
    minInSync: 1,
    adopts: true,
    forces: false,
    present: null,
    cause: "create",
  } as const;
  const result = firstDocument({ ...parts, term: TERM, token: "init/1", ...changes });
  return "refusal" in result ? result.refusal : result;
}

function made(accounts: readonly MemberAccount[], changes: Partial<FirstDocumentParts> = {}): ShardDocument {
  const document = decide(accounts, changes);
  assert(typeof document !== "string", JSON.stringify(document));
  assert.deepEqual(decodeShardDocument(encodeShardDocument(document)), document);
  return document;
}

function refused(decision: ShardDocument | string): string {
  assert(typeof decision === "string", "there is a document");
  return decision;
}

function setOf({ inSync }: ShardDocument): string[] {
  return inSync.map(({ node }) => node);
}

describe("the first document of a shard", () => {
  test("of empty members: the file's leader leads, and everybody is in sync", () => {
    const document = made([account("b:1"), account("a:1"), account("c:1")], { adopts: false, minInSync: 2 });
    assert.deepEqual(document.leader, { node: "a:1", store: "store-a", generation: 1 });
    assert.deepEqual(setOf(document), ["a:1", "b:1", "c:1"]);
    assert.deepEqual(document.members, ["a:1", "b:1", "c:1"]);
    const { epoch, version, minInSync, lineage, cause } = document;
    assert.deepEqual(
      { epoch, version, minInSync, lineage, cause },
      { epoch: 1, version: 1, minInSync: 2, lineage: 0, cause: "create" },
    );
  });

  test("is not made where anybody holds data, unless they are to be taken over", () => {
    const accounts = [account("a:1"), account("b:1", { lastEpoch: 1, lastSequence: 1 }), account("c:1")];
    assert.equal(decide(accounts, { adopts: false }), "b:1 holds data of shard Mumbai already");
    assert.deepEqual(setOf(made(accounts)), ["b:1"]);
  });

  test("adopts the highest epoch, then the longest log, and only those equal to it are in sync", () => {
    const document = made([
      account("a:1", { lastEpoch: 3, lastSequence: 900, seenEpoch: 3 }),
      account("b:1", { lastEpoch: 1000, lastSequence: 70, seenEpoch: 1005 }),
      account("c:1", { lastEpoch: 1000, lastSequence: 70 }),
    ]);
    assert.equal(document.leader.node, "b:1");
    assert.deepEqual(setOf(document), ["b:1", "c:1"]);
    assert.equal(document.epoch, 1006, "higher than any that was seen");
  });

  test("leaves a member that lacks one entry out of the set", () => {
    const at = (lastSequence: number): Partial<MemberAccount> => ({ lastEpoch: 2, lastSequence });
    assert.deepEqual(setOf(made([account("a:1", at(9)), account("b:1", at(10)), account("c:1", at(9))])), ["b:1"]);
  });

  test("goes on with the leader before, among equals", () => {
    const end = { lastEpoch: 4, lastSequence: 10 };
    const leadership = { epoch: 4, term: TERM, leader: account("c:1").store, lineage: 2, inSync: [], setVersion: 17 };
    const document = made([account("a:1", end), account("b:1", { ...end, leadership }), account("c:1", end)]);
    assert.equal(document.leader.node, "c:1");
    assert.deepEqual({ version: document.version, lineage: document.lineage }, { version: 18, lineage: 2 });
  });

  test("is not made while a member is silent: it may hold what the others lack", () => {
    const result = firstDocument({
      shard: SHARD,
      accounts: [account("a:1")],
      minInSync: 1,
      adopts: true,
      forces: false,
      present: null,
      cause: "create",
      term: TERM,
      token: "t",
    });
    assert.deepEqual(result, {
      refusal: "b:1 and c:1 of shard Mumbai do not answer, and may hold what the others lack",
      silent: ["b:1", "c:1"],
    });
  });

  describe("where a member has lost its data since it was last known to be in sync", () => {
    const end = { lastEpoch: 3, lastSequence: 5 };
    const known = account("b:1").store;
    const leadership = { epoch: 3, term: TERM, leader: known, lineage: 2, inSync: [known], setVersion: 7 };
    const emptied = account("b:1", { store: { ...known, store: "store-new" } });

    test("is not made: it may have led meanwhile, and hold what nobody else was told of", () => {
      assert.match(
        refused(decide([account("a:1", { ...end, leadership }), emptied, account("c:1", end)])),
        /^b:1 of shard Mumbai has lost data since/,
      );
    });

    test("says, when it is forced, that something may be lost", () => {
      const accounts = [account("a:1", { ...end, leadership }), emptied, account("c:1", end)];
      const { cause, lineage, leader } = made(accounts, { forces: true, cause: "restart" });
      assert.deepEqual({ cause, lineage, leader: leader.node }, { cause: "unclean", lineage: 3, leader: "a:1" });
    });

    test("is made when a newer set is known, of which that store was no member", () => {
      const { store } = account("a:1");
      const newer = { ...leadership, leader: store, inSync: [store], setVersion: 8 };
      const accounts = [account("a:1", { ...end, leadership: newer }), emptied, account("c:1", { ...end, leadership })];
      assert.deepEqual(setOf(made(accounts, { cause: "restart" })), ["a:1", "c:1"]);
    });

    test("is made where stores were never told: nobody has met anybody yet", () => {
      const unmet = { ...leadership, inSync: [known, { node: "a:1", store: null, generation: 0 }] };
      const accounts = [account("a:1"), account("b:1", { ...end, leadership: unmet }), account("c:1")];
      assert.deepEqual(setOf(made(accounts)), ["b:1"]);
    });
  });

  test("made without a silent member says that something may be lost: a higher lineage", () => {
    const document = made([account("a:1", { lastEpoch: 2, lastSequence: 5 }), account("c:1")], { forces: true });
    assert.deepEqual(
      { cause: document.cause, lineage: document.lineage, leader: document.leader.node },
      { cause: "unclean", lineage: 1, leader: "a:1" },
    );
  });

  test("is not made while a member leads, or has met a rival", () => {
    const rest = [account("b:1"), account("c:1")];
    assert.equal(decide([account("a:1", { role: "leader" }), ...rest]), "a:1 leads shard Mumbai at this moment");
    assert.match(
      refused(decide([account("a:1", { inConflict: true }), ...rest])),
      /has met another leader of its epoch/,
    );
  });

  test("is not made when equal epochs have different terms: terms have no order", () => {
    const accounts = [
      account("a:1", { lastEpoch: 2, lastSequence: 5 }),
      account("b:1", { lastEpoch: 2, lastSequence: 7, lastTerm: "00000000000000bb" }),
      account("c:1"),
    ];
    assert.match(refused(decide(accounts)), /a:1 and b:1 of shard Mumbai have different leaderships of epoch 2/);
  });

  test("never counts a copy that is damaged or not finished, and is not made when that one has the longest log", () => {
    const end = { lastEpoch: 2, lastSequence: 5 };
    const damaged = account("a:1", { ...end, complete: false });
    assert.deepEqual(setOf(made([damaged, account("b:1", end), account("c:1", end)])), ["b:1", "c:1"]);
    const longest = [
      account("a:1", { ...end, lastSequence: 6, complete: false }),
      account("b:1", end),
      account("c:1", end),
    ];
    assert.match(refused(decide(longest)), /a:1 of shard Mumbai has the longest log, but its copy is damaged/);
    assert.equal(
      decide(SHARD.members.map(({ node }) => account(node, { complete: false }))),
      "No copy of shard Mumbai is whole",
    );
  });

  test("made anew has an epoch and a version above what is there", () => {
    const accounts = SHARD.members.map(({ node }) => account(node, { lastEpoch: 4, lastSequence: 5 }));
    const document = made(accounts, { present: { epoch: 9, version: 40 }, cause: "restart" });
    assert.deepEqual(
      { epoch: document.epoch, version: document.version, cause: document.cause },
      { epoch: 10, version: 41, cause: "restart" },
    );
  });
});
