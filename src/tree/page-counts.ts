import { assert } from "../base/assert.ts";

/** What LMDB says of one database, and of the two that it keeps for itself. */
export interface PageCounts {
  readonly pageSize: number;
  readonly entryCount: number;
  readonly own: number;
  readonly root: number;
  readonly free: number;
}

/** Reads what the library says of a database; it declares no type for it. */
export function pageCounts(stats: object): PageCounts {
  return {
    pageSize: numberIn(stats, "pageSize"),
    entryCount: numberIn(stats, "entryCount"),
    own: pagesIn(stats),
    root: "root" in stats ? pagesIn(stats.root) : 0,
    free: "free" in stats ? pagesIn(stats.free) : 0,
  };
}

function pagesIn(stats: unknown): number {
  const names = ["treeBranchPageCount", "treeLeafPageCount", "overflowPages"];
  return names.reduce((sum, name) => sum + numberIn(stats, name), 0);
}

function numberIn(value: unknown, name: string): number {
  const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
  const found: unknown = entries.find(([key]) => key === name)?.[1];
  assert(typeof found === "number", `LMDB's statistics have the number ${name}`);
  return found;
}
