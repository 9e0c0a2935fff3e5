import { join } from "node:path";
import type { Clock, Timers } from "../base/clock.ts";
import type { Disk } from "../base/disk.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import type { Log } from "../log/log.ts";
import { LOG_FOLDER, TREE_FOLDER, type NodeFile } from "../log/node-file.ts";
import { SegmentedLog } from "../log/segmented-log.ts";
import type { Applier, ApplierListener } from "../shard/applier.ts";
import { openShardStore, type NoteDamage } from "../shard/open-shard-store.ts";
import type { ShardStore, ShardStoreListener } from "../shard/shard-store.ts";
import { LmdbTree } from "../tree/lmdb-tree.ts";
import type { TreeReader } from "../tree/tree.ts";
import { WorkerApplier } from "./worker-applier.ts";

export interface NodeStoreParts {
  readonly directory: string;
  readonly disk: Disk;
  readonly nodeFile: NodeFile;
  readonly clock: Clock & Timers;
  readonly random: Random;
  readonly logger: Logger;
  /** Storage has failed in a way that ends the process (rule S3). */
  readonly onFatal: (error: Error) => void;
}

/** Name of the tree's file below the folder `tree`. */
export const TREE_FILE_NAME = "rows.mdb";

/**
 * The files of one data directory as a shard store: segments, tree, and the thread that brings one into the other.
 *
 * Owns what it opened, also when opening fails half-way, and closes it in `close`: the thread first, since it writes the tree.
 */
export class NodeStore {
  readonly #parts: NodeStoreParts;
  #tree: TreeReader | null = null;
  #log: Log | null = null;
  #applier: Applier | null = null;

  constructor(parts: NodeStoreParts) {
    this.#parts = parts;
  }

  /** Recovers the log and opens the rest. Blocking. Throws KvError DATA_CORRUPT, UNKNOWN_FORMAT, or the system's error. */
  open(listener: ShardStoreListener, noteDamage: NoteDamage): ShardStore {
    const { directory, disk, nodeFile, clock, random, logger, onFatal } = this.#parts;
    const logDirectory = join(directory, LOG_FOLDER);
    const treeDirectory = join(directory, TREE_FOLDER);
    const treePath = join(treeDirectory, TREE_FILE_NAME);
    disk.makeDirectory(treeDirectory);
    const openers = {
      clock,
      timers: clock,
      openTree: () => (this.#tree = new LmdbTree({ path: treePath })),
      openLog: (onCutEnd: Parameters<typeof SegmentedLog.open>[0]["onCutEnd"]) => {
        const whenMissing = nodeFile.hasLog ? ("refuse" as const) : ("create" as const);
        const opened = SegmentedLog.open({
          disk,
          directory: logDirectory,
          timers: clock,
          random,
          logger,
          whenMissing,
          onCutEnd,
          onFatal,
        });
        this.#log = opened.log;
        nodeFile.noteLog();
        return opened;
      },
      makeApplier: (made: { readonly tree: TreeReader; readonly onApplied: ApplierListener["onApplied"] }) => {
        const applierListener = { onApplied: made.onApplied, onDiskFull: tellDiskFull(logger), onFatal };
        this.#applier = new WorkerApplier({ logDirectory, treePath, reader: made.tree, listener: applierListener });
        return this.#applier;
      },
    };
    return openShardStore(openers, listener, noteDamage);
  }

  /** Closes what is open. The store must be quiet. */
  close(done: () => void): void {
    const closeFiles = (): void => {
      this.#tree?.close();
      this.#log?.close();
      done();
    };
    if (this.#applier === null) closeFiles();
    else this.#applier.close(closeFiles);
  }
}

function tellDiskFull(logger: Logger): (isFull: boolean) => void {
  return (isFull) => {
    if (isFull) logger.warn("The disk has no room for the tree; it is tried again");
    else logger.info("The tree has room again");
  };
}
