import {
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  open,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statfsSync,
  unlink,
  write,
  writeSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import type { Disk, DiskAccess, DiskFile } from "./disk.ts";

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
const ZEROS_BYTES = 1024 * 1024;
/** Room kept for the next replacement of a small file: more than such a file has. */
const SPARE_BYTES = 16_384;
/** Allocated on first use: most threads never make a segment. */
let zeros: Buffer | null = null;

/**
 * The machine's own files. Writes go to the page cache on the caller's thread, flushes to the thread pool.
 *
 * Owns nothing between calls. Every error is the system's own, with its code; a short write becomes an error, because the
 * rest of it may fail for a reason that a second attempt would hide (rule S3).
 */
export class NodeDisk implements Disk {
  open(path: string, access: DiskAccess = "readWrite"): DiskFile {
    return new SystemFile(path, openSync(path, access === "readOnly" ? "r" : "r+"));
  }

  createZeroed(path: string, sizeBytes: number, done: (error: Error | null, file: DiskFile | null) => void): void {
    open(path, "w+", FILE_MODE, (error, descriptor) => {
      if (error !== null) {
        done(error, null);
        return;
      }
      writeZerosInBackground({ descriptor, sizeBytes }, (failure) => {
        const finished = failure === null ? flushDirectoryInBackground : failWith(failure);
        finished(dirname(path), (flushError) => {
          if (flushError === null) {
            done(null, new SystemFile(path, descriptor));
            return;
          }
          closeSync(descriptor);
          unlink(path, () => done(flushError, null));
        });
      });
    });
  }

  createZeroedNow(path: string, sizeBytes: number): DiskFile {
    const descriptor = openSync(path, "w+", FILE_MODE);
    try {
      const file = new SystemFile(path, descriptor);
      file.writeZeros(0, sizeBytes);
      fsyncSync(descriptor);
      this.flushDirectory(dirname(path));
      return file;
    } catch (error) {
      closeSync(descriptor);
      rmSync(path, { force: true });
      throw error;
    }
  }

  readFile(path: string): Buffer | null {
    try {
      return readFileSync(path);
    } catch (error) {
      if (hasCode(error, "ENOENT")) return null;
      throw error;
    }
  }

  replaceFile(path: string, content: Uint8Array): void {
    const spare = `${path}.new`;
    // Not emptied on opening: its blocks are the room that is certain to be there.
    const descriptor = openSync(spare, constants.O_RDWR | constants.O_CREAT, FILE_MODE);
    try {
      writeAll(descriptor, content, 0);
      ftruncateSync(descriptor, content.length);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(spare, path);
    this.flushDirectory(dirname(path));
    makeSpare(spare);
  }

  appendFile(path: string, content: Uint8Array): void {
    const descriptor = openSync(path, "a", FILE_MODE);
    try {
      writeAll(descriptor, content, null);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    this.flushDirectory(dirname(path));
  }

  list(directory: string): string[] {
    try {
      return readdirSync(directory).sort();
    } catch (error) {
      if (hasCode(error, "ENOENT")) return [];
      throw error;
    }
  }

  makeDirectory(directory: string): void {
    const wanted = resolve(directory);
    const first = mkdirSync(wanted, { recursive: true, mode: DIRECTORY_MODE });
    if (first === undefined) return;
    for (let made = wanted; made.length >= first.length; made = dirname(made)) this.flushDirectory(dirname(made));
  }

  remove(path: string): void {
    rmSync(path, { force: true });
    this.flushDirectory(dirname(path));
  }

  removeInBackground(path: string, done: (error: Error | null) => void): void {
    unlink(path, (error) => {
      if (error !== null && !hasCode(error, "ENOENT")) done(error);
      else flushDirectoryInBackground(dirname(path), done);
    });
  }

  rename(from: string, to: string): void {
    renameSync(from, to);
  }

  flushDirectory(directory: string): void {
    const descriptor = openSync(directory, "r");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }

  freeBytes(directory: string): number {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  }
}

class SystemFile implements DiskFile {
  readonly path: string;
  readonly #descriptor: number;
  #flushesRunning = 0;
  #isClosed = false;

  constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  get sizeBytes(): number {
    return fstatSync(this.#descriptor).size;
  }

  write(bytes: Uint8Array, position: number): void {
    writeAll(this.#descriptor, bytes, position);
  }

  writeZeros(position: number, lengthBytes: number): void {
    const source = zeroBytes();
    for (let at = 0; at < lengthBytes; at += source.length) {
      writeAll(this.#descriptor, source.subarray(0, Math.min(source.length, lengthBytes - at)), position + at);
    }
  }

  read(target: Uint8Array, position: number): number {
    let at = 0;
    while (at < target.length) {
      const count = readSync(this.#descriptor, target, at, target.length - at, position + at);
      if (count === 0) break;
      at += count;
    }
    return at;
  }

  flush(done: (error: Error | null) => void): void {
    this.#flushesRunning++;
    fdatasync(this.#descriptor, (error) => {
      this.#flushesRunning--;
      if (this.#isClosed) this.#closeWhenIdle();
      done(error);
    });
  }

  flushNow(): void {
    fdatasyncSync(this.#descriptor);
  }

  truncate(sizeBytes: number): void {
    ftruncateSync(this.#descriptor, sizeBytes);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closeWhenIdle();
  }

  /** A descriptor closed under a running flush could be given out again, and the flush would be of another file. */
  #closeWhenIdle(): void {
    if (this.#flushesRunning === 0) closeSync(this.#descriptor);
  }
}

/** On a full disk there is none, and the next replacement may fail; so may it when the first attempt never had room. */
function makeSpare(path: string): void {
  try {
    const descriptor = openSync(path, "w", FILE_MODE);
    try {
      writeAll(descriptor, zeroBytes().subarray(0, SPARE_BYTES), 0);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    if (!hasCode(error, "ENOSPC") && !hasCode(error, "EDQUOT")) throw error;
  }
}

function writeAll(descriptor: number, bytes: Uint8Array, position: number | null): void {
  const count = writeSync(descriptor, bytes, 0, bytes.length, position);
  if (count !== bytes.length) throw shortWrite(count, bytes.length);
}

/** Zeros in steps of the thread pool, then fsync: its size is metadata that must be on disk as well. */
function writeZerosInBackground(
  target: { readonly descriptor: number; readonly sizeBytes: number },
  done: (error: Error | null) => void,
): void {
  const { descriptor, sizeBytes } = target;
  const source = zeroBytes();
  const step = (position: number): void => {
    if (position >= sizeBytes) {
      fsync(descriptor, done);
      return;
    }
    const length = Math.min(source.length, sizeBytes - position);
    write(descriptor, source, 0, length, position, (error, count) => {
      if (error !== null) done(error);
      else if (count !== length) done(shortWrite(count, length));
      else step(position + length);
    });
  };
  step(0);
}

function flushDirectoryInBackground(directory: string, done: (error: Error | null) => void): void {
  open(directory, "r", (error, descriptor) => {
    if (error !== null) {
      done(error);
      return;
    }
    fsync(descriptor, (flushError) => {
      closeSync(descriptor);
      done(flushError);
    });
  });
}

function failWith(error: Error): typeof flushDirectoryInBackground {
  return (_directory, done) => done(error);
}

function zeroBytes(): Buffer {
  zeros ??= Buffer.alloc(ZEROS_BYTES);
  return zeros;
}

function shortWrite(count: number, wanted: number): Error {
  return Object.assign(new Error(`Short write: ${count} of ${wanted} bytes`), { code: "EIO" });
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
