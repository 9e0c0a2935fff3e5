import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { keyOfText, type Key } from "../model/key.ts";
import { DEFAULT_OPTIONS, type KeyOperation, type Reply } from "../model/operation.ts";
import { codeOf, getOf, MemoryCluster, setOf } from "../../tests/support/memory-cluster.ts";

function batch(made: MemoryCluster, node: string, operations: readonly KeyOperation[]): readonly Reply[] {
  return made.await<readonly Reply[]>((done) => made.node(node).core.executeBatch(operations, DEFAULT_OPTIONS, done));
}

test("a batch is answered operation by operation, in order, each seeing those before it on its shard", () => {
  const step = fc.record({ key: fc.nat(7), isWrite: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const made = new MemoryCluster({ shardCount: 3, memberCount: 2 });
      made.start();
      const model = new Map<Key, string>();
      const expected: (string | null)[] = [];
      const operations = steps.map(({ key: number, isWrite }, index) => {
        const key = keyOfText(`key-${number}`);
        if (isWrite) model.set(key, `${index}`);
        expected.push(isWrite ? "written" : (model.get(key) ?? null));
        return isWrite ? setOf(key, `${index}`) : getOf(key);
      });
      const answers = batch(made, "s1m1", operations).map((reply) => {
        assert.ok(reply.ok, codeOf(reply));
        if (reply.result.kind === "value") return reply.result.record.value.toString();
        return reply.result.kind === "absent" ? null : reply.result.kind;
      });
      assert.deepEqual(answers, expected);
      const parts = made.shards.map((shard) => shard.executed.length);
      assert.ok(Math.max(0, ...parts) <= 1, "each shard was asked once");
    }),
    { numRuns: 100 },
  );
});

test("an operation that fails by itself fails alone", () => {
  const made = new MemoryCluster({ shardCount: 1, memberCount: 1 });
  made.start();
  const key = keyOfText("k");
  const replies = batch(made, "s0m0", [setOf(key, "x"), { kind: "increment", key, by: 1n }, getOf(key)]);
  assert.deepEqual(
    replies.map((reply) => reply.ok && reply.result.kind),
    ["written", "failed", "value"],
  );
});

test("a shard whose fate is open makes its own part unknown, and no other", () => {
  const made = new MemoryCluster({ shardCount: 3, memberCount: 1 });
  made.start();
  made.network.setFault("s0m0", "s1m0", "answer lost");
  made.network.detach("s2m0");
  const operations = [0, 1, 2, 1, 0].map((index) => setOf(made.keyOf(index), "v"));
  const codes = batch(made, "s0m0", operations).map(codeOf);
  assert.deepEqual(codes, ["ok", "UNKNOWN_OUTCOME", "UNREACHABLE", "UNKNOWN_OUTCOME", "ok"]);
});

test("an empty batch is answered at once", () => {
  const made = new MemoryCluster({ shardCount: 1, memberCount: 1 });
  assert.deepEqual(batch(made, "s0m0", []), []);
});
