import { assert } from "../base/assert.ts";
import { LIMITS } from "../model/limits.ts";
import type { TreeChange } from "./tree.ts";

/** Longest key of any space: a user's key, with room for what other spaces put before theirs. */
const ROW_KEY_BYTES_MAX = LIMITS.keyBytesMax + 512;

/** Order of (space, key), by bytes. */
export function compareRows(
  a: { readonly space: number; readonly key: string },
  b: { readonly space: number; readonly key: string },
): number {
  if (a.space !== b.space) return a.space - b.space;
  if (a.key === b.key) return 0;
  return a.key < b.key ? -1 : 1;
}

/** Dies unless `changes` are in byte order of (space, key), each row once, with keys that the tree can hold. */
export function assertChangesInOrder(changes: readonly TreeChange[]): void {
  let previous: TreeChange | null = null;
  for (const change of changes) {
    assert(change.key.length > 0 && change.key.length <= ROW_KEY_BYTES_MAX, "a row's key has 1 to 1,536 bytes");
    assert(previous === null || compareRows(previous, change) < 0, "changes come in byte order, each row once");
    previous = change;
  }
}
