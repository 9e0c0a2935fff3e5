import { join } from "node:path";
import type { Disk, DiskAccess, DiskFile } from "../base/disk.ts";
import { mutant } from "../base/mutants.ts";
import type { Sequence } from "../model/position.ts";
import { FileWindow } from "./file-window.ts";
import type { EpochMark, LogCorruption } from "./log.ts";
import { Segment } from "./segment.ts";
import {
  announcedHeaderBytes,
  batchesEnd,
  decodeSegmentHeader,
  kindOfName,
  SEGMENT_HEADER_PROBE_BYTES,
  sequenceOfName,
  trailerStart,
} from "./segment-format.ts";
import type { SegmentHeader } from "./segment-format.ts";
import { findFlushProof, walkSegment } from "./segment-walk.ts";
import type { SegmentEnd } from "./segment-walk.ts";

/** A file of the log, opened. */
export interface FoundSegment {
  readonly path: string;
  readonly file: DiskFile;
  /** From either copy; null when both are damaged or were never written. */
  readonly header: SegmentHeader | null;
  /** The copy at the file's beginning is damaged. */
  readonly isFrontDamaged: boolean;
  readonly firstSequence: Sequence;
}

/** What lies in a log's directory. */
export interface LogFiles {
  /** Of the log's present generation, and damaged ones whose name puts them among them; in order. */
  readonly chain: readonly FoundSegment[];
  /** Left over from a restart, a trim or a preparation. */
  readonly leftovers: readonly string[];
  /** Of the chain's segments; 0 when none is readable. */
  readonly generation: number;
}

/** Opens every segment of a directory. The caller closes them. Throws KvError UNKNOWN_FORMAT. */
export function findLogFiles(disk: Disk, directory: string, access: DiskAccess): LogFiles {
  const found: FoundSegment[] = [];
  const leftovers: string[] = [];
  for (const name of disk.list(directory)) {
    const kind = kindOfName(name);
    const path = join(directory, name);
    if (kind === "trimmed") leftovers.push(path);
    if (kind !== "segment" && kind !== "prepared") continue;
    const file = disk.open(path, access);
    const headers = readSegmentHeaders(file);
    const header = headers.front ?? headers.back;
    if (header === null && kind === "prepared") {
      file.close();
      leftovers.push(path);
      continue;
    }
    const firstSequence = header?.firstSequence ?? sequenceOfName(name);
    found.push({ path, file, header, isFrontDamaged: headers.front === null, firstSequence });
  }
  const generation = Math.max(0, ...found.map(({ header }) => header?.generation ?? 0));
  const isOutdated = (segment: FoundSegment): boolean => {
    if (segment.header !== null && segment.header.generation < generation) return true;
    return found.some((other) => replaces(other, segment));
  };
  for (const outdated of found.filter(isOutdated)) {
    outdated.file.close();
    leftovers.push(outdated.path);
  }
  const chain = found.filter((segment) => !isOutdated(segment)).sort((a, b) => a.firstSequence - b.firstSequence);
  return { chain, leftovers, generation };
}

/** Whether `segment` is a twin of `other` that never took an entry. */
function replaces(other: FoundSegment, segment: FoundSegment): boolean {
  if (other.header === null || other.firstSequence !== segment.firstSequence || other === segment) return false;
  if (segment.header === null) return true;
  return other.header.generation === segment.header.generation && other.header.attempt > segment.header.attempt;
}

/** Both copies of a segment's header; null for one that is damaged. Throws KvError UNKNOWN_FORMAT. */
export function readSegmentHeaders(file: DiskFile): {
  readonly front: SegmentHeader | null;
  readonly back: SegmentHeader | null;
} {
  const { sizeBytes } = file;
  const lastBytes = readBytes(file, Math.max(0, sizeBytes - 4), 4);
  const start = trailerStart(lastBytes, sizeBytes);
  return { front: readHeaderAt(file, 0), back: start === null ? null : readHeaderAt(file, start) };
}

function readHeaderAt(file: DiskFile, offset: number): SegmentHeader | null {
  const length = announcedHeaderBytes(readBytes(file, offset, SEGMENT_HEADER_PROBE_BYTES));
  if (length === null || offset + length > file.sizeBytes) return null;
  return decodeSegmentHeader(readBytes(file, offset, length));
}

function readBytes(file: DiskFile, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, file.read(bytes, offset));
}

/** One segment that was read through. */
export interface WalkedSegment {
  readonly found: FoundSegment;
  readonly segment: Segment;
  readonly end: SegmentEnd;
  readonly entryBytes: number;
}

/** What the bytes of a log say. */
export interface LogInspection {
  /** Segments up to the log's end. */
  readonly kept: readonly WalkedSegment[];
  /** What lies behind the end, in order: to be removed, last first. */
  readonly behind: readonly FoundSegment[];
  readonly leftovers: readonly string[];
  readonly generation: number;
  readonly epochs: readonly EpochMark[];
  readonly lastSequence: Sequence;
  /** Highest position that a batch header says was flushed, at most `lastSequence`. */
  readonly provenFlushed: Sequence;
  readonly commitSequence: Sequence;
  /** The record at which the log ends, if anything follows. */
  readonly problem: LogCorruption | null;
  /** The problem, when later batch headers prove that its place had been flushed. */
  readonly corruption: LogCorruption | null;
  readonly tornBytes: number;
}

/**
 * Reads a log from its first segment to its end (storage.md, Recovery): the first bad record, or the end of what is
 * written. Changes nothing.
 */
export function inspectLog(files: LogFiles): LogInspection {
  const marks = { flushed: 0, commit: 0 };
  const kept: WalkedSegment[] = [];
  let epochs: readonly EpochMark[] = [];
  let expected = files.chain[0]?.firstSequence ?? 1;
  let problem: LogCorruption | null = null;
  for (const found of files.chain) {
    problem = misplacement(found, expected, kept.at(-1));
    if (problem !== null || found.header === null) break;
    if (kept.length === 0) epochs = found.header.epochs;
    const walked = walk(found, found.header, marks);
    kept.push(walked.segment);
    epochs = [...epochs, ...walked.epochs];
    expected = walked.segment.end.lastSequence + 1;
    problem = located(found.path, walked.segment.end.problem);
    if (problem !== null && !continues(files.chain[kept.length], expected)) break;
    problem = kept.length === files.chain.length ? problem : null;
  }
  const behind = files.chain.slice(kept.length);
  const isProven = problem !== null && provesFlush(kept.at(-1), behind, expected);
  return {
    kept,
    behind,
    leftovers: files.leftovers,
    generation: files.generation,
    epochs: kept.length === 0 ? epochsBefore(behind, expected) : epochs,
    lastSequence: expected - 1,
    provenFlushed: Math.min(marks.flushed, expected - 1),
    commitSequence: marks.commit,
    problem,
    corruption: isProven && !mutant("M69") ? problem : null,
    tornBytes: problem === null ? 0 : tornBytes(kept.at(-1), behind),
  };
}

/** Garbage behind the last batch harms nothing where the next segment goes on with the next entry. */
function continues(next: FoundSegment | undefined, expected: Sequence): boolean {
  return next !== undefined && next.header !== null && next.firstSequence === expected;
}

function misplacement(
  found: FoundSegment,
  expected: Sequence,
  before: WalkedSegment | undefined,
): LogCorruption | null {
  if (found.header === null) return { file: found.path, offset: 0, detail: "a segment's header is damaged" };
  if (found.firstSequence === expected) return null;
  const detail = `entry ${expected} is missing: the next segment begins with ${found.firstSequence}`;
  return { file: before?.found.path ?? found.path, offset: before?.end.cutOffset ?? 0, detail };
}

function located(file: string, problem: SegmentEnd["problem"]): LogCorruption | null {
  return problem === null ? null : { file, ...problem };
}

function walk(
  found: FoundSegment,
  header: SegmentHeader,
  marks: { flushed: Sequence; commit: Sequence },
): { readonly segment: WalkedSegment; readonly epochs: readonly EpochMark[] } {
  const segment = new Segment(found.file, header);
  const epochs: EpochMark[] = [];
  let entryBytes = 0;
  const end = walkSegment(new FileWindow(found.file), header, {
    batch: (batch, offset, firstSequence) => {
      segment.noteBatch(firstSequence, offset);
      marks.flushed = Math.max(marks.flushed, batch.flushedSequence);
      marks.commit = Math.max(marks.commit, batch.commitSequence);
    },
    entry: (entry) => {
      entryBytes += entry.lengthBytes;
    },
    epoch: (mark) => epochs.push(mark),
  });
  segment.adopt({ lastSequence: end.lastSequence, appendOffset: end.appendOffset, entryBytes });
  return { segment: { found, segment, end, entryBytes }, epochs };
}

function provesFlush(last: WalkedSegment | undefined, behind: readonly FoundSegment[], sequence: Sequence): boolean {
  // A log's first segment is flushed before it takes its first entry: damage to its header is never a torn write.
  if (last === undefined) return behind.some(({ header }) => header !== null);
  const start = last.end.problem?.offset ?? last.end.cutOffset;
  const ownWindow = new FileWindow(last.found.file);
  if (findFlushProof(ownWindow, last.segment.header, { start, sequence }) !== null) return true;
  return behind.some(
    ({ file, header }) =>
      header !== null && findFlushProof(new FileWindow(file), header, { start: 0, sequence }) !== null,
  );
}

/** The leaderships before `sequence`, as a segment behind it knows them. */
function epochsBefore(behind: readonly FoundSegment[], sequence: Sequence): readonly EpochMark[] {
  const known = behind.find(({ header }) => header !== null)?.header?.epochs ?? [];
  return known.filter((mark) => mark.firstSequence < sequence);
}

function tornBytes(last: WalkedSegment | undefined, behind: readonly FoundSegment[]): number {
  const own =
    last === undefined ? 0 : bytesBehind(last.found.file, last.end.cutOffset, batchesEnd(last.segment.header));
  const others = behind.map(({ file, header }) => {
    return bytesBehind(file, 0, header === null ? file.sizeBytes : batchesEnd(header));
  });
  return others.reduce((sum, bytes) => sum + bytes, own);
}

/** Bytes from `start` to the last one that is not zero. */
function bytesBehind(file: DiskFile, start: number, end: number): number {
  const bytes = readBytes(file, start, Math.max(0, Math.min(end, file.sizeBytes) - start));
  let length = bytes.length;
  while (length > 0 && bytes[length - 1] === 0) length--;
  return length;
}
