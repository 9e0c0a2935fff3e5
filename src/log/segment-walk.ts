import { mutant } from "../base/mutants.ts";
import { decodeEntry, ENTRY_HEADER_BYTES, EntryFormatError, readEntryHeader } from "../model/entry.ts";
import type { EntryHeader } from "../model/entry.ts";
import type { Epoch, Sequence } from "../model/position.ts";
import type { FileWindow } from "./file-window.ts";
import type { EpochMark } from "./log.ts";
import { BATCH_HEADER_BYTES, batchesEnd, batchesStart, readBatchHeader } from "./segment-format.ts";
import type { BatchHeader, SegmentHeader } from "./segment-format.ts";

/** Who is told what a walk through a segment meets. */
export interface SegmentVisitor {
  batch(batch: BatchHeader, offset: number, firstSequence: Sequence): void;
  entry(header: EntryHeader, offset: number): void;
  /** The entry begins a leadership. */
  epoch(mark: EpochMark): void;
}

/** Where the whole entries of a segment end. */
export interface SegmentEnd {
  readonly lastSequence: Sequence;
  readonly lastEpoch: Epoch;
  /** Behind the last whole entry, or before the batch header that has none. */
  readonly cutOffset: number;
  /** Where the next batch may stand: behind the last batch, what it lost included. */
  readonly appendOffset: number;
  /** The first record that is not whole; null when the rest of the segment is zero. */
  readonly problem: { readonly offset: number; readonly detail: string } | null;
}

interface WalkState {
  readonly window: FileWindow;
  readonly visitor: SegmentVisitor;
  sequence: Sequence;
  epoch: Epoch;
}

/**
 * Walks a segment from its first batch, every checksum verified, sequences contiguous from the header's first, epochs
 * never falling and each begun by its `epochStart`. Ends at the first record that is not so.
 *
 * An entry length of zero inside a batch says that the rest of the batch was cut off: that must be zero to the batch's end,
 * where the next batch follows. So a cut never rewrites a batch header that stands before entries to be kept.
 */
export function walkSegment(window: FileWindow, header: SegmentHeader, visitor: SegmentVisitor): SegmentEnd {
  const state: WalkState = {
    window,
    visitor,
    sequence: header.firstSequence - 1,
    epoch: header.epochs.at(-1)?.epoch ?? 0,
  };
  const end = batchesEnd(header);
  let at = batchesStart(header);
  const endAt = (offset: number, rest: Pick<SegmentEnd, "problem"> & { readonly append?: number }): SegmentEnd => ({
    lastSequence: state.sequence,
    lastEpoch: state.epoch,
    cutOffset: offset,
    appendOffset: rest.append ?? offset,
    problem: rest.problem,
  });
  while (at + BATCH_HEADER_BYTES <= end) {
    const raw = window.view(at, BATCH_HEADER_BYTES);
    const batch = readBatchHeader(raw, 0, header.salt);
    if (batch === null) {
      if (window.isZero(at, end)) return endAt(at, { problem: null });
      return endAt(at, { problem: { offset: at, detail: "a batch header is damaged" } });
    }
    const batchEnd = at + BATCH_HEADER_BYTES + batch.lengthBytes;
    if (batchEnd > end) return endAt(at, { problem: { offset: at, detail: "a batch is longer than its segment" } });
    const kept = walkBatch(state, { batch, offset: at, end: batchEnd });
    if (kept.problem !== null) {
      const isBare = kept.cutOffset === at + BATCH_HEADER_BYTES;
      return endAt(isBare ? at : kept.cutOffset, { problem: kept.problem, append: isBare ? at : batchEnd });
    }
    at = batchEnd;
  }
  if (window.isZero(at, end)) return endAt(at, { problem: null });
  return endAt(at, { problem: { offset: at, detail: "bytes follow the last batch" } });
}

function walkBatch(
  state: WalkState,
  place: { readonly batch: BatchHeader; readonly offset: number; readonly end: number },
): Pick<SegmentEnd, "cutOffset" | "problem"> {
  state.visitor.batch(place.batch, place.offset, state.sequence + 1);
  let at = place.offset + BATCH_HEADER_BYTES;
  while (at < place.end) {
    const problem = takeEntry(state, at, place.end);
    if (problem === "void") break;
    if (typeof problem === "string") return { cutOffset: at, problem: { offset: at, detail: problem } };
    at += problem.lengthBytes;
  }
  return { cutOffset: at, problem: null };
}

/** The entry at `offset` if it is whole and follows; "void" where a cut begins; else a sentence that says what is wrong. */
function takeEntry(state: WalkState, offset: number, end: number): EntryHeader | string {
  const { window, visitor } = state;
  const left = end - offset;
  const lengthBytes = left < 4 ? 0 : window.view(offset, 4).readUInt32LE(0);
  if (lengthBytes === 0) return window.isZero(offset, end) ? "void" : "an entry has no length";
  if (lengthBytes < ENTRY_HEADER_BYTES || lengthBytes > left) return `an entry cannot have ${lengthBytes} bytes here`;
  const bytes = window.view(offset, lengthBytes);
  try {
    const header = readEntryHeader(bytes, 0, mutant("M68"));
    if (header.sequence !== state.sequence + 1) return `entry ${header.sequence} does not follow ${state.sequence}`;
    if (header.epoch < state.epoch) return `epoch ${header.epoch} is behind epoch ${state.epoch}`;
    if (header.epoch > state.epoch) {
      const mark = epochMarkOf(bytes);
      if (mark === null) return `epoch ${header.epoch} does not begin with its start`;
      visitor.epoch(mark);
    }
    state.sequence = header.sequence;
    state.epoch = header.epoch;
    visitor.entry(header, offset);
    return header;
  } catch (error) {
    if (error instanceof EntryFormatError) return error.message;
    throw error;
  }
}

/** What the epochs table keeps of the `epochStart` entry in `bytes`; null when it is another kind. Throws EntryFormatError. */
export function epochMarkOf(bytes: Buffer): EpochMark | null {
  const { epoch, sequence, body } = decodeEntry(bytes);
  if (body.kind !== "epochStart") return null;
  const { term, versionBase, lineage } = body.start;
  return { epoch, term, firstSequence: sequence, versionBase, lineage };
}

/**
 * The offset of a valid batch header at or behind `start` which says that `sequence` had been flushed; null when there is
 * none. Looks at every byte, because the lengths that lead from batch to batch are what may be damaged.
 */
export function findFlushProof(
  window: FileWindow,
  header: SegmentHeader,
  wanted: { readonly start: number; readonly sequence: Sequence },
): number | null {
  const end = batchesEnd(header);
  for (let at = Math.max(wanted.start, batchesStart(header)); at + BATCH_HEADER_BYTES <= end; at += STEP_BYTES) {
    const length = Math.min(STEP_BYTES + BATCH_HEADER_BYTES - 1, end - at);
    const bytes = window.view(at, length);
    for (let i = 0; i + BATCH_HEADER_BYTES <= length; i++) {
      // Cheap tests first: the high words of both positions fit 21 bits, and the checksum is not zero by chance of padding.
      if ((bytes[i + 15] ?? 1) !== 0 || (bytes[i + 23] ?? 1) !== 0 || bytes.readUInt32LE(i + 4) === 0) continue;
      const batch = readBatchHeader(bytes, i, header.salt);
      if (batch !== null && batch.flushedSequence >= wanted.sequence) return at + i;
    }
  }
  return null;
}

const STEP_BYTES = 64 * 1024;
