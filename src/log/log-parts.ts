import type { Timers } from "../base/clock.ts";
import type { Disk } from "../base/disk.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import type { CutEnd } from "./log.ts";

/** Sizes of a log. The defaults are storage.md's; tests and simulations take small ones. */
export interface LogSizes {
  readonly segmentBytesFirst: number;
  readonly segmentBytesMax: number;
  /** Newest entries kept in memory for replicas. */
  readonly tailBytesMax: number;
}

export const LOG_SIZES: LogSizes = {
  segmentBytesFirst: 4 * 1024 * 1024,
  segmentBytesMax: 64 * 1024 * 1024,
  tailBytesMax: 4 * 1024 * 1024,
};

/** What a log is made of. */
export interface LogParts {
  readonly disk: Disk;
  readonly directory: string;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
  readonly sizes?: LogSizes;
  /** Whether a directory without a log is a new one. "refuse" for a store that had one before. */
  readonly whenMissing: "create" | "refuse";
  /** Stores for good that the log's end was damaged or torn. Runs before it is cut off; without it, the next start saw a sound log. */
  readonly onCutEnd: (cut: CutEnd) => void;
  /** The process has to end (S3). Called at most once. */
  readonly onFatal: (error: Error) => void;
}
