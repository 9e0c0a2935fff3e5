/**
 * Files, as the log and the identity file need them. Everything above asks this interface, so that a simulation can
 * tear, fill, slow down and break the disk.
 *
 * Synchronous calls reach the page cache only, unless they say that they flush; nothing survives a power cut before a flush
 * returned without error. All calls throw (or hand over) the system's `Error` with its `code` (ENOSPC, EIO, …). Callbacks
 * never run within the call that takes them.
 */
export interface Disk {
  /** Opens an existing file, for reading and writing unless told otherwise. Throws ENOENT when there is none. */
  open(path: string, access?: DiskAccess): DiskFile;
  /**
   * Makes a file of `sizeBytes` zero bytes, flushes it and its directory, then hands it over: from then on writing inside it
   * changes no metadata. Works in the background; never blocks the caller for the length of the writing. A file of that
   * name is replaced. On failure the partial file is removed.
   */
  createZeroed(path: string, sizeBytes: number, done: (error: Error | null, file: DiskFile | null) => void): void;
  /** The same, blocking: for the first segment and for recovery, when nothing is served yet. */
  createZeroedNow(path: string, sizeBytes: number): DiskFile;
  /** Whole content of a small file, or null when there is none. */
  readFile(path: string): Buffer | null;
  /**
   * Replaces a small file atomically: write beside it, flush, rename, flush the directory. When it throws, the file is what it
   * was. May leave a file `path.new`: the room for the next replacement, so that it succeeds on a full disk too.
   */
  replaceFile(path: string, content: Uint8Array): void;
  /** Appends to a file (made when absent) and flushes it; for what is written rarely, such as discarded entries. */
  appendFile(path: string, content: Uint8Array): void;
  /** Names (not paths) in a directory, sorted; an empty list when there is none. */
  list(directory: string): string[];
  /** Makes a directory and those above it, flushed. Nothing happens when there is one. */
  makeDirectory(directory: string): void;
  /** Removes a file and flushes its directory. Nothing happens when there is none. */
  remove(path: string): void;
  /** The same off the caller's thread. */
  removeInBackground(path: string, done: (error: Error | null) => void): void;
  /** Atomic, within one directory; not flushed: after a power cut the file may have either name. */
  rename(from: string, to: string): void;
  /** Makes files made, removed or renamed in a directory survive a power cut. Blocking. */
  flushDirectory(directory: string): void;
  /** Bytes that can still be written to the file system that holds `directory`. */
  freeBytes(directory: string): number;
}

export type DiskAccess = "readWrite" | "readOnly";

/** One open file. */
export interface DiskFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Writes all of `bytes` at `position`. A short write is thrown as an error, never returned. */
  write(bytes: Uint8Array, position: number): void;
  /** Writes `lengthBytes` zero bytes at `position`: really, so that later writes there need no new space. */
  writeZeros(position: number, lengthBytes: number): void;
  /** Fills `target` from `position`; returns how many bytes there were. */
  read(target: Uint8Array, position: number): number;
  /** fdatasync off the caller's thread. Covers every `write` that returned before this call. */
  flush(done: (error: Error | null) => void): void;
  /** fdatasync, blocking. */
  flushNow(): void;
  /** Cuts the file, or extends it with a hole; not flushed. */
  truncate(sizeBytes: number): void;
  close(): void;
}
