import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { KvError } from "../model/errors.ts";
import { isDiskFull, requireRoom } from "./tree-room.ts";
import type { TreeStats } from "./tree.ts";

const PATH = join(tmpdir(), "data.mdb");
const MORE_THAN_ANY_DISK = 2 ** 60;

function statsWith(freeInside: number): () => TreeStats {
  return () => ({ userKeyCount: 0, requestIdCount: 0, liveBytes: 4096, fileBytes: 4096 + freeInside });
}

test("what the disk can hold is not looked at twice", () => {
  requireRoom(PATH, { rowCount: 10, byteCount: 1000 }, () => assert.fail("the file's pages are counted"));
});

test("what neither the disk nor the file's free pages can hold is refused before it is written", () => {
  assert.throws(
    () => requireRoom(PATH, { rowCount: 1, byteCount: MORE_THAN_ANY_DISK }, statsWith(1000)),
    (error) => error instanceof KvError && error.code === "DISK_FULL",
  );
});

test("free pages of the file count as room", () => {
  requireRoom(PATH, { rowCount: 1, byteCount: MORE_THAN_ANY_DISK }, statsWith(2 * MORE_THAN_ANY_DISK));
});

test("an error of the system about room is a full disk, another one is not", () => {
  assert.equal(isDiskFull(Object.assign(new Error("no room"), { code: 28 }), PATH), true);
  assert.equal(isDiskFull(Object.assign(new Error("no quota"), { code: 122 }), PATH), true);
  assert.equal(isDiskFull(new Error("something else"), PATH), false);
});
