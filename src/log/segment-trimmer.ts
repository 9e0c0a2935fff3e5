import { join } from "node:path";
import type { Logger } from "../base/logger.ts";
import type { LogPlace } from "./log-repair.ts";
import type { Segment } from "./segment.ts";
import { trimmedName } from "./segment-format.ts";

/**
 * Removes segments that the log does not need any more, off the caller's thread.
 *
 * One at a time, oldest first, each gone for good before the next goes: so a power cut leaves no gap. A file that cannot be
 * removed is reported and left for the next start.
 */
export class SegmentTrimmer {
  readonly #place: LogPlace;
  readonly #logger: Logger;
  readonly #onRemoved: () => void;
  #waiting: Segment[] = [];
  #isRunning = false;

  constructor(place: LogPlace, parts: { logger: Logger; onRemoved: () => void }) {
    this.#place = place;
    this.#logger = parts.logger;
    this.#onRemoved = parts.onRemoved;
  }

  add(segments: readonly Segment[]): void {
    this.#waiting.push(...segments);
    if (!this.#isRunning) this.#removeNext();
  }

  /** Gives back those that still have their files, and forgets them. */
  takeWaiting(): Segment[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }

  #removeNext(): void {
    const segment = this.#waiting.shift();
    if (segment === undefined) return;
    const { disk, directory } = this.#place;
    const path = join(directory, trimmedName(segment.firstSequence));
    segment.close();
    this.#isRunning = true;
    try {
      // Its name must be free at once: a restarted log may use it before the file is gone.
      disk.rename(segment.path, path);
      disk.removeInBackground(path, (error) => this.#onDone(path, error));
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#onDone(path, error);
    }
  }

  #onDone(path: string, error: Error | null): void {
    this.#isRunning = false;
    if (error !== null) this.#logger.warn("A log segment could not be removed", { path, reason: error.message });
    this.#onRemoved();
    this.#removeNext();
  }
}
