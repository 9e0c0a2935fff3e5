import { join } from "node:path";
import type { Disk, DiskFile } from "../base/disk.ts";
import { isNoSpace } from "../base/no-space.ts";
import { KvError } from "../model/errors.ts";
import type { Sequence } from "../model/position.ts";
import type { EpochMark } from "./log.ts";
import type { LogInspection, WalkedSegment } from "./log-inspection.ts";
import { Segment } from "./segment.ts";
import { batchesStart, restartName, segmentName, segmentOverheadBytes } from "./segment-format.ts";

const REWRITE_CHUNK_BYTES = 1024 * 1024;

/** Where a log lives. */
export interface LogPlace {
  readonly disk: Disk;
  readonly directory: string;
}

/** The only segment of a log that starts behind some position. */
export interface FirstSegment {
  readonly generation: number;
  readonly salt: number;
  readonly firstSequence: Sequence;
  readonly epochs: readonly EpochMark[];
  readonly sizeBytes: number;
}

/**
 * Makes the first segment of a new or restarted log, flushed. The flush of its header is the moment at which it counts: its
 * generation says that everything older is void, whatever name the file has by then. Throws KvError DISK_FULL with nothing
 * changed, or the disk's error.
 */
export function makeFirstSegment({ disk, directory }: LogPlace, wanted: FirstSegment): Segment {
  const path = join(directory, restartName(wanted.firstSequence));
  const sizeBytes = Math.max(wanted.sizeBytes, 2 * segmentOverheadBytes(wanted.epochs.length));
  const file = createFile(disk, path, sizeBytes);
  const segment = new Segment(file, { ...wanted, attempt: 0, sizeBytes });
  segment.writeHeader();
  file.flushNow();
  return settleName({ disk, directory }, segment);
}

function createFile(disk: Disk, path: string, sizeBytes: number): DiskFile {
  try {
    return disk.createZeroedNow(path, sizeBytes);
  } catch (error) {
    if (!isNoSpace(error)) throw error;
    throw new KvError("DISK_FULL", `There is no space for a log: ${path}`, { cause: error });
  }
}

/**
 * Makes the disk hold exactly what an inspection found (storage.md, Recovery): cuts the torn or damaged end, writes again
 * what no batch header proves to be flushed, because after a failed flush it may lie in the page cache only, and flushes.
 * Interrupted anywhere, the next inspection finds the same or less of what was never proven. Returns the segments.
 */
export function repairLog(place: LogPlace, inspection: LogInspection): Segment[] {
  const { disk, directory } = place;
  for (const found of inspection.behind.toReversed()) {
    found.file.close();
    disk.remove(found.path);
  }
  for (const walked of inspection.kept) {
    const isLast = walked === inspection.kept.at(-1);
    if (isLast && needsCut(walked, inspection)) cutEnd(walked);
    const { firstSequence, lastSequence } = walked.segment;
    // A segment without entries counts by its first: its header was perhaps never flushed. The last one is always written
    // again: the batch header that proves the rest was perhaps not flushed itself.
    const isProven = Math.max(firstSequence, lastSequence) <= inspection.provenFlushed;
    if (!isProven || isLast) rewriteBehind(walked, inspection.provenFlushed);
    else if (walked.found.isFrontDamaged) rewriteHeader(walked.segment);
  }
  // Only now: what replaces the leftovers was perhaps in the page cache only. And before one of them loses its name.
  for (const path of inspection.leftovers) disk.remove(path);
  for (const { segment } of inspection.kept) settleName(place, segment);
  disk.flushDirectory(directory);
  return inspection.kept.map(({ segment }) => segment);
}

function needsCut({ found, segment }: WalkedSegment, inspection: LogInspection): boolean {
  return inspection.problem?.file === found.path || found.file.sizeBytes !== segment.header.sizeBytes;
}

function cutEnd({ segment, end, entryBytes }: WalkedSegment): void {
  const { cutOffset, appendOffset, lastSequence } = end;
  segment.cut({ cutOffset, appendOffset, lastSequence, entryBytes });
}

function rewriteBehind({ segment, end }: WalkedSegment, provenFlushed: Sequence): void {
  if (segment.firstSequence > provenFlushed) segment.writeHeader();
  const start =
    provenFlushed < segment.firstSequence ? batchesStart(segment.header) : segment.batchBefore(provenFlushed + 1);
  rewrite(segment.file, start, end.cutOffset);
  segment.file.flushNow();
}

function rewrite(file: DiskFile, start: number, end: number): void {
  for (let at = start; at < end; at += REWRITE_CHUNK_BYTES) {
    const bytes = Buffer.allocUnsafeSlow(Math.min(REWRITE_CHUNK_BYTES, end - at));
    file.read(bytes, at);
    file.write(bytes, at);
  }
}

function rewriteHeader(segment: Segment): void {
  segment.writeHeader();
  segment.file.flushNow();
}

/** Gives a segment the name that its first sequence demands: a roll or restart may have been interrupted before that. */
function settleName({ disk, directory }: LogPlace, segment: Segment): Segment {
  const path = join(directory, segmentName(segment.firstSequence));
  if (segment.path === path) return segment;
  disk.rename(segment.path, path);
  disk.flushDirectory(directory);
  segment.renamed(path);
  return segment;
}
