import { silentLogger } from "../../src/base/logger.ts";
import { SeededRandom } from "../../src/base/random.ts";
import type { LogSizes } from "../../src/log/log-parts.ts";
import { SegmentedLog } from "../../src/log/segmented-log.ts";
import { SPACE, type EntryBody, type Mutation } from "../../src/model/entry.ts";
import type { Epoch, EpochRef, Sequence } from "../../src/model/position.ts";
import { NO_EPOCH } from "../../src/model/position.ts";
import { InlineApplier } from "../../src/shard/inline-applier.ts";
import { LogEntries } from "../../src/shard/log-entries.ts";
import { openShardStore } from "../../src/shard/open-shard-store.ts";
import type { ShardStore, ShardStoreListener } from "../../src/shard/shard-store.ts";
import { MemoryTree, MemoryTreeFile } from "../../src/tree/memory-tree.ts";
import { ManualTimers } from "./manual-timers.ts";
import { SimCrashError, SimDisk } from "./sim-disk.ts";

const EVERYTHING = Number.MAX_SAFE_INTEGER;
const LOG_DIRECTORY = "/node/log";
const SMALL_SIZES: LogSizes = { segmentBytesFirst: 4096, segmentBytesMax: 16_384, tailBytesMax: 2048 };

export function termOf(epoch: Epoch): string {
  return epoch.toString(16).padStart(16, "0");
}

export function epochStart(term: string, options: { versionBase?: number; lineage?: number } = {}): EntryBody {
  const { versionBase = 0, lineage = 0 } = options;
  return { kind: "epochStart", start: { term, previous: NO_EPOCH, versionBase, lineage, inSync: [] } };
}

/** A change of user rows: null deletes. */
export function dataBody(texts: Readonly<Record<string, string | null>>): EntryBody {
  const mutations = Object.entries(texts).map(([key, text]): Mutation => {
    const value = text === null ? null : Buffer.from(text);
    return { space: SPACE.user, key, value, expiryMs: 0, contentType: "" };
  });
  return { kind: "data", mutations };
}

/** One node's store over a simulated disk and a tree in memory, through crashes. */
export class StoreFixture {
  readonly timers: ManualTimers;
  readonly disk: SimDisk;
  readonly treeFile: MemoryTreeFile = new MemoryTreeFile();
  readonly sizes: LogSizes;
  /** What the store told, as "written 3", "flushed 3", "applied 3". */
  readonly told: string[] = [];
  readonly damages: string[] = [];
  readonly fatal: Error[] = [];
  listener: Partial<ShardStoreListener> = {};
  /** How long one transaction of the applier takes. */
  transactionMs = 0;
  readonly #random: SeededRandom;
  #opened: { readonly store: ShardStore; readonly log: SegmentedLog; readonly applier: InlineApplier } | null = null;

  constructor(options: { timers?: ManualTimers; sizes?: LogSizes; seed?: number } = {}) {
    this.#random = new SeededRandom(options.seed ?? 11);
    this.timers = options.timers ?? new ManualTimers();
    this.disk = new SimDisk(this.timers, this.#random.fork("disk"));
    this.sizes = options.sizes ?? SMALL_SIZES;
  }

  get store(): ShardStore {
    if (this.#opened === null) throw new Error("the store is not open");
    return this.#opened.store;
  }

  get log(): SegmentedLog {
    if (this.#opened === null) throw new Error("the store is not open");
    return this.#opened.log;
  }

  open(): ShardStore {
    const { timers } = this;
    let applier: InlineApplier | null = null;
    let opened: SegmentedLog | null = null;
    const store = openShardStore(
      {
        clock: timers,
        timers,
        openTree: () => new MemoryTree(this.treeFile),
        openLog: (onCutEnd) => {
          const result = this.#openLog(onCutEnd);
          opened = result.log;
          return result;
        },
        makeApplier: ({ log, tree, onApplied }) => {
          applier = new InlineApplier({
            source: new LogEntries(log),
            writer: new MemoryTree(this.treeFile),
            reader: tree,
            clock: timers,
            timers,
            transactionMs: () => this.transactionMs,
            listener: { onApplied, onDiskFull: () => {}, onFatal: (error) => this.fatal.push(error) },
          });
          return applier;
        },
      },
      {
        onWritten: (sequence) => this.#tell("written", sequence),
        onFlushed: (sequence) => this.#tell("flushed", sequence),
        onApplied: (sequence) => this.#tell("applied", sequence),
      },
      (sentence, mustResync) => this.damages.push(`${mustResync ? "resync" : "repair"}: ${sentence}`),
    );
    if (applier === null || opened === null) throw new Error("the store has no applier or no log");
    this.#opened = { store, log: opened, applier };
    return store;
  }

  /** The process dies and starts again; what it wrote is in the page cache. */
  crash(): ShardStore {
    this.#die();
    this.disk.crash();
    return this.open();
  }

  /** The machine dies: what was not flushed may be gone. */
  powerCut(): ShardStore {
    this.#die();
    this.disk.powerCut();
    return this.open();
  }

  /** Begins a leadership and flushes it. */
  lead(epoch: Epoch, options: { versionBase?: number; lineage?: number; term?: string } = {}): EpochRef {
    const { term = termOf(epoch) } = options;
    this.store.append({ epoch, term }, epochStart(term, options));
    this.settle();
    return { epoch, term };
  }

  /** Appends one entry of the newest leadership that changes these rows. */
  append(texts: Readonly<Record<string, string | null>>): Sequence {
    return this.store.append(this.store.lastEpoch, dataBody(texts));
  }

  /** Lets everything under way end: batches, flushes, prepared segments. Timers further away do not fire. */
  settle(): void {
    this.timers.advance(50);
  }

  /** The text of a row as of `limit`; null when it is not there. */
  read(key: string, limit: Sequence = EVERYTHING): string | null {
    return this.store.view.get(SPACE.user, key, limit).record?.value.toString() ?? null;
  }

  /** The text of a row in the tree alone. */
  inTree(key: string): string | null {
    return new MemoryTree(this.treeFile).get(SPACE.user, key)?.value.toString() ?? null;
  }

  #tell(what: "written" | "flushed" | "applied", sequence: Sequence): void {
    this.told.push(`${what} ${sequence}`);
    if (what === "written") this.listener.onWritten?.(sequence);
    else if (what === "flushed") this.listener.onFlushed?.(sequence);
    else this.listener.onApplied?.(sequence);
  }

  #openLog(onCutEnd: Parameters<typeof SegmentedLog.open>[0]["onCutEnd"]): ReturnType<typeof SegmentedLog.open> {
    return SegmentedLog.open({
      disk: this.disk,
      directory: LOG_DIRECTORY,
      timers: this.timers,
      random: this.#random.fork(`salt ${this.disk.life}`),
      logger: silentLogger,
      sizes: this.sizes,
      whenMissing: "create",
      onCutEnd,
      onFatal: (error) => {
        if (!(error instanceof SimCrashError)) this.fatal.push(error);
      },
    });
  }

  #die(): void {
    this.timers.clear();
    this.#opened?.applier.crash();
    this.#opened?.store.stop();
    this.#opened = null;
  }
}
