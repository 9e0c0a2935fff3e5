import { closeSync, openSync, readFileSync, readSync, truncateSync } from "node:fs";
import { KvError } from "../model/errors.ts";

const META_COUNT = 2;
const META_BYTES = 64;
const FLAGS_AT = 18;
const FLAG_META = 8;
const MAGIC_AT = 24;
const MAGIC = 0xbeefc0de;
const VERSION_AT = 28;
const VERSION = 2;
const PAGE_BYTES_AT = 48;
const PAGE_BYTES_MIN = 256;
const PAGE_BYTES_MAX = 65_536;

/**
 * Throws DATA_CORRUPT when `path` is not a file that LMDB made. Must come before it is opened: the library ends the process
 * with a segmentation fault over a file that it cannot read, where it should refuse it.
 *
 * A file whose making was cut short by a crash (nothing but zeros where its two header pages belong) is emptied, so that it
 * is made anew.
 */
export function checkLmdbHeader(path: string): void {
  if (hasSoundHeader(path)) return;
  const content = readFileSync(path);
  if (content.length > META_COUNT * PAGE_BYTES_MAX || content.some((byte) => byte !== 0)) {
    throw new KvError("DATA_CORRUPT", `${path} is not a tree: its header is damaged`);
  }
  truncateSync(path, 0);
}

function hasSoundHeader(path: string): boolean {
  const descriptor = openSync(path, "r");
  try {
    let pageBytes = 0;
    for (let i = 0; i < META_COUNT; i++) {
      const meta = Buffer.alloc(META_BYTES);
      const length = readSync(descriptor, meta, 0, META_BYTES, i * pageBytes);
      if (i === 0 && length === 0) return true;
      if (!isMeta(meta, length)) return false;
      pageBytes = meta.readUInt32LE(PAGE_BYTES_AT);
    }
    return true;
  } finally {
    closeSync(descriptor);
  }
}

function isMeta(meta: Buffer, length: number): boolean {
  const pageBytes = meta.readUInt32LE(PAGE_BYTES_AT);
  return (
    length === META_BYTES &&
    (meta.readUInt16LE(FLAGS_AT) & FLAG_META) !== 0 &&
    meta.readUInt32LE(MAGIC_AT) === MAGIC &&
    meta.readUInt16LE(VERSION_AT) === VERSION &&
    pageBytes >= PAGE_BYTES_MIN &&
    pageBytes <= PAGE_BYTES_MAX
  );
}

/** Whether the system bounds the address space of this process, so that a large one cannot be set aside. */
export function isAddressSpaceBounded(): boolean {
  try {
    return !/^Max address space\s+unlimited/m.test(readFileSync("/proc/self/limits", "utf8"));
  } catch {
    // Not on Linux: nothing says so.
    return false;
  }
}
