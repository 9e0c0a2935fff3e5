import { join } from "node:path";
import { assert } from "../base/assert.ts";
import { mutant } from "../base/mutants.ts";
import { KvError } from "../model/errors.ts";
import type { EpochRef, Sequence } from "../model/position.ts";
import type { EntryBatch } from "./entry-batch.ts";
import { EpochTable } from "./epoch-table.ts";
import { FlushQueue } from "./flush-queue.ts";
import type { BatchMarks, EpochMark, Log, LogRecovery, Room } from "./log.ts";
import { findLogFiles, inspectLog } from "./log-inspection.ts";
import type { LogInspection } from "./log-inspection.ts";
import { makeFirstSegment, repairLog } from "./log-repair.ts";
import type { LogPlace } from "./log-repair.ts";
import { LOG_SIZES } from "./log-parts.ts";
import type { LogParts, LogSizes } from "./log-parts.ts";
import { RecentTail } from "./recent-tail.ts";
import { Segment } from "./segment.ts";
import type { EntryBytes } from "./segment.ts";
import { BATCH_HEADER_BYTES, segmentName, segmentOverheadBytes, writeBatchHeader } from "./segment-format.ts";
import { SegmentPreparer } from "./segment-preparer.ts";
import type { SegmentWish } from "./segment-preparer.ts";
import { SegmentTrimmer } from "./segment-trimmer.ts";

/** The next segment is asked for when the present one is this full: well before half, as zeroing takes a while. */
const PREPARE_AT_FILL = 0.25;
/** Leaderships that may begin between asking for a segment and using it: its header must have room for them. */
const EPOCHS_TO_COME = 8;
const READ_ALL_STEP_BYTES = 1024 * 1024;
/** Nobody needs to know of more. */
const ROOM_BYTES_TOLD_MAX = 2 ** 30;

/**
 * The log as segment files of one directory (storage.md, The log).
 *
 * Owns the segments, the epochs table and the three positions start ≤ durable ≤ last. Everything up to `durableSequence` has
 * been covered by a flush that returned without error. After a failed write or flush inside a segment nothing is written or
 * reported any more; reading still works.
 */
export class SegmentedLog implements Log {
  readonly #parts: LogParts;
  readonly #place: LogPlace;
  readonly #sizes: LogSizes;
  readonly #preparer: SegmentPreparer;
  readonly #flushes: FlushQueue;
  readonly #tail: RecentTail;
  readonly #trimmer: SegmentTrimmer;
  #epochs: EpochTable;
  #segments: Segment[];
  #roomWaiters: Array<() => void> = [];
  #lastCommit: Sequence;
  #markedFlushed: Sequence;
  #hasFailed = false;
  #isClosed = false;

  /** Opens or makes the log of a directory. Blocking. Throws KvError DATA_CORRUPT, UNKNOWN_FORMAT, or the disk's error. */
  static open(parts: LogParts): { readonly log: SegmentedLog; readonly recovery: LogRecovery } {
    parts.disk.makeDirectory(parts.directory);
    const files = findLogFiles(parts.disk, parts.directory, "readWrite");
    const inspection = inspectLog(files);
    const hasHeader = files.chain.some(({ header }) => header !== null);
    if (!hasHeader && parts.whenMissing === "refuse") {
      const state = files.chain.length === 0 ? "is missing" : "has no readable segment";
      throw new KvError("DATA_CORRUPT", `The log in ${parts.directory} ${state}, but this store had one`);
    }
    const { problem, commitSequence, corruption, tornBytes } = inspection;
    const isCut = corruption !== null || tornBytes > 0;
    if (problem !== null && isCut) parts.onCutEnd({ ...problem, isProven: corruption !== null });
    const segments = repairLog(parts, inspection);
    const log = new SegmentedLog(parts, segments, inspection);
    return { log, recovery: { commitSequence, corruption, tornBytes } };
  }

  private constructor(parts: LogParts, segments: Segment[], inspection: LogInspection) {
    this.#parts = parts;
    this.#place = { disk: parts.disk, directory: parts.directory };
    this.#sizes = parts.sizes ?? LOG_SIZES;
    this.#tail = new RecentTail(this.#sizes.tailBytesMax);
    this.#segments = segments;
    this.#epochs = new EpochTable(inspection.epochs);
    if (segments.length === 0) this.#segments = [this.#makeFirst(inspection.lastSequence, inspection.generation + 1)];
    this.#lastCommit = inspection.commitSequence;
    this.#markedFlushed = inspection.provenFlushed;
    this.#flushes = new FlushQueue(this.lastSequence, (error) => this.#fail(error));
    this.#preparer = new SegmentPreparer(this.#place, {
      firstSerial: this.#newSalt(),
      timers: parts.timers,
      logger: parts.logger,
      onChange: () => this.#roomChanged(),
    });
    this.#trimmer = new SegmentTrimmer(this.#place, {
      logger: parts.logger,
      onRemoved: () => this.#preparer.retryNow(),
    });
  }

  get startSequence(): Sequence {
    return this.#first.firstSequence;
  }

  get lastSequence(): Sequence {
    return this.#active.lastSequence;
  }

  get durableSequence(): Sequence {
    return this.#flushes.durableSequence;
  }

  get lastEpoch(): EpochRef {
    return this.#epochs.last;
  }

  get sizeBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.entryBytes, 0);
  }

  get epochs(): readonly EpochMark[] {
    return this.#epochs.marks;
  }

  get fullSegments(): readonly { readonly lastSequence: Sequence; readonly sizeBytes: number }[] {
    return this.#segments.slice(0, -1).map(({ lastSequence, entryBytes }) => ({ lastSequence, sizeBytes: entryBytes }));
  }

  epochOf(sequence: Sequence): EpochMark | null {
    return sequence > this.lastSequence ? null : this.#epochs.at(sequence);
  }

  roomFor(entryBytes: number): Room {
    if (this.#hasFailed) return "full";
    if (mutant("M66") || entryBytes <= this.#active.roomBytes) return "yes";
    return this.#preparer.request(this.#wishFor(entryBytes));
  }

  get roomAheadBytes(): number {
    const { bytesMin } = this.#wishFor(0);
    const { affordableBytes } = this.#preparer;
    if (this.#hasFailed || affordableBytes < bytesMin) return 0;
    return Math.min(affordableBytes - this.#overheadBytes, ROOM_BYTES_TOLD_MAX);
  }

  whenRoomChanges(run: () => void): void {
    this.#roomWaiters.push(run);
  }

  writeBatch(batch: EntryBatch, marks: BatchMarks): void {
    assert(!this.#hasFailed && !this.#isClosed, "nothing is written to a log that failed or is closed");
    assert(batch.firstSequence === this.lastSequence + 1, "a batch goes on where the log ends");
    assert(marks.flushedSequence <= this.durableSequence, "a batch header claims no flush that did not happen");
    const { firstSequence, lastSequence, entryBytes, bytes } = batch;
    const epochs = this.#epochs.beginnings(batch);
    try {
      if (entryBytes > this.#active.roomBytes) this.#roll();
      writeBatchHeader(bytes, { lengthBytes: entryBytes, ...marks }, this.#active.header.salt);
      this.#active.append(bytes, lastSequence);
    } catch (error) {
      throw this.#fail(error);
    }
    this.#flushes.wrote(this.#active.file, lastSequence);
    this.#epochs.add(epochs);
    this.#tail.add({ first: firstSequence, last: lastSequence, bytes: bytes.subarray(BATCH_HEADER_BYTES) });
    this.#lastCommit = Math.max(this.#lastCommit, marks.commitSequence);
    this.#markedFlushed = marks.flushedSequence;
    if (this.#active.fill >= PREPARE_AT_FILL && this.#preparer.ready === null) this.#preparer.request(this.#wishFor(0));
  }

  flush(done: (durableSequence: Sequence) => void): void {
    if (!this.#hasFailed) this.#flushes.flush(this.#active.file, done);
  }

  read(from: Sequence, bytesMax: number): EntryBytes {
    if (from > this.lastSequence) return { bytes: Buffer.alloc(0), last: from - 1 };
    assert(from >= this.startSequence, `entry ${from} is still in the log`);
    return this.#tail.read(from, bytesMax) ?? this.#segmentOf(from).read(from, bytesMax);
  }

  truncateAfter(sequence: Sequence, keep?: (cut: Buffer) => void): Buffer {
    assert(!this.#flushes.isRunning, "no flush runs while the log is cut");
    assert(sequence >= this.startSequence - 1 && sequence <= this.lastSequence, "a cut is inside the log");
    if (sequence === this.lastSequence) return Buffer.alloc(0);
    const cut = this.#readAll(sequence + 1);
    keep?.(cut);
    try {
      this.#cutAfter(sequence, cut.length);
    } catch (error) {
      throw this.#fail(error);
    }
    return cut;
  }

  trimThrough(sequence: Sequence): void {
    // What follows a removed segment must be flushed: the log's first header is never one that a power cut can tear.
    const through = Math.min(sequence, this.durableSequence - 1);
    const kept = this.#segments.findIndex((segment, index) => {
      return index === this.#segments.length - 1 || segment.lastSequence > through;
    });
    if (kept <= 0) return;
    const trimmed = this.#segments.slice(0, kept);
    this.#segments = this.#segments.slice(kept);
    for (const { file } of trimmed) this.#flushes.forget(file);
    this.#trimmer.add(trimmed);
  }

  restart(base: { readonly sequence: Sequence; readonly epochs: readonly EpochMark[] }): void {
    assert(!this.#flushes.isRunning, "no flush runs while the log is restarted");
    const { generation } = this.#active.header;
    const epochs = this.#epochs;
    this.#flushNow();
    this.#epochs = new EpochTable(base.epochs);
    try {
      const first = this.#makeFirst(base.sequence, generation + 1);
      this.#replaceSegments(first);
    } catch (error) {
      if (!(error instanceof KvError && error.code === "DISK_FULL")) throw this.#fail(error);
      this.#epochs = epochs;
      throw error;
    }
    this.#tail.clear();
    this.#flushes.reset(base.sequence);
    this.#lastCommit = base.sequence;
    this.#markedFlushed = base.sequence;
  }

  /** Says in the files that everything is flushed, so that the next start need not write any of it again; then lets go of them. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#preparer.stop();
    if (!this.#hasFailed && !this.#flushes.isRunning) this.#writeLastMark();
    for (const segment of [...this.#trimmer.takeWaiting(), ...this.#segments]) segment.close();
  }

  #makeFirst(base: Sequence, generation: number): Segment {
    const freeBytes = this.#parts.disk.freeBytes(this.#parts.directory);
    const sizeBytes = Math.min(this.#sizes.segmentBytesFirst, Math.floor(freeBytes / 8));
    const { marks } = this.#epochs;
    const wanted = { generation, salt: this.#newSalt(), firstSequence: base + 1, epochs: marks, sizeBytes };
    return makeFirstSegment(this.#place, wanted);
  }

  /** Before a restart: a power cut could tear the header of an old segment, and with it what says that it is old. */
  #flushNow(): void {
    try {
      this.#flushes.flushNow(this.#segments.map(({ file }) => file));
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** The new segment's header is flushed: from here on the others are void, in whatever order they go. */
  #replaceSegments(first: Segment): void {
    const outdated = [...this.#trimmer.takeWaiting(), ...this.#segments];
    this.#segments = [first];
    for (const segment of outdated.toReversed()) {
      segment.close();
      if (segment.path !== first.path) this.#parts.disk.remove(segment.path);
    }
  }

  /** Goes on in the prepared file. Its name counts only once its header is there: readers in other threads look for it. */
  #roll(): void {
    const prepared = this.#preparer.take();
    assert(prepared !== null, "roomFor said yes before a batch was handed in");
    const { header, lastSequence, firstSequence } = this.#active;
    const isReplacing = lastSequence < firstSequence;
    const segment = new Segment(prepared.file, {
      generation: header.generation,
      attempt: isReplacing ? header.attempt + 1 : 0,
      salt: this.#newSalt(),
      firstSequence: lastSequence + 1,
      sizeBytes: prepared.sizeBytes,
      epochs: this.#epochs.marks,
    });
    segment.writeHeader();
    if (isReplacing) segment.file.flushNow();
    const path = join(this.#parts.directory, segmentName(segment.firstSequence));
    this.#parts.disk.rename(prepared.path, path);
    segment.renamed(path);
    if (isReplacing) this.#letGo(this.#segments.pop());
    this.#segments.push(segment);
  }

  #letGo(segment: Segment | undefined): void {
    if (segment === undefined) return;
    this.#flushes.forget(segment.file);
    segment.close();
  }

  #wishFor(entryBytes: number): SegmentWish {
    const { segmentBytesFirst, segmentBytesMax } = this.#sizes;
    const bytesMin = Math.max(entryBytes, segmentBytesFirst / 16) + this.#overheadBytes;
    return { bytesMin, bytesWanted: Math.min(this.#active.header.sizeBytes * 2, segmentBytesMax) };
  }

  get #overheadBytes(): number {
    return segmentOverheadBytes(this.#epochs.marks.length + EPOCHS_TO_COME) + BATCH_HEADER_BYTES;
  }

  #newSalt(): number {
    return Number.parseInt(this.#parts.random.hex64().slice(0, 8), 16);
  }

  #readAll(from: Sequence): Buffer {
    const pieces: Buffer[] = [];
    for (let next = from; next <= this.lastSequence;) {
      const { bytes, last } = this.read(next, READ_ALL_STEP_BYTES);
      pieces.push(bytes);
      next = last + 1;
    }
    return Buffer.concat(pieces);
  }

  #cutAfter(sequence: Sequence, cutBytes: number): void {
    let bytesLeft = cutBytes;
    while (this.#segments.length > 1 && this.#active.firstSequence > sequence) {
      const removed = this.#active;
      bytesLeft -= removed.entryBytes;
      this.#segments.pop();
      removed.close();
      this.#parts.disk.remove(removed.path);
    }
    this.#flushes.flushNow(this.#segments.map(({ file }) => file));
    const active = this.#active;
    if (active.lastSequence > sequence) {
      const entryBytes = active.entryBytes - bytesLeft;
      active.cut({ ...active.placeAfter(sequence), lastSequence: sequence, entryBytes });
    }
    this.#epochs.cutAfter(sequence);
    this.#tail.clear();
    this.#flushes.reset(sequence);
  }

  #writeLastMark(): void {
    const active = this.#active;
    const flushedSequence = this.durableSequence;
    const isNeeded = flushedSequence === this.lastSequence && flushedSequence !== this.#markedFlushed;
    if (!isNeeded || active.roomBytes < 0) return;
    const mark = Buffer.alloc(BATCH_HEADER_BYTES);
    writeBatchHeader(mark, { lengthBytes: 0, flushedSequence, commitSequence: this.#lastCommit }, active.header.salt);
    try {
      active.append(mark, flushedSequence);
      active.file.flushNow();
    } catch (error) {
      // Nothing depends on the mark: without it the next start writes the newest batches again.
      const reason = error instanceof Error ? error.message : String(error);
      this.#parts.logger.warn("The log's last mark could not be written", { path: active.path, reason });
    }
  }

  #roomChanged(): void {
    const waiters = this.#roomWaiters;
    this.#roomWaiters = [];
    for (const run of waiters) run();
  }

  #fail(error: unknown): Error {
    const failure = error instanceof Error ? error : new Error(String(error));
    if (this.#hasFailed) return failure;
    this.#hasFailed = true;
    this.#parts.onFatal(failure);
    return failure;
  }

  #segmentOf(sequence: Sequence): Segment {
    const segment = this.#segments.findLast(({ firstSequence }) => firstSequence <= sequence);
    assert(segment !== undefined, "the segments cover the log");
    return segment;
  }

  get #first(): Segment {
    const first = this.#segments[0];
    assert(first !== undefined, "a log has a segment");
    return first;
  }

  get #active(): Segment {
    const active = this.#segments.at(-1);
    assert(active !== undefined, "a log has a segment");
    return active;
  }
}
