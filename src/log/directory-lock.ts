import { readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { mutant } from "../base/mutants.ts";
import { findWriter, type FoundProcess } from "../base/process-finder.ts";
import { KvError } from "../model/errors.ts";

export const LOCK_NAME = "lock";
/** What else an owner has open for writing as long as it lives. */
const TREE_PATH = "tree/rows.mdb";
const OWNER_NAME = "lock.pid";
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;
const STALE_AFTER_MS = 500;

/** What holds the locks of this process: a database that nobody refers to is collected as garbage, and its lock with it. */
const held = new Set<DatabaseSync>();

/**
 * Makes a process the only owner of a data directory (rule S6).
 *
 * Owns a lock of the kernel on the file `lock`, taken through SQLite: it lasts while the process does, stopped or not, and is
 * gone with it. So nothing has to be cleaned up, and no clock decides. Never open `lock` in any other way within a process that
 * holds it: closing that descriptor would let go of the lock. A lock file that was removed under its owner keeps nobody out;
 * so whoever takes it also looks for a process that still has the directory's files open (on Linux).
 */
export class DirectoryLock {
  readonly #release: () => void;

  /** Takes the lock, or throws KvError DIRECTORY_IN_USE, which names the owner's process id where it is known. */
  static take(directory: string): DirectoryLock {
    if (mutant("M67")) return new DirectoryLock(takeByAge(directory));
    const database = openLocked(directory);
    const former = findWriter(directory, [LOCK_NAME, TREE_PATH]);
    if (former !== null) {
      database.close();
      throw inUseWithoutLock(directory, former);
    }
    held.add(database);
    writeFileSync(join(directory, OWNER_NAME), `${process.pid}\n`, { mode: 0o600 });
    return new DirectoryLock(() => {
      rmSync(join(directory, OWNER_NAME), { force: true });
      database.close();
      held.delete(database);
    });
  }

  private constructor(release: () => void) {
    this.#release = release;
  }

  /** Lets another process in. Only when nothing of the directory is open any more. */
  release(): void {
    this.#release();
  }
}

function openLocked(directory: string): DatabaseSync {
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(join(directory, LOCK_NAME));
    database.exec("PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    return database;
  } catch (error) {
    database?.close();
    if (isBusy(error)) throw inUse(directory);
    const reason = error instanceof Error ? error.message : String(error);
    // SQLite has no word about its file when that is something else.
    const message = isForeignFile(error)
      ? `${join(directory, LOCK_NAME)} is not the lock that a node makes; it holds no data: when no node runs there, remove it`
      : `The data directory ${directory} cannot be used: ${reason}`;
    throw new KvError("WRONG_DIRECTORY", message, { cause: error });
  }
}

function isBusy(error: unknown): boolean {
  return primaryCodeOf(error) === SQLITE_BUSY;
}

function isForeignFile(error: unknown): boolean {
  const code = primaryCodeOf(error);
  return code === SQLITE_NOTADB || code === SQLITE_CORRUPT;
}

/** The primary code is in the low byte; the rest says in which situation. */
function primaryCodeOf(error: unknown): number | null {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return null;
  return error.errcode & 0xff;
}

function inUse(directory: string): KvError {
  const pid = ownerOf(directory);
  const owner = pid === null ? "another process" : `process ${pid}`;
  return new KvError("DIRECTORY_IN_USE", `The data directory ${directory} is in use by ${owner}`, {
    details: { directory, ...(pid === null ? {} : { pid }) },
  });
}

function inUseWithoutLock(directory: string, { pid }: FoundProcess): KvError {
  const message =
    `The data directory ${directory} is in use by process ${pid}, although its lock file was removed or replaced: ` +
    `end that process first (kill ${pid}), and never remove the file`;
  return new KvError("DIRECTORY_IN_USE", message, { details: { directory, pid } });
}

/** For the message only: the file may be left over from a process that was killed, or not be written yet. */
function ownerOf(directory: string): number | null {
  try {
    const pid = Number.parseInt(readFileSync(join(directory, OWNER_NAME), "utf8"), 10);
    if (!Number.isSafeInteger(pid) || pid <= 0) return null;
    process.kill(pid, 0);
    return pid;
  } catch {
    return null;
  }
}

/** M67: a lock file whose age tells whether its owner lives. A stopped owner looks dead. */
function takeByAge(directory: string): () => void {
  const path = join(directory, `${LOCK_NAME}.age`);
  const modifiedMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (Date.now() - modifiedMs < STALE_AFTER_MS) throw inUse(directory);
  writeFileSync(path, "");
  const heartbeat = setInterval(() => utimesSync(path, new Date(), new Date()), STALE_AFTER_MS / 5);
  return () => {
    clearInterval(heartbeat);
    rmSync(path, { force: true });
  };
}
