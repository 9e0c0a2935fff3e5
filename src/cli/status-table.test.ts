import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import type { MemberStatus } from "../model/status.ts";
import type { ClusterStatus } from "../node/gateway.ts";
import { renderStatus } from "./status-table.ts";

function member(node: string, sequences: Pick<MemberStatus, "lastSequence" | "appliedSequence">): MemberStatus {
  return {
    node,
    role: "leader",
    state: "leads",
    ready: true,
    epoch: 3,
    store: "s",
    durableSequence: sequences.lastSequence,
    commitSequence: sequences.lastSequence,
    lagEntries: 0,
    lagMs: 0,
    keyCount: 40,
    logBytes: 0,
    treeFileBytes: 0,
    treeLiveBytes: 2048,
    memtableBytes: 0,
    diskFreeBytes: 0,
    readOnlyReason: null,
    discardedEntriesFile: null,
    readsPerSecond: 0,
    writesPerSecond: 0,
    unknownOutcomes: 0,
    leaseRefusals: 0,
    replicas: [],
    document: null,
    documentFault: null,
    ...sequences,
  };
}

function statusOf(...members: readonly MemberStatus[]): ClusterStatus {
  return {
    cluster: "test",
    answeredBy: "a:1",
    coordinator: "static",
    coordinatorTrouble: null,
    replication: "async",
    shards: members.map((one, index) => ({
      shard: `S${index}`,
      index,
      leader: one.node,
      epoch: 3,
      inSync: [one.node],
      members: [{ ...one, reachable: true }],
      warnings: [],
    })),
    imbalance: 1,
  };
}

test("the status says how many writes its count of keys does not hold yet, and nothing when it holds all", () => {
  const behind = statusOf(
    member("a:1", { lastSequence: 50, appliedSequence: 39 }),
    member("b:1", { lastSequence: 9, appliedSequence: 8 }),
  );
  const text = stripVTControlCharacters(renderStatus(behind));
  assert.match(text, /^80 keys in 4\.0 KiB and 12 writes not counted yet · 0 reads\/s/m);
  const whole = statusOf(member("a:1", { lastSequence: 50, appliedSequence: 50 }));
  assert.match(stripVTControlCharacters(renderStatus(whole)), /^40 keys in 2\.0 KiB · 0 reads\/s/m);
});

test("a replica without a leader does not know how far it is behind, and is in the set or not by the newest document", () => {
  const alone = { ...member("b:1", { lastSequence: 9, appliedSequence: 9 }), role: "replica" as const, lagMs: 18_000 };
  const document = { epoch: 3, version: 8, leader: "a:1", inSync: ["a:1"], members: ["a:1", "b:1"], minInSync: 1 };
  const [shard] = statusOf(alone).shards;
  assert.ok(shard !== undefined);
  const members = [
    { node: "a:1", reachable: false as const },
    { ...alone, document, reachable: true as const },
  ];
  const status = { ...statusOf(alone), shards: [{ ...shard, leader: "a:1", inSync: [], members }] };
  assert.match(stripVTControlCharacters(renderStatus(status)), /b:1 +replica +no +3 +9 +\? since 18/);
});
