import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { MemoryTree, MemoryTreeFile } from "../tree/memory-tree.ts";
import { termOf } from "../../tests/support/member-facts.ts";
import { cursorMeta, readCursor, type BootstrapCursor } from "./bootstrap-cursor.ts";

const CURSOR: BootstrapCursor = {
  store: "7f-1",
  lineage: 2,
  base: 100,
  mustReach: 140,
  space: 0,
  after: "city:\xff\n ",
  epochs: [{ epoch: 3, term: termOf(3), firstSequence: 1, versionBase: 5, lineage: 2 }],
};

describe("the cursor of a copy", () => {
  test("is read as it was stored beside the rows, whatever bytes the last key has", () => {
    const key = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString("latin1"));
    fc.assert(
      fc.property(fc.uuid(), fc.maxSafeNat(), fc.integer({ min: -1, max: 3 }), key, (store, base, space, after) => {
        const cursor = { ...CURSOR, store, base, mustReach: base, space, after };
        assert.deepEqual(readCursor(treeWith(cursor), store), cursor);
      }),
      { numRuns: 200 },
    );
    assert.deepEqual(readCursor(treeWith({ ...CURSOR, epochs: [] }), "7f-1"), { ...CURSOR, epochs: [] });
  });

  test("of another copy means nothing: the store was begun anew since", () => {
    assert.equal(readCursor(treeWith(CURSOR), "7f-2"), null);
  });

  test("is not there before a copy has begun", () => {
    assert.equal(readCursor(new MemoryTree(new MemoryTreeFile()), "7f-1"), null);
  });

  test("is the one stored last", () => {
    const tree = treeWith(CURSOR);
    keep(tree, { ...CURSOR, after: "z", mustReach: 150 });
    assert.deepEqual(readCursor(tree, "7f-1"), { ...CURSOR, after: "z", mustReach: 150 });
  });
});

function treeWith(cursor: BootstrapCursor): MemoryTree {
  const tree = new MemoryTree(new MemoryTreeFile());
  keep(tree, cursor);
  return tree;
}

function keep(tree: MemoryTree, cursor: BootstrapCursor): void {
  const chunk = { space: 0, bytes: Buffer.alloc(0), lastKey: null, mayHoldThrough: 0 } as const;
  tree.importChunk(chunk, "", cursorMeta(cursor));
}
