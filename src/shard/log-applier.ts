import { assert } from "../base/assert.ts";
import { mutant } from "../base/mutants.ts";
import type { Entry } from "../model/entry.ts";
import type { Sequence } from "../model/position.ts";
import type { TreeChange, TreePosition, TreeWriter } from "../tree/tree.ts";
import { TREE_META, type ImportBase, type ImportedChunk } from "./applier.ts";
import { LogicalIncrements } from "./planted-mistakes.ts";
import { RunFold, type FoldStart } from "./run-fold.ts";

/** Where entries are read from: the log, seen from the applier's thread (`LogReader`, or `LogEntries` in the log's own). */
export interface EntrySource {
  /** Entries `from` … `through` in order, checksums verified. What is handed out stays as it is. */
  read(from: Sequence, through: Sequence): Iterable<Entry>;
  /** The log is about to start anew: its files are no longer those that were open. */
  reset(): void;
  close(): void;
}

/** How much is taken in one go. */
export interface ApplyLimits {
  /** Keys and values, with what each costs besides, folded before they are written: bounds the memory. */
  readonly runBytesMax: number;
  /** Rows and bytes of one transaction: bounds how long a full disk or a stop has to wait. */
  readonly transactionRowsMax: number;
  readonly transactionBytesMax: number;
}

export const APPLY_LIMITS: ApplyLimits = {
  runBytesMax: 64 * 1024 * 1024,
  transactionRowsMax: 50_000,
  transactionBytesMax: 32 * 1024 * 1024,
};

/** What one step left behind. */
export interface ApplyStep {
  readonly appliedSequence: Sequence;
  /** Whether a transaction was made. */
  readonly didWrite: boolean;
  /** Whether the transaction ended a run: `appliedSequence` has moved. */
  readonly endedRun: boolean;
}

/** A stretch of the log, folded, and how many of its changes are in the tree. */
interface Run {
  readonly changes: readonly TreeChange[];
  readonly clearsUserRows: boolean;
  readonly start: Sequence;
  readonly end: FoldStart;
  written: number;
  isBegun: boolean;
}

/**
 * Takes the log into the tree, one transaction a step: the same code in the worker thread and in the simulation.
 *
 * Owns the tree's writer. The tree says itself how far it is: the first transaction of a run records `applyingThrough`, the
 * last one `appliedSequence`, with the counters as of there; so a crash between any two is repaired by running again from
 * `appliedSequence`. A step that throws has changed nothing and may be repeated.
 */
export class LogApplier {
  readonly #source: EntrySource;
  readonly #tree: TreeWriter;
  readonly #limits: ApplyLimits;
  #run: Run | null = null;

  constructor(source: EntrySource, tree: TreeWriter, limits: ApplyLimits = APPLY_LIMITS) {
    this.#source = source;
    this.#tree = tree;
    this.#limits = limits;
  }

  /** Makes the next transaction toward `through`, if one is needed. Throws DISK_FULL. */
  step(through: Sequence): ApplyStep {
    const { appliedSequence } = this.#tree.position();
    if (this.#run === null && through <= appliedSequence) return { appliedSequence, didWrite: false, endedRun: false };
    this.#run ??= this.#fold(through);
    const endedRun = this.#writeNext(this.#run);
    if (!endedRun) return { appliedSequence, didWrite: true, endedRun };
    const end = this.#run.end.appliedSequence;
    this.#run = null;
    return { appliedSequence: end, didWrite: true, endedRun };
  }

  /** Stores one chunk of a snapshot with its cursor. Throws DISK_FULL, and CORRUPT or PROTOCOL for a damaged chunk. */
  importChunk({ chunk, afterKey, meta }: ImportedChunk): void {
    // Behind replayed entries, the chunk would put old rows over newer effects.
    const isBeforeReplay = this.#tree.position().applyingThrough === 0;
    assert(isBeforeReplay || mutant("M94"), "a copy is stored before anything is replayed over it (M94)");
    this.#tree.importChunk(chunk, afterKey, meta);
  }

  /** Ends the copy: the tree stands at `base` from now on. Throws DISK_FULL. */
  setBase(base: ImportBase): void {
    const { sequence, logClockMs } = base;
    // Rows do not tell the base: a deleted row leaves no version behind.
    const versionBase = mutant("M95") ? 0 : base.versionBase;
    this.#run = null;
    this.#source.reset();
    this.#tree.apply({
      changes: [],
      clearUserRows: false,
      position: { appliedSequence: sequence, applyingThrough: sequence },
      meta: metaOf({ appliedSequence: sequence, versionBase, logClockMs }),
    });
  }

  /** Removes everything. Throws DISK_FULL. */
  wipe(): void {
    this.#run = null;
    this.#source.reset();
    this.#tree.wipe();
  }

  close(): void {
    this.#source.close();
    this.#tree.close();
  }

  #fold(through: Sequence): Run {
    const { appliedSequence } = this.#tree.position();
    const fold = new RunFold({
      appliedSequence,
      versionBase: Number(this.#tree.meta(TREE_META.versionBase) ?? 0),
      logClockMs: Number(this.#tree.meta(TREE_META.logClockMs) ?? 0),
    });
    const target = mutant("M31") ? Number.MAX_SAFE_INTEGER : through;
    const logical = mutant("M58") ? new LogicalIncrements() : null;
    for (const entry of this.#source.read(appliedSequence + 1, target)) {
      fold.add(entry);
      if (entry.body.kind === "data") logical?.note(entry.body.mutations);
      if (fold.bytes >= this.#limits.runBytesMax) break;
    }
    const { end } = fold;
    assert(end.appliedSequence > appliedSequence, `the log holds entry ${appliedSequence + 1}, which the tree lacks`);
    return {
      changes: logical?.replay(fold.changes(), this.#tree) ?? fold.changes(),
      clearsUserRows: fold.clearsUserRows,
      start: appliedSequence,
      end,
      written: 0,
      isBegun: false,
    };
  }

  /** Writes the run's next transaction; returns whether it was the last. */
  #writeNext(run: Run): boolean {
    const to = this.#transactionEnd(run);
    const isLast = to === run.changes.length;
    const applyingThrough = run.end.appliedSequence;
    const position: TreePosition = { appliedSequence: isLast ? applyingThrough : run.start, applyingThrough };
    this.#tree.apply({
      changes: run.changes.slice(run.written, to),
      clearUserRows: run.clearsUserRows && !run.isBegun,
      position,
      ...(isLast ? { meta: metaOf(run.end) } : {}),
    });
    run.isBegun = true;
    run.written = to;
    return isLast;
  }

  #transactionEnd(run: Run): number {
    let bytes = 0;
    let to = run.written;
    const rowsEnd = Math.min(run.changes.length, to + this.#limits.transactionRowsMax);
    while (to < rowsEnd && bytes < this.#limits.transactionBytesMax) {
      const change = run.changes[to++];
      if (change !== undefined) bytes += change.key.length + (change.record?.value.length ?? 0);
    }
    return to;
  }
}

function metaOf({ versionBase, logClockMs }: FoldStart): ReadonlyMap<string, string> {
  return new Map([
    [TREE_META.versionBase, String(versionBase)],
    [TREE_META.logClockMs, String(logClockMs)],
  ]);
}
