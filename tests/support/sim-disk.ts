import { dirname } from "node:path/posix";
import type { Timers } from "../../src/base/clock.ts";
import type { Disk, DiskAccess, DiskFile } from "../../src/base/disk.ts";
import { SeededRandom } from "../../src/base/random.ts";
import { apply, type DirectoryChange } from "./directory-change.ts";
import { SimInode } from "./sim-inode.ts";

/** What a test may break. All of it may be changed at any time. */
export interface SimDiskFaults {
  /** The code of the error with which a flush of this path fails, or null. */
  flush: ((path: string) => string | null) | null;
  /** The error of a write to this path and how many of its bytes arrive all the same, or null. */
  write:
    | ((path: string, lengthBytes: number) => { readonly code: string; readonly writtenBytes: number } | null)
    | null;
  /** Milliseconds that one flush in the background takes. */
  flushMs: () => number;
  /** Bytes of the whole disk. */
  capacityBytes: number;
  /** Bytes taken by something else. */
  fillerBytes: number;
}

/** The process on this disk has died in the middle of a call: `crash` or `powerCut` must follow. */
export class SimCrashError extends Error {
  override readonly name: string = "SimCrashError";
}

/**
 * A disk in memory with *visible* and *flushed* state for files and directories. One process uses it at a time: `crash` and
 * `powerCut` end its life, after which its files refuse everything and its callbacks never run.
 *
 * Deterministic: chance and time are handed in. Zeroed files cost nothing.
 */
export class SimDisk implements Disk {
  readonly faults: SimDiskFaults = {
    flush: null,
    write: null,
    flushMs: () => 0,
    capacityBytes: Infinity,
    fillerBytes: 0,
  };
  readonly #timers: Timers;
  readonly #random: SeededRandom;
  #visible = new Map<string, SimInode>();
  #flushed = new Map<string, SimInode>();
  #changes: DirectoryChange[] = [];
  #directories = new Set<string>();
  #life = 0;
  #operationsLeft = Infinity;
  #flushCount = 0;
  #writeCount = 0;

  constructor(timers: Timers, random: SeededRandom = new SeededRandom(1)) {
    this.#timers = timers;
    this.#random = random;
  }

  get flushCount(): number {
    return this.#flushCount;
  }

  get writeCount(): number {
    return this.#writeCount;
  }

  /** Which process this is: the number of deaths before it. */
  get life(): number {
    return this.#life;
  }

  /** The process has died at a change and `crash` or `powerCut` has not followed yet; it may have caught the error. */
  get isDead(): boolean {
    return this.#operationsLeft < 0;
  }

  // ---- what a test does to the disk ----

  /** The process dies; what it wrote stays in the page cache. */
  crash(): void {
    this.#life++;
    this.#operationsLeft = Infinity;
  }

  /** The machine dies: flushed state and a random part of the rest stay. */
  powerCut(): void {
    this.crash();
    const broken = new Set<string>();
    for (const change of this.#changes) {
      const directory = dirname(change.path);
      if (broken.has(directory)) continue;
      if (this.#random.below(2) === 0) apply(change, this.#flushed);
      else broken.add(directory);
    }
    this.#changes = [];
    this.#visible = new Map(this.#flushed);
    for (const inode of new Set(this.#visible.values())) inode.powerCut(this.#random);
  }

  /** The process dies when it has made `count` more changes: the one after throws SimCrashError, and so do all later ones. */
  crashAfterChanges(count: number): void {
    this.#operationsLeft = count;
  }

  flipBit(path: string, offset: number, bit: number): void {
    this.#inode(path).flipBit(offset, bit);
  }

  /** Visible content of a file. */
  content(path: string): Buffer {
    return this.#inode(path).visible.all();
  }

  /** Puts a file in place, flushed, whatever was there. */
  place(path: string, content: Uint8Array): void {
    const inode = new SimInode();
    inode.change({ kind: "write", bytes: Buffer.from(content), position: 0 });
    inode.settle();
    this.#directories.add(dirname(path));
    this.#visible.set(path, inode);
    this.#flushed.set(path, inode);
  }

  /** Removes everything below a directory, for good. */
  wipe(directory: string): void {
    for (const entries of [this.#visible, this.#flushed]) {
      for (const path of entries.keys()) if (path.startsWith(`${directory}/`)) entries.delete(path);
    }
    this.#changes = this.#changes.filter(({ path }) => !path.startsWith(`${directory}/`));
  }

  /** Exchanges what is below two directories, as an operator's mistake does. Only between two lives. */
  swap(first: string, second: string): void {
    this.#changes = [];
    this.#visible = swapped(this.#visible, first, second);
    this.#flushed = new Map(this.#visible);
  }

  /** An independent copy in the present state; what was not flushed is as unflushed there. */
  clone(timers: Timers = this.#timers): SimDisk {
    const copy = new SimDisk(timers, this.#random.fork("clone"));
    const inodes = new Map<SimInode, SimInode>();
    const twinOf = (inode: SimInode): SimInode => {
      const twin = inodes.get(inode) ?? inode.clone();
      inodes.set(inode, twin);
      return twin;
    };
    const cloned = (entries: Map<string, SimInode>): Map<string, SimInode> =>
      new Map([...entries].map(([path, inode]) => [path, twinOf(inode)]));
    copy.#visible = cloned(this.#visible);
    copy.#flushed = cloned(this.#flushed);
    copy.#changes = this.#changes.map((change) =>
      change.kind === "link" ? { ...change, inode: twinOf(change.inode) } : change,
    );
    copy.#directories = new Set(this.#directories);
    return copy;
  }

  // ---- Disk ----

  open(path: string, access: DiskAccess = "readWrite"): DiskFile {
    const inode = this.#visible.get(path);
    if (inode === undefined) throw failure("ENOENT", `no such file: ${path}`);
    return this.#fileOf(path, inode, access === "readOnly");
  }

  createZeroed(path: string, sizeBytes: number, done: (error: Error | null, file: DiskFile | null) => void): void {
    this.#countChange();
    const life = this.#life;
    if (this.freeBytes() < sizeBytes) {
      this.#later(life, () => done(failure("ENOSPC", `no space for ${path}`), null));
      return;
    }
    const inode = new SimInode();
    inode.change({ kind: "truncate", sizeBytes });
    this.#link(path, inode);
    this.#afterFlush(() => {
      inode.settle();
      this.#flushDirectory(dirname(path));
      done(null, this.#fileOf(path, inode, false));
    });
  }

  createZeroedNow(path: string, sizeBytes: number): DiskFile {
    this.#countChange();
    if (this.freeBytes() < sizeBytes) throw failure("ENOSPC", `no space for ${path}`);
    const inode = new SimInode();
    inode.change({ kind: "truncate", sizeBytes });
    this.#link(path, inode);
    this.#countChange();
    inode.settle();
    this.#flushDirectory(dirname(path));
    return this.#fileOf(path, inode, false);
  }

  readFile(path: string): Buffer | null {
    return this.#visible.get(path)?.visible.all() ?? null;
  }

  replaceFile(path: string, content: Uint8Array): void {
    this.#countChange();
    if (this.freeBytes() < content.length) throw failure("ENOSPC", `no space for ${path}`);
    const inode = new SimInode();
    inode.change({ kind: "write", bytes: Buffer.from(content), position: 0 });
    inode.settle();
    this.#link(path, inode);
    this.#countChange();
    this.#flushDirectory(dirname(path));
  }

  appendFile(path: string, content: Uint8Array): void {
    this.#countChange();
    if (this.freeBytes() < content.length) throw failure("ENOSPC", `no space for ${path}`);
    const present = this.#visible.get(path);
    const inode = present ?? new SimInode();
    if (present === undefined) this.#link(path, inode);
    inode.change({ kind: "write", bytes: Buffer.from(content), position: inode.visible.sizeBytes });
    this.#countChange();
    inode.flushed(inode.serial);
    this.#flushDirectory(dirname(path));
  }

  list(directory: string): string[] {
    const names = new Set<string>();
    for (const path of [...this.#visible.keys(), ...this.#directories]) {
      if (path.startsWith(`${directory}/`)) names.add(path.slice(directory.length + 1).split("/")[0] ?? "");
    }
    return [...names].sort();
  }

  makeDirectory(directory: string): void {
    this.#directories.add(directory);
  }

  remove(path: string): void {
    this.#countChange();
    this.#unlink(path);
    this.#countChange();
    this.#flushDirectory(dirname(path));
  }

  removeInBackground(path: string, done: (error: Error | null) => void): void {
    this.#countChange();
    this.#unlink(path);
    this.#afterFlush(() => {
      this.#flushDirectory(dirname(path));
      done(null);
    });
  }

  rename(from: string, to: string): void {
    this.#countChange();
    if (!this.#visible.has(from)) throw failure("ENOENT", `no such file: ${from}`);
    this.#changeDirectory({ kind: "rename", path: to, from });
  }

  flushDirectory(directory: string): void {
    this.#countChange();
    this.#flushDirectory(directory);
  }

  freeBytes(): number {
    let usedBytes = this.faults.fillerBytes;
    for (const inode of this.#visible.values()) usedBytes += inode.visible.sizeBytes;
    return Math.max(0, this.faults.capacityBytes - usedBytes);
  }

  // ---- inside ----

  #fileOf(path: string, inode: SimInode, isReadOnly: boolean): DiskFile {
    const life = this.#life;
    const use = (isChange: boolean): void => {
      if (life !== this.#life) throw new Error(`a dead process uses ${path}`);
      if (isChange && isReadOnly) throw failure("EBADF", `${path} is open for reading only`);
      if (isChange) this.#countChange();
    };
    return {
      path,
      get sizeBytes() {
        return inode.visible.sizeBytes;
      },
      read: (target, position) => {
        use(false);
        return inode.visible.read(target, position);
      },
      write: (bytes, position) => {
        use(true);
        this.#writeCount++;
        const fault = this.faults.write?.(path, bytes.length) ?? null;
        const arriving = fault === null ? bytes : bytes.subarray(0, fault.writtenBytes);
        inode.change({ kind: "write", bytes: Buffer.from(arriving), position });
        if (fault !== null) throw failure(fault.code, `write to ${path}`);
      },
      writeZeros: (position, lengthBytes) => {
        use(true);
        inode.change({ kind: "zeros", position, lengthBytes });
      },
      truncate: (sizeBytes) => {
        use(true);
        inode.change({ kind: "truncate", sizeBytes });
      },
      flush: (done) => {
        use(true);
        const { serial } = inode;
        this.#afterFlush(() => done(this.#finishFlush(path, inode, serial)));
      },
      flushNow: () => {
        use(true);
        const error = this.#finishFlush(path, inode, inode.serial);
        if (error !== null) throw error;
      },
      close: () => {},
    };
  }

  #finishFlush(path: string, inode: SimInode, serial: number): Error | null {
    this.#flushCount++;
    const code = this.faults.flush?.(path) ?? null;
    if (code === null) {
      inode.flushed(serial);
      return null;
    }
    inode.forget(serial);
    return failure(code, `flush of ${path}`);
  }

  #afterFlush(run: () => void): void {
    const life = this.#life;
    const delayMs = this.faults.flushMs();
    if (delayMs === 0) this.#later(life, run);
    else this.#timers.after(delayMs, () => this.#ifAlive(life, run));
  }

  #later(life: number, run: () => void): void {
    this.#timers.soon(() => this.#ifAlive(life, run));
  }

  #ifAlive(life: number, run: () => void): void {
    if (life === this.#life && this.#operationsLeft >= 0) run();
  }

  #countChange(): void {
    if (this.#operationsLeft > 0) {
      this.#operationsLeft--;
      return;
    }
    this.#operationsLeft = -1;
    throw new SimCrashError("the process died here");
  }

  #link(path: string, inode: SimInode): void {
    this.#changeDirectory({ kind: "link", path, inode });
  }

  #unlink(path: string): void {
    this.#changeDirectory({ kind: "unlink", path });
  }

  #changeDirectory(change: DirectoryChange): void {
    this.#directories.add(dirname(change.path));
    apply(change, this.#visible);
    this.#changes.push(change);
  }

  #flushDirectory(directory: string): void {
    for (const change of this.#changes) if (dirname(change.path) === directory) apply(change, this.#flushed);
    this.#changes = this.#changes.filter(({ path }) => dirname(path) !== directory);
  }

  #inode(path: string): SimInode {
    const inode = this.#visible.get(path);
    if (inode === undefined) throw new Error(`no such file: ${path}`);
    return inode;
  }
}

function swapped(entries: Map<string, SimInode>, first: string, second: string): Map<string, SimInode> {
  const renamed = (path: string): string => {
    if (path.startsWith(`${first}/`)) return second + path.slice(first.length);
    if (path.startsWith(`${second}/`)) return first + path.slice(second.length);
    return path;
  };
  return new Map([...entries].map(([path, inode]) => [renamed(path), inode]));
}

function failure(code: string, detail: string): Error {
  return Object.assign(new Error(`${code}: ${detail}`), { code });
}
