import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Disk } from "../base/disk.ts";
import { decodeEntry, EntryFormatError } from "../model/entry.ts";
import type { Entry } from "../model/entry.ts";

const NAME = /^discarded-\d+-[\dTZ]+\.log$/;
const HEADER = /^discarded entries=(\d+) bytes=(\d+)\n/;
/** Longer than any header line. */
const HEADER_BYTES_MAX = 80;

/** One file of entries that were cut from a log. */
export interface DiscardedFile {
  readonly path: string;
  readonly entries: readonly Entry[];
  /** What is wrong with the rest of the file, as a sentence; null when all of it was read. */
  readonly damage: string | null;
}

/**
 * Keeps what is cut from a log, for the operator: listable, and replayable by hand (§2.11).
 *
 * Owns the files `discarded-<epoch>-<time>.log` of a data directory: each a sequence of blocks, a line
 * `discarded entries=<count> bytes=<count>` and then that many raw entries. Flushed before a cut begins; errors pass through, and
 * then nothing may be cut.
 */
export class DiscardedEntries {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #clock: Clock;

  constructor(disk: Disk, directory: string, clock: Clock) {
    this.#disk = disk;
    this.#directory = directory;
    this.#clock = clock;
  }

  /** Keeps whole entries, joined; flushed when it returns. The file is named for the epoch of the first. */
  keep(entries: Buffer): void {
    if (entries.length === 0) return;
    const { epoch } = decodeEntry(entries);
    const time = new Date(this.#clock.wallMs()).toISOString().replaceAll(/[-:]|\.\d+/g, "");
    const header = Buffer.from(`discarded entries=${countEntries(entries)} bytes=${entries.length}\n`);
    this.#disk.appendFile(join(this.#directory, `discarded-${epoch}-${time}.log`), Buffer.concat([header, entries]));
  }

  /** The newest file, null when nothing was ever discarded. */
  get file(): string | null {
    return discardedFiles(this.#disk, this.#directory).at(-1) ?? null;
  }
}

/** Paths of the files with discarded entries in a data directory, oldest first. */
export function discardedFiles(disk: Disk, directory: string): string[] {
  const timeOf = (name: string): string => name.slice(name.lastIndexOf("-"));
  const names = disk.list(directory).filter((name) => NAME.test(name));
  return names.sort((a, b) => timeOf(a).localeCompare(timeOf(b))).map((name) => join(directory, name));
}

/** Decodes one file of discarded entries, as far as it is whole. */
export function readDiscarded(disk: Disk, path: string): DiscardedFile {
  const bytes = disk.readFile(path) ?? Buffer.alloc(0);
  const entries: Entry[] = [];
  let at = 0;
  try {
    while (at < bytes.length) at = readBlock(bytes, at, entries);
  } catch (error) {
    if (!(error instanceof EntryFormatError)) throw error;
    return { path, entries, damage: `behind entry ${entries.at(-1)?.sequence ?? 0}: ${error.message}` };
  }
  return { path, entries, damage: null };
}

function readBlock(bytes: Buffer, start: number, entries: Entry[]): number {
  const line = HEADER.exec(bytes.toString("latin1", start, start + HEADER_BYTES_MAX));
  if (line === null) throw new EntryFormatError(`no block begins at byte ${start}`);
  let at = start + line[0].length;
  const end = at + Number(line[2]);
  while (at < end) {
    const { lengthBytes, ...entry } = decodeEntry(bytes, at);
    entries.push(entry);
    at += lengthBytes;
  }
  return at;
}

function countEntries(entries: Buffer): number {
  let count = 0;
  for (let at = 0; at < entries.length; at += Math.max(1, entries.readUInt32LE(at))) count++;
  return count;
}
