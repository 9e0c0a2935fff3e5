import { join } from "node:path";
import type { Timer, Timers } from "../base/clock.ts";
import type { DiskFile } from "../base/disk.ts";
import type { Logger } from "../base/logger.ts";
import type { Room } from "./log.ts";
import type { LogPlace } from "./log-repair.ts";
import { preparedName } from "./segment-format.ts";

const SIZE_STEP_BYTES = 512;
const FREE_SPACE_SHARE = 8;
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 5000;

/** A zeroed, flushed file that waits for its turn. */
export interface PreparedFile {
  readonly path: string;
  readonly file: DiskFile;
  readonly sizeBytes: number;
}

/** What a segment should be like. */
export interface SegmentWish {
  /** Smaller is of no use. */
  readonly bytesMin: number;
  /** Taken when there is enough free space. */
  readonly bytesWanted: number;
}

type State =
  | { readonly kind: "idle" }
  | { readonly kind: "making"; readonly sizeBytes: number }
  | { readonly kind: "failed"; readonly wish: SegmentWish; readonly retry: Timer };

/**
 * Makes the next segment's file in the background.
 *
 * Owns at most one file that is ready and one that is being made: entries may already count on the ready one, so that it stays
 * until a larger one can take its place. Never takes more than 1/8 of the free space for one. When there is not enough, or
 * making fails, it answers "full" and tries again by itself, less and less often; `onChange` runs whenever an answer may have
 * changed. Nothing here is fatal: no entry depends on a file that is not ready.
 */
export class SegmentPreparer {
  readonly #place: LogPlace;
  readonly #timers: Timers;
  readonly #logger: Logger;
  readonly #onChange: () => void;
  #state: State = { kind: "idle" };
  #ready: PreparedFile | null = null;
  #serial: number;
  #retryMs = RETRY_MS_MIN;
  #isStopped = false;

  /** Files are named from `firstSerial` on; a random one keeps them apart from those of a log that was just closed. */
  constructor(place: LogPlace, parts: { firstSerial: number; timers: Timers; logger: Logger; onChange: () => void }) {
    this.#serial = parts.firstSerial;
    this.#place = place;
    this.#timers = parts.timers;
    this.#logger = parts.logger;
    this.#onChange = parts.onChange;
  }

  /** The file that is ready, or null. */
  get ready(): PreparedFile | null {
    return this.#ready;
  }

  /** How large another file could be at most, by the disk's free space. */
  get affordableBytes(): number {
    const { disk, directory } = this.#place;
    return floorTo(disk.freeBytes(directory) / FREE_SPACE_SHARE);
  }

  /** Hands the ready file over. */
  take(): PreparedFile | null {
    const ready = this.#ready;
    this.#ready = null;
    return ready;
  }

  /** Sees to it that a file like `wish` gets ready; says whether one is ("yes"), will be ("preparing") or cannot be ("full"). */
  request(wish: SegmentWish): Room {
    const state = this.#state;
    if (this.#ready !== null && this.#ready.sizeBytes >= wish.bytesMin) return "yes";
    if (state.kind === "making") return "preparing";
    if (state.kind === "failed") {
      if (state.wish.bytesMin <= wish.bytesMin) return "full";
      state.retry.cancel();
    }
    return this.#make(wish);
  }

  /** Space may have come back: tries at once what failed before. */
  retryNow(): void {
    const state = this.#state;
    if (state.kind !== "failed") return;
    state.retry.cancel();
    this.#retry(state.wish);
  }

  /** No more callbacks; the ready file is closed and left behind for the next start to remove. */
  stop(): void {
    this.#isStopped = true;
    this.#ready?.file.close();
    this.#ready = null;
    if (this.#state.kind === "failed") this.#state.retry.cancel();
    this.#state = { kind: "idle" };
  }

  #make(wish: SegmentWish): Room {
    const { disk, directory } = this.#place;
    const { affordableBytes } = this;
    const sizeBytes = Math.max(wish.bytesMin, Math.min(wish.bytesWanted, affordableBytes));
    const roundedBytes = Math.ceil(sizeBytes / SIZE_STEP_BYTES) * SIZE_STEP_BYTES;
    if (roundedBytes > affordableBytes) {
      this.#fail(wish, new Error(`${affordableBytes} bytes can be taken, ${roundedBytes} are needed`));
      return "full";
    }
    const path = join(directory, preparedName(this.#serial++));
    this.#state = { kind: "making", sizeBytes: roundedBytes };
    disk.createZeroed(path, roundedBytes, (error, file) => {
      if (this.#isStopped) {
        file?.close();
        return;
      }
      if (file === null) this.#fail(wish, error ?? new Error("no file was made"));
      else this.#succeed({ path, file, sizeBytes: roundedBytes });
      this.#onChange();
    });
    return "preparing";
  }

  #succeed(prepared: PreparedFile): void {
    if (this.#retryMs !== RETRY_MS_MIN) this.#logger.info("The log has room again", { bytes: prepared.sizeBytes });
    this.#retryMs = RETRY_MS_MIN;
    this.#state = { kind: "idle" };
    const outgrown = this.#ready;
    this.#ready = prepared;
    if (outgrown !== null) this.#discard(outgrown);
  }

  #fail(wish: SegmentWish, error: Error): void {
    if (this.#retryMs === RETRY_MS_MIN) {
      this.#logger.warn("The log cannot make its next segment", {
        directory: this.#place.directory,
        reason: error.message,
      });
    }
    const retry = this.#timers.after(this.#retryMs, () => this.#retry(wish));
    this.#retryMs = Math.min(RETRY_MS_MAX, this.#retryMs * 2);
    this.#state = { kind: "failed", wish, retry };
  }

  #retry(wish: SegmentWish): void {
    this.#state = { kind: "idle" };
    if (this.#make(wish) === "preparing") this.#onChange();
  }

  #discard(prepared: PreparedFile): void {
    prepared.file.close();
    this.#place.disk.removeInBackground(prepared.path, () => this.retryNow());
  }
}

function floorTo(bytes: number): number {
  return Math.floor(bytes / SIZE_STEP_BYTES) * SIZE_STEP_BYTES;
}
