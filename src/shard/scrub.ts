import type { Timer, Timers } from "../base/clock.ts";
import { SPACE, type Space } from "../model/entry.ts";
import { keyForPeople } from "../model/key.ts";
import type { TreeReader } from "../tree/tree.ts";

/** How fast the scrub goes, and how often. */
export interface ScrubPace {
  /** Bytes checked in one step, and the pause after it: together they bound what the scrub takes from reads. */
  readonly stepBytes: number;
  readonly stepPauseMs: number;
  /** Pause between the end of a walk and the next. */
  readonly walkPauseMs: number;
}

const SCRUB_PACE: ScrubPace = { stepBytes: 256 * 1024, stepPauseMs: 50, walkPauseMs: 6 * 3_600_000 };

/** One walk over all rows. `corruptKeys` are written for people. */
export interface ScrubReport {
  readonly rowCount: number;
  readonly corruptKeys: readonly string[];
}

/** What a scrub is made of. */
export interface ScrubParts {
  readonly tree: TreeReader;
  readonly timers: Timers;
  readonly pace?: ScrubPace;
  /** A damaged record was found, once a walk; it is never served, and wants repair (rule S5). */
  readonly onCorrupt: (space: Space, key: string) => void;
  readonly onWalked: (report: ScrubReport) => void;
}

const SPACES: readonly Space[] = Object.values(SPACE);
/** Names kept of one walk: enough to show, however much is damaged. */
const CORRUPT_KEYS_MAX = 100;

/**
 * Walks the whole tree again and again, slowly, and verifies every record's checksum, so that damage is found while another
 * member still has the row (rule S5).
 *
 * Owns its place in the walk. Each step is one short read transaction (rule S7); rows that change meanwhile are seen as they
 * are when the walk comes by. A failure of the tree itself is the caller's: it is thrown out of the timer.
 */
export class Scrub {
  readonly #parts: ScrubParts;
  readonly #pace: ScrubPace;
  #timer: Timer | null = null;
  #spaceIndex = 0;
  #afterKey = "";
  #rowCount = 0;
  #corruptKeys: string[] = [];

  constructor(parts: ScrubParts) {
    this.#parts = parts;
    this.#pace = parts.pace ?? SCRUB_PACE;
  }

  start(): void {
    this.#schedule(this.#pace.stepPauseMs);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #schedule(delayMs: number): void {
    this.#timer = this.#parts.timers.after(delayMs, () => this.#step());
  }

  #step(): void {
    const space = SPACES[this.#spaceIndex];
    if (space === undefined) {
      this.#finishWalk();
      return;
    }
    const { rowCount, corruptKeys, lastKey } = this.#parts.tree.verifyRange(
      space,
      this.#afterKey,
      this.#pace.stepBytes,
    );
    this.#rowCount += rowCount;
    this.#afterKey = lastKey ?? "";
    if (lastKey === null) this.#spaceIndex++;
    this.#schedule(this.#pace.stepPauseMs);
    for (const key of corruptKeys) {
      if (this.#corruptKeys.length < CORRUPT_KEYS_MAX) this.#corruptKeys.push(keyForPeople(key));
      this.#parts.onCorrupt(space, key);
    }
  }

  #finishWalk(): void {
    const report = { rowCount: this.#rowCount, corruptKeys: this.#corruptKeys };
    this.#spaceIndex = 0;
    this.#rowCount = 0;
    this.#corruptKeys = [];
    this.#schedule(this.#pace.walkPauseMs);
    this.#parts.onWalked(report);
  }
}
