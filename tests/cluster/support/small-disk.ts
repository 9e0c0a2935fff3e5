import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";

const FILLER_NAME = "filler";
const FILL_STEP_BYTES = 64 * 1024;

/** Whether this process may mount a file system. */
export function canMount(): boolean {
  return process.platform === "linux" && process.getuid?.() === 0;
}

/** A small file system of its own in memory, mounted over a directory, that can be filled and emptied. */
export class SmallDisk {
  readonly #directory: string;

  constructor(directory: string, sizeMb: number) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${sizeMb}m,mode=700`, "tmpfs", directory]);
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.#directory);
    return bavail * bsize;
  }

  /** Takes all of the free space. */
  fill(): void {
    const descriptor = openSync(join(this.#directory, FILLER_NAME), "a");
    const bytes = Buffer.alloc(FILL_STEP_BYTES, 1);
    try {
      while (writeSync(descriptor, bytes) > 0);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
    } finally {
      closeSync(descriptor);
    }
  }

  /** Gives back what `fill` took. */
  empty(): void {
    rmSync(join(this.#directory, FILLER_NAME), { force: true });
  }

  /** Gives the file system another size, in place. */
  resize(sizeMb: number): void {
    execFileSync("mount", ["-o", `remount,size=${sizeMb}m`, this.#directory]);
  }

  unmount(): void {
    execFileSync("umount", ["-l", this.#directory]);
  }
}
