import assert from "node:assert/strict";
import { test } from "node:test";
import type { ShardDocument } from "../../model/shard-document.ts";
import { changedMembers } from "./change-members.ts";

const storeOf = (node: string): { node: string; store: string; generation: number } => ({
  node,
  store: "s",
  generation: 1,
});
const SHARD = {
  name: "Delhi",
  index: 0,
  members: ["a:1", "b:1", "c:1"].map((node) => ({ node, peer: `${node}001`, resp: `${node}002` })),
};
const DOCUMENT: ShardDocument = {
  version: 3,
  epoch: 2,
  term: "00000000000000aa",
  leader: storeOf("a:1"),
  inSync: [storeOf("a:1"), storeOf("b:1")],
  members: ["a:1", "b:1"],
  minInSync: 1,
  lineage: 0,
  token: "t",
  cause: "expand",
};

test("a node of the file becomes a member, at the end", () => {
  assert.deepEqual(changedMembers(DOCUMENT, { kind: "add", shard: SHARD, node: "c:1" }), {
    members: ["a:1", "b:1", "c:1"],
  });
});

test("a node that the file does not have cannot be a member: nobody would find it", () => {
  const changed = changedMembers(DOCUMENT, { kind: "add", shard: SHARD, node: "d:1" });
  assert(changed !== null && "refusal" in changed);
  assert.match(changed.refusal, /^d:1 is no replica of shard Delhi in the file/);
});

test("what is so already changes nothing", () => {
  assert.equal(changedMembers(DOCUMENT, { kind: "add", shard: SHARD, node: "b:1" }), null);
  assert.equal(changedMembers(DOCUMENT, { kind: "remove", shard: SHARD, node: "c:1" }), null);
});

test("a node that nobody knows is no member to be removed: it may be misspelt", () => {
  assert.deepEqual(changedMembers(DOCUMENT, { kind: "remove", shard: SHARD, node: "x:1" }), {
    refusal: "x:1 is no member of shard Delhi, nor in the file: its members are a:1, b:1",
  });
});

test("a replica leaves, in sync or not; the leader has to hand over first", () => {
  assert.deepEqual(changedMembers(DOCUMENT, { kind: "remove", shard: SHARD, node: "b:1" }), { members: ["a:1"] });
  const changed = changedMembers(DOCUMENT, { kind: "remove", shard: SHARD, node: "a:1" });
  assert(changed !== null && "refusal" in changed);
  assert.match(changed.refusal, /^a:1 leads shard Delhi: hand its leadership over first \(kv handover/);
});

test("no member leaves that min_in_sync needs", () => {
  const changed = changedMembers({ ...DOCUMENT, minInSync: 2 }, { kind: "remove", shard: SHARD, node: "b:1" });
  assert.deepEqual(changed, { refusal: "Shard Delhi needs 2 copies (min_in_sync), and would have 1" });
});
