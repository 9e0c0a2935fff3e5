import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { KvError } from "../model/errors.ts";
import type { TreeStats } from "./tree.ts";

/** With less room than this on the file system, an I/O error of a write means that the disk is full. */
const FULL_DISK_BYTES = 16 * 1024 * 1024;
const ENOSPC = 28;
const EIO = 5;
const EDQUOT = 122;
/** What rows take in pages, beside their bytes: values fill whole pages, small ones leave gaps. */
const PAGE_BYTES = 4096;
const PAGE_SLACK = 1.1;
/** Each row may touch a page of its own; more of them are not held against a transaction that would still fit. */
const SCATTERED_ROWS_MAX = 64;
/** Branches, the free list, the other databases. */
const PAGES_BESIDES = 64;

/** What one transaction writes. */
export interface TreeDemand {
  readonly rowCount: number;
  /** Of keys and values. */
  readonly byteCount: number;
}

/**
 * Throws KvError DISK_FULL for what neither the disk nor the free pages of the tree's file at `path` can hold. The library would say so,
 * too, but only after it has written a part of large values, and that has ended a process (an invalid pointer in native code).
 */
export function requireRoom(path: string, { rowCount, byteCount }: TreeDemand, stats: () => TreeStats): void {
  const pages = Math.min(rowCount, SCATTERED_ROWS_MAX) + PAGES_BESIDES;
  const needed = byteCount * PAGE_SLACK + pages * PAGE_BYTES;
  const free = freeBytes(path);
  if (free >= needed) return;
  const { fileBytes, liveBytes } = stats();
  if (free + Math.max(0, fileBytes - liveBytes) < needed) throw diskFull();
}

/** Whether a write failed for want of room: one that was cut short by a full disk is reported as an I/O error. */
export function isDiskFull(error: unknown, path: string): boolean {
  const code = error instanceof Error && "code" in error ? error.code : null;
  if (code === ENOSPC || code === EDQUOT) return true;
  return code === EIO && freeBytes(path) < FULL_DISK_BYTES;
}

export function diskFull(cause?: unknown): KvError {
  return new KvError("DISK_FULL", "The tree has no room to grow", cause === undefined ? {} : { cause });
}

function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(dirname(path));
  return bavail * bsize;
}
