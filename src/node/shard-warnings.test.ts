import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DocumentView, MemberStatus } from "../model/status.ts";
import type { CoordinatorSight } from "./coordinator-sight.ts";
import { shardWarnings } from "./shard-warnings.ts";

const SHARD = {
  name: "Delhi",
  index: 0,
  members: ["a:1", "b:1"].map((node) => ({ node, peer: `${node}001`, resp: `${node}002` })),
};
const SIGHT: CoordinatorSight = { kind: "etcd", clusterId: null, fileMinInSync: 1, trouble: null };
const DOCUMENT: DocumentView = {
  epoch: 7,
  version: 20,
  leader: "a:1",
  inSync: ["a:1", "b:1"],
  members: ["a:1", "b:1"],
  minInSync: 1,
};

function member(node: string, role: MemberStatus["role"], document: DocumentView | null = DOCUMENT): MemberStatus {
  return {
    node,
    role,
    state: "waits",
    ready: true,
    epoch: 7,
    store: "s",
    lastSequence: 1,
    durableSequence: 1,
    commitSequence: 1,
    appliedSequence: 1,
    lagEntries: 0,
    lagMs: 0,
    keyCount: 0,
    logBytes: 0,
    treeFileBytes: 0,
    treeLiveBytes: 0,
    memtableBytes: 0,
    diskFreeBytes: 0,
    readOnlyReason: null,
    discardedEntriesFile: null,
    readsPerSecond: 0,
    writesPerSecond: 0,
    unknownOutcomes: 0,
    leaseRefusals: 0,
    replicas: [],
    document,
    documentFault: null,
  };
}

function warningsOf(statuses: readonly MemberStatus[], sight: CoordinatorSight = SIGHT): string[] {
  return shardWarnings({
    shard: SHARD,
    known: { epoch: 7, term: "t", leader: "a:1" },
    statuses,
    sight,
  });
}

describe("warnings about a shard with a coordinator", () => {
  test("are none when all is well, whoever of the file leads", () => {
    const known = { epoch: 7, term: "t", leader: "b:1" };
    const statuses = [member("a:1", "replica"), member("b:1", "leader")];
    assert.deepEqual(shardWarnings({ shard: SHARD, known, statuses, sight: SIGHT }), []);
  });

  test("say who takes over from a leader that does not answer", () => {
    assert.deepEqual(warningsOf([member("b:1", "replica")]), [
      "The leader a:1 does not answer; b:1 takes over by itself within seconds",
    ]);
  });

  test("promise nothing while the coordinator is of no use: nobody takes over without it", () => {
    const sight = { ...SIGHT, trouble: "nothing listens there" };
    assert.deepEqual(warningsOf([member("b:1", "replica")], sight), [
      "The leader a:1 does not answer; nobody takes over before the coordinator is of use again",
    ]);
    assert.deepEqual(warningsOf([member("a:1", "leader"), member("b:1", "replica")], sight), []);
  });

  test("say that nobody can, when nobody else is in sync", () => {
    const [warning] = warningsOf([member("b:1", "replica", { ...DOCUMENT, inSync: ["a:1"] })]);
    assert.match(warning ?? "", /^The leader a:1 does not answer; nobody else is in sync with it: start it again/);
  });

  test("name whom to promote by force: the member with most, and do not ask for what runs to be started", () => {
    const document = { ...DOCUMENT, inSync: ["a:1"] };
    const [empty, full] = [
      member("b:1", "replica", document),
      { ...member("c:1", "replica", document), lastSequence: 99 },
    ];
    const [warning] = warningsOf([member("a:1", "none", document), empty, full]);
    assert.equal(
      warning,
      "The leader a:1 does not lead at the moment; nobody else is in sync with it: " +
        `give up what only it has (kv promote --shard ${SHARD.name} --node c:1 --accept-data-loss)`,
    );
    const inSync = { ...DOCUMENT, inSync: ["a:1", "d:1"] };
    const [waiting] = warningsOf([member("a:1", "none", inSync)]);
    assert.equal(waiting, "The leader a:1 does not lead at the moment; start d:1, which is in sync with it");
  });

  test("name who else may lead when it does not answer either", () => {
    const document = { ...DOCUMENT, inSync: ["a:1", "c:1"], members: ["a:1", "b:1", "c:1"] };
    const [warning] = warningsOf([member("b:1", "replica", document)]);
    assert.equal(warning, "The leader a:1 does not answer; start it again, or c:1, which is in sync with it");
  });

  test("name differences between the file and the newest document that a member has read", () => {
    const old = { ...DOCUMENT, version: 19, members: ["a:1", "b:1", "old:1"] };
    const newest = { ...DOCUMENT, members: ["a:1", "c:1"], minInSync: 2 };
    assert.deepEqual(warningsOf([member("a:1", "leader", newest), member("b:1", "replica", old)]), [
      "b:1 is in the file, but no member by the coordinator (kv member add)",
      "c:1 is a member by the coordinator, but not in the file (kv member remove)",
      "min_in_sync is 1 in the file, and 2 by the coordinator (kv member)",
    ]);
  });

  test("tell of a document that makes no sense, although whoever leads goes on", () => {
    const fault = { documentFault: "shards/Delhi.v must be 1" };
    const leader = { ...member("a:1", "leader"), ...fault };
    const [warning, ...others] = warningsOf([leader, member("b:1", "replica")]);
    assert.match(
      warning ?? "",
      /makes no sense \(shards\/Delhi\.v must be 1\): nobody takes over .*kv coordinator rebuild/,
    );
    assert.deepEqual(others, []);
    const [prospect] = warningsOf([{ ...member("b:1", "replica"), ...fault }]);
    assert.equal(
      prospect,
      "The leader a:1 does not answer; nobody takes over before the shard's document makes sense again",
    );
  });

  test("say of discarded writes when somebody may have had an ok for them, whatever the mode is by now", () => {
    const [warning] = warningsOf([
      member("a:1", "leader"),
      { ...member("b:1", "replica"), discardedEntriesFile: "/data/b/discarded-6-x.log" },
    ]);
    assert.match(warning ?? "", /^b:1 keeps writes .* only if .*async.*: \/data\/b\/discarded-6-x\.log/);
  });

  test("say that a set is smaller than it must be", () => {
    const document = { ...DOCUMENT, inSync: ["a:1"], minInSync: 2 };
    const statuses = [member("a:1", "leader", document), member("b:1", "replica", document)];
    assert.deepEqual(warningsOf(statuses, { ...SIGHT, fileMinInSync: 2 }), [
      "Writes are refused: min_in_sync is 2, in sync are only a:1",
    ]);
  });

  test("never advise what only static mode knows", () => {
    const silent = warningsOf([member("b:1", "none", null)]);
    assert(!silent.some((text) => text.includes("promote another member")), silent.join("; "));
    const ofFile = warningsOf([member("b:1", "replica", null)], { ...SIGHT, kind: "static" });
    assert.deepEqual(ofFile, [
      "The leader a:1 does not answer; start it again, or promote another member (kv promote)",
    ]);
  });
});
