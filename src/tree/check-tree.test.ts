import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { SPACE } from "../model/entry.ts";
import { checkTree } from "./check-tree.ts";
import { LmdbTree } from "./lmdb-tree.ts";
import type { TreeChange } from "./tree.ts";

describe("checking a tree", () => {
  let directory = "";
  let path = "";

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "kv-check-"));
    path = join(directory, "tree");
    const tree = new LmdbTree({ path });
    const changes = [
      set("a", "Ahmedabad", 5),
      set("b", "Bengaluru"),
      set("c", "Chennai", 9),
      { ...set("i", "id"), space: SPACE.requestIds },
    ];
    tree.apply({ changes, clearUserRows: false, position: { appliedSequence: 7, applyingThrough: 8 } });
    tree.close();
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test("counts the rows of a sound one, and changes nothing", () => {
    const before = readFileSync(path);
    const progress: number[] = [];
    const check = checkTree(path, (count) => progress.push(count));
    assert.deepEqual(check.faults, []);
    assert.deepEqual(check.rowCounts, { user: 3, requestIds: 1, shardState: 0 });
    assert.deepEqual(check.position, { appliedSequence: 7, applyingThrough: 8 });
    assert.equal(progress.at(-1), 4);
    assert.ok(readFileSync(path).equals(before));
  });

  test("names every damaged record, and expiries that do not fit their rows", () => {
    damage("Bengaluru", "BengaluruX".slice(1));
    const expiryOfC = Buffer.from([9, 0, 0, 0, 0, 0, 0, 0]).toString("latin1");
    damage(expiryOfC + "Chennai", "\x08" + expiryOfC.slice(1) + "Chennai");
    const { faults } = checkTree(path);
    assert.deepEqual(faults, [
      "The record of key b in space 0 is damaged",
      "The record of key c in space 0 is damaged",
      "A row that expires at 8 is not in the expiry index",
      "The expiry index names a row that does not expire at 9",
    ]);
  });

  function damage(from: string, to: string): void {
    const content = readFileSync(path);
    let found = 0;
    for (let at = content.indexOf(from, 0, "latin1"); at !== -1; at = content.indexOf(from, at + 1, "latin1")) {
      content.write(to, at, "latin1");
      found++;
    }
    assert.ok(found > 0, "the file has what is to be damaged");
    writeFileSync(path, content);
  }
});

function set(key: string, value: string, expiryMs = 0): TreeChange {
  return { space: SPACE.user, key, record: { value: Buffer.from(value), version: 1, expiryMs, contentType: "" } };
}
