import { Worker } from "node:worker_threads";
import { assert, unreachable } from "../base/assert.ts";
import { plantedMutants } from "../base/mutants.ts";
import { errorCodeOfWire, KvError } from "../model/errors.ts";
import type { Sequence } from "../model/position.ts";
import type { Applier, ApplierListener, ImportBase, ImportedChunk } from "../shard/applier.ts";
import { rowsOfChunk } from "../tree/tree-chunk.ts";
import type { TreeReader } from "../tree/tree.ts";
import type { FromApplier, ToApplier } from "./applier-messages.ts";

/** Heap of the applier's thread, in MiB. A run's rows fit four times; buffers do not count. */
const HEAP_MIB_MAX = 512;
/** Beside it, for what was just allocated, in MiB: V8's own choice keeps 150 MB more for a thread that idles, and was no faster. */
const YOUNG_MIB_MAX = 24;

/** What an applier in a thread of its own is made of. The tree must have been opened here before: it makes the file. */
export interface WorkerApplierParts {
  readonly logDirectory: string;
  readonly treePath: string;
  /** The shard's own handle on the tree, which must see what the thread has written. */
  readonly reader: TreeReader;
  readonly listener: ApplierListener;
}

/**
 * The applier of a real node: a worker thread that reads the log's files itself.
 *
 * Owns the thread. Whatever the thread reports, the reader is made to see it before anyone here acts on it: the library keeps
 * a read transaction until the loop's next turn, and a row that has left the memtable would be missed in both. A thread that
 * fails, or ends unasked, is fatal.
 */
export class WorkerApplier implements Applier {
  readonly #worker: Worker;
  readonly #reader: TreeReader;
  readonly #listener: ApplierListener;
  /** Those who wait for their requests, in order. */
  readonly #waiting: Array<() => void> = [];
  #closed: (() => void) | null = null;
  #hasFailed = false;
  #hasEnded = false;

  constructor(parts: WorkerApplierParts) {
    this.#reader = parts.reader;
    this.#listener = parts.listener;
    this.#worker = new Worker(new URL("./applier-worker.ts", import.meta.url), {
      name: "applier",
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX, maxYoungGenerationSizeMb: YOUNG_MIB_MAX },
    });
    this.#worker.on("message", (message: FromApplier) => this.#receive(message));
    this.#worker.on("error", (error) => this.#fail(error instanceof Error ? error : new Error(String(error))));
    this.#worker.on("exit", (code) => this.#onExit(code));
    const { logDirectory, treePath } = parts;
    this.#send({ kind: "start", logDirectory, treePath, mutants: plantedMutants() });
  }

  applyThrough(sequence: Sequence): void {
    this.#send({ kind: "applyThrough", sequence });
  }

  wipe(done: () => void): void {
    this.#waiting.push(done);
    this.#send({ kind: "wipe" });
  }

  importChunk(imported: ImportedChunk, done: () => void): void {
    const { chunk, afterKey } = imported;
    rowsOfChunk(chunk, afterKey);
    this.#waiting.push(done);
    // Bytes of their own, which can change hands; sent as a view, the whole buffer behind it would be copied.
    const bytes = new Uint8Array(chunk.bytes);
    const bare = { ...imported, chunk: { ...chunk, bytes: Buffer.alloc(0) } };
    this.#worker.postMessage({ kind: "importChunk", imported: bare, bytes } satisfies ToApplier, [bytes.buffer]);
  }

  setBase(base: ImportBase, done: () => void): void {
    this.#waiting.push(done);
    this.#send({ kind: "setBase", base });
  }

  close(done: () => void): void {
    assert(this.#closed === null, "an applier is closed once");
    this.#closed = done;
    if (this.#hasEnded) done();
    else if (this.#hasFailed) void this.#worker.terminate();
    else this.#send({ kind: "close" });
  }

  #send(message: ToApplier): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromApplier): void {
    this.#reader.resetReadTransaction();
    switch (message.kind) {
      case "applied":
        this.#listener.onApplied(message.sequence);
        break;
      case "done":
        this.#waiting.shift()?.();
        break;
      case "diskFull":
        this.#listener.onDiskFull(message.isFull);
        break;
      case "fatal":
        this.#fail(errorOf(message));
        break;
      default:
        unreachable(message);
    }
  }

  #onExit(code: number): void {
    this.#hasEnded = true;
    if (this.#closed === null) this.#fail(new Error(`The applier's thread ended unasked with code ${code}`));
    else this.#closed();
  }

  #fail(error: Error): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#listener.onFatal(error);
  }
}

function errorOf(fatal: Extract<FromApplier, { readonly kind: "fatal" }>): Error {
  const cause = { stack: fatal.stack };
  if (fatal.wire !== null) return new KvError(errorCodeOfWire(fatal.wire), fatal.message, { cause });
  return new Error(`The tree cannot be written: ${fatal.message}`, { cause });
}
