import { EntryBatch } from "../../src/log/entry-batch.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { SeededRandom } from "../../src/base/random.ts";
import { decodeEntry, encodeEntry } from "../../src/model/entry.ts";

import { NO_EPOCH } from "../../src/model/position.ts";
import type { Epoch, Sequence } from "../../src/model/position.ts";
import type { LogCorruption, LogRecovery } from "../../src/log/log.ts";
import { SegmentedLog } from "../../src/log/segmented-log.ts";
import type { LogParts, LogSizes } from "../../src/log/log-parts.ts";
import { ManualTimers } from "./manual-timers.ts";
import { SimCrashError, SimDisk } from "./sim-disk.ts";

export const LOG_DIRECTORY = "/node/log";
const SMALL_SIZES: LogSizes = { segmentBytesFirst: 4096, segmentBytesMax: 16_384, tailBytesMax: 2048 };

/** The first entry of a leadership. */
export function epochStartEntry(sequence: Sequence, epoch: Epoch): Buffer {
  const term = epoch.toString(16).padStart(16, "0");
  const start = { term, previous: NO_EPOCH, versionBase: 0, lineage: 0, inSync: [] };
  return encodeEntry({ epoch, sequence, timestampMs: 1000 + sequence, body: { kind: "epochStart", start } });
}

/** An entry that sets `k<sequence>` to `valueBytes` bytes that depend on `fill`. */
export function dataEntry(sequence: Sequence, epoch: Epoch, value: { bytes: number; fill?: number }): Buffer {
  const mutation = {
    space: 0 as const,
    key: `k${sequence}`,
    value: Buffer.alloc(value.bytes, value.fill ?? sequence),
    expiryMs: 0,
    contentType: "",
  };
  return encodeEntry({ epoch, sequence, timestampMs: 1000 + sequence, body: { kind: "data", mutations: [mutation] } });
}

/** Cuts joined entries apart. */
export function splitEntries(bytes: Buffer): Buffer[] {
  const entries: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32LE(at);
    entries.push(bytes.subarray(at, at + length));
    at += length;
  }
  return entries;
}

/** Every entry of a log as its bytes, read in steps. */
export function readAll(log: SegmentedLog, bytesMax = 1000): Buffer[] {
  const entries: Buffer[] = [];
  for (let next = log.startSequence; next <= log.lastSequence;) {
    const { bytes, last } = log.read(next, bytesMax);
    entries.push(...splitEntries(bytes));
    next = last + 1;
  }
  return entries;
}

export function sequencesOf(entries: readonly Buffer[]): Sequence[] {
  return entries.map((entry) => decodeEntry(entry).sequence);
}

/** One node's disk and the log on it, through crashes. */
export class LogFixture {
  readonly timers: ManualTimers;
  readonly random: SeededRandom;
  readonly disk: SimDisk;
  readonly sizes: LogSizes;
  fatal: Error[] = [];
  corruptions: LogCorruption[] = [];
  /** Ends cut off of which nothing proves that they were flushed. */
  tornEnds: LogCorruption[] = [];
  #log: SegmentedLog | null = null;

  /** With `disk`, an existing disk that uses `timers`. */
  constructor(options: { seed?: number; sizes?: LogSizes; disk?: SimDisk; timers?: ManualTimers } = {}) {
    this.timers = options.timers ?? new ManualTimers();
    this.random = new SeededRandom(options.seed ?? 7);
    this.disk = options.disk ?? new SimDisk(this.timers, this.random.fork("disk"));
    this.sizes = options.sizes ?? SMALL_SIZES;
  }

  get log(): SegmentedLog {
    if (this.#log === null) throw new Error("the log is not open");
    return this.#log;
  }

  open(overrides: Partial<LogParts> = {}): LogRecovery {
    const opened = SegmentedLog.open({
      disk: this.disk,
      directory: LOG_DIRECTORY,
      timers: this.timers,
      random: this.random.fork(`salt ${this.disk.life}`),
      logger: silentLogger,
      sizes: this.sizes,
      whenMissing: "create",
      onCutEnd: ({ isProven, ...cut }) => {
        (isProven ? this.corruptions : this.tornEnds).push(cut);
      },
      onFatal: (error) => {
        if (!(error instanceof SimCrashError)) this.fatal.push(error);
      },
      ...overrides,
    });
    this.#log = opened.log;
    return opened.recovery;
  }

  /** Writes `count` entries as one batch, the first of all as the start of epoch 1; returns them. */
  write(count: number, valueBytes = 20): Buffer[] {
    const { log } = this;
    const epoch = Math.max(1, log.lastEpoch.epoch);
    const entries = Array.from({ length: count }, (_, index) => {
      const sequence = log.lastSequence + 1 + index;
      if (log.lastEpoch.epoch === 0 && index === 0) return epochStartEntry(sequence, 1);
      return dataEntry(sequence, epoch, { bytes: valueBytes });
    });
    this.writeBatch(entries);
    return entries;
  }

  writeBatch(entries: readonly Buffer[]): void {
    this.waitForRoom(entries.reduce((sum, entry) => sum + entry.length, 0));
    this.log.writeBatch(EntryBatch.of(entries), {
      flushedSequence: this.log.durableSequence,
      commitSequence: this.log.durableSequence,
    });
  }

  /** Flushes and waits; returns what the flush reported. */
  flush(): Sequence {
    let reported = -1;
    this.log.flush((sequence) => {
      reported = sequence;
    });
    this.timers.advance(0);
    return reported;
  }

  waitForRoom(bytes: number): void {
    for (let i = 0; i < 1000 && this.log.roomFor(bytes) !== "yes"; i++) this.timers.advance(10);
  }

  /** The process dies and starts again. */
  crash(): LogRecovery {
    this.timers.clear();
    this.disk.crash();
    return this.open();
  }

  powerCut(): LogRecovery {
    this.timers.clear();
    this.disk.powerCut();
    return this.open();
  }
}
