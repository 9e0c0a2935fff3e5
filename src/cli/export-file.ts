import { type FileHandle, open } from "node:fs/promises";
import { KvError } from "../model/errors.ts";
import { parseRow } from "./stored-row.ts";
import { UsageError } from "./usage-error.ts";

const NEWLINE = 0x0a;
const TAIL_STEP_BYTES = 65_536;

/** How an export meets a file that is there already. */
export type ExistingFile = "refuse" | "overwrite" | "resume";

/**
 * The file that an export writes.
 *
 * Owns the open file. A line is either whole or the last one, so an export that was cut off goes on behind its last whole
 * line. `close` flushes: when the command has ended well, the export is on disk.
 */
export class ExportFile {
  /** The key of the last row that the file held; null when it starts anew. */
  readonly lastKey: Buffer | null;
  readonly #file: FileHandle;

  private constructor(file: FileHandle, lastKey: Buffer | null) {
    this.#file = file;
    this.lastKey = lastKey;
  }

  /** Throws UsageError when the file is there and must not be, or cannot be made. */
  static async open(path: string, existing: ExistingFile): Promise<ExportFile> {
    const file = await openFile(path, existing);
    if (existing !== "resume") return new ExportFile(file, null);
    try {
      return new ExportFile(file, await cutToWholeLines(file, path));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async write(text: string): Promise<void> {
    await this.#file.appendFile(text);
  }

  async close(): Promise<void> {
    await this.#file.sync();
    await this.#file.close();
  }
}

async function openFile(path: string, existing: ExistingFile): Promise<FileHandle> {
  const flags = { refuse: "ax", overwrite: "w", resume: "a+" } as const;
  try {
    return await open(path, flags[existing]);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") {
      throw new UsageError(`${path} exists: give --resume to go on behind its last row, or --overwrite to start anew`);
    }
    throw new UsageError(`${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Cuts what stands behind the last newline, and returns the key of the line before it. */
async function cutToWholeLines(file: FileHandle, path: string): Promise<Buffer | null> {
  const { size } = await file.stat();
  let tail: Buffer = Buffer.alloc(0);
  let start = size;
  while (start > 0 && countNewlines(tail) < 2) {
    const stepBytes = Math.min(TAIL_STEP_BYTES, start);
    start -= stepBytes;
    const { buffer } = await file.read({ buffer: Buffer.alloc(stepBytes), position: start });
    tail = Buffer.concat([buffer, tail]);
  }
  const end = tail.lastIndexOf(NEWLINE);
  await file.truncate(start + end + 1);
  if (end === -1) return null;
  const lineStart = end === 0 ? 0 : tail.lastIndexOf(NEWLINE, end - 1) + 1;
  try {
    return parseRow(tail.subarray(lineStart, end)).key;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new KvError("INVALID_ARGUMENT", `${path} was not written by kv export: its last line ${reason}`, {
      cause: error,
    });
  }
}

/** At most two are told apart: one that ends the last whole line, and one before it. */
function countNewlines(bytes: Buffer): number {
  const last = bytes.lastIndexOf(NEWLINE);
  if (last === -1) return 0;
  return last > 0 && bytes.lastIndexOf(NEWLINE, last - 1) !== -1 ? 2 : 1;
}
