import { statSync } from "node:fs";
import type { Timer, Timers } from "../base/clock.ts";
import { KvError } from "../model/errors.ts";

interface Watched {
  readonly path: string;
  /** What to do when it is gone: the end of a sentence. */
  readonly advice: string;
  readonly device: number;
  readonly inode: number;
}

interface DirectoryWatchParts {
  readonly timers: Timers;
  /** The node must end before it does harm. Called once. */
  readonly onGone: (error: KvError) => void;
}

const CHECK_MS = 250;

/**
 * Looks whether files that a node works with are still where it opened them.
 *
 * A file that is removed stays usable for who has it open: a node would go on for hours, answer from and write to what nobody
 * will ever find again, and without its lock file a second process could take the directory. Owns a timer; the first file
 * that is missing, or is another one, is reported and ends the watch.
 */
export class DirectoryWatch {
  readonly #parts: DirectoryWatchParts;
  readonly #watched: Watched[] = [];
  #timer: Timer | null = null;

  constructor(parts: DirectoryWatchParts) {
    this.#parts = parts;
  }

  /** Watches the file or directory that is at `path` now. `advice` completes "… while this node ran: ". */
  add(path: string, advice: string): void {
    const { dev: device, ino: inode } = statSync(path);
    this.#watched.push({ path, advice, device, inode });
    if (this.#timer === null) this.#plan();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#watched.length = 0;
  }

  #plan(): void {
    this.#timer = this.#parts.timers.after(CHECK_MS, () => {
      const gone = this.#watched.map((watched) => goneError(watched)).find((error) => error !== null);
      if (gone === undefined) this.#plan();
      else {
        this.stop();
        this.#parts.onGone(gone);
      }
    });
  }
}

function goneError({ path, advice, device, inode }: Watched): KvError | null {
  const present = statSync(path, { throwIfNoEntry: false });
  if (present?.dev === device && present.ino === inode) return null;
  const what = present === undefined ? "removed" : "replaced by another one";
  return new KvError("WRONG_DIRECTORY", `${path} was ${what} while this node ran: ${advice}`);
}
