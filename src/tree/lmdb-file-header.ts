import { closeSync, fstatSync, openSync, readFileSync, readSync, truncateSync } from "node:fs";
import { KvError } from "../model/errors.ts";

const META_COUNT = 2;
const META_BYTES = 160;
const FLAGS_AT = 18;
const FLAG_META = 8;
const MAGIC_AT = 24;
const MAGIC = 0xbeefc0de;
const VERSION_AT = 28;
const VERSION = 2;
const PAGE_BYTES_AT = 48;
const LAST_PAGE_AT = 144;
const TRANSACTION_AT = 152;
/** Pages at the very end that were taken and given back in one transaction need never have been written. */
const UNWRITTEN_PAGES_MAX = 16;
const PAGE_BYTES_MIN = 256;
const PAGE_BYTES_MAX = 65_536;

/**
 * Throws DATA_CORRUPT when `path` is not a file that LMDB made, or is shorter than its newest header says. Must come before it
 * is opened: the library ends the process with a fault over a file that it cannot read, or whose pages are not there, where it
 * should refuse it.
 *
 * A file whose making was cut short by a crash (nothing, or nothing but zeros where its two header pages belong) is made
 * anew; with `readOnly` that is DATA_CORRUPT as well, and nothing is changed.
 */
export function checkLmdbHeader(path: string, readOnly: boolean): void {
  const header = readHeader(path);
  if (header !== null) return checkLength(path, header, readOnly);
  const content = readFileSync(path);
  const isUnmade = content.length <= META_COUNT * PAGE_BYTES_MAX && content.every((byte) => byte === 0);
  if (!isUnmade) throw new KvError("DATA_CORRUPT", `${path} is not a tree: its header is damaged`);
  if (readOnly) throw new KvError("DATA_CORRUPT", `${path} is empty`);
  truncateSync(path, 0);
}

/** What the newest header says beside what there is. */
interface Header {
  readonly bytes: number;
  readonly bytesSaid: number;
  readonly pageBytes: number;
}

function checkLength(path: string, { bytes, bytesSaid, pageBytes }: Header, readOnly: boolean): void {
  if (bytes >= bytesSaid) return;
  if (bytesSaid - bytes > UNWRITTEN_PAGES_MAX * pageBytes) {
    throw new KvError("DATA_CORRUPT", `${path} is cut off: it has ${bytes} bytes of ${bytesSaid}`);
  }
  if (!readOnly) truncateSync(path, bytesSaid);
}

/** Null when the file is empty or a header is damaged. */
function readHeader(path: string): Header | null {
  const descriptor = openSync(path, "r");
  try {
    let pageBytes = 0;
    let newest = -1n;
    let lastPage = 0n;
    for (let i = 0; i < META_COUNT; i++) {
      const meta = Buffer.alloc(META_BYTES);
      const length = readSync(descriptor, meta, 0, META_BYTES, i * pageBytes);
      if (!isMeta(meta, length)) return null;
      pageBytes = meta.readUInt32LE(PAGE_BYTES_AT);
      const transaction = meta.readBigUInt64LE(TRANSACTION_AT);
      if (transaction <= newest) continue;
      newest = transaction;
      lastPage = meta.readBigUInt64LE(LAST_PAGE_AT);
    }
    return { bytes: fstatSync(descriptor).size, bytesSaid: (Number(lastPage) + 1) * pageBytes, pageBytes };
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
