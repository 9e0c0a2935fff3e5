import type { Clock, Timers } from "../base/clock.ts";
import type { Sequence } from "../model/position.ts";
import type { TreeReader, TreeWriter } from "../tree/tree.ts";
import type { Applier, ApplierListener, ImportBase, ImportedChunk } from "./applier.ts";
import { ApplierLoop } from "./applier-loop.ts";
import { APPLY_LIMITS, LogApplier, type ApplyLimits, type EntrySource } from "./log-applier.ts";

/** What an applier in the shard's own thread is made of. */
export interface InlineApplierParts {
  readonly source: EntrySource;
  readonly writer: TreeWriter;
  /** The shard's own handle, which must see what was written. */
  readonly reader: TreeReader;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Pause before each transaction: stands for the time that a thread of its own would take. */
  readonly transactionMs: () => number;
  readonly limits?: ApplyLimits;
  readonly listener: ApplierListener;
}

/**
 * The applier for simulation and tests: the production logic, in the shard's own thread, one transaction a timer.
 *
 * Owns the tree's writer. `crash` drops it between two transactions, as the death of the process would.
 */
export class InlineApplier implements Applier {
  readonly #loop: ApplierLoop;
  readonly #reader: TreeReader;

  constructor(parts: InlineApplierParts) {
    const { reader, clock, timers, listener } = parts;
    this.#reader = reader;
    this.#loop = new ApplierLoop({
      applier: new LogApplier(parts.source, parts.writer, parts.limits ?? APPLY_LIMITS),
      clock,
      timers: {
        after: (delayMs, run) => timers.after(delayMs + parts.transactionMs(), run),
        soon: (run) => timers.soon(run),
      },
      restMs: () => 0,
      listener: { ...listener, onApplied: (sequence) => this.#show(() => listener.onApplied(sequence)) },
    });
  }

  applyThrough(sequence: Sequence): void {
    this.#loop.applyThrough(sequence);
  }

  wipe(done: () => void): void {
    this.#loop.wipe(() => this.#show(done));
  }

  importChunk(imported: ImportedChunk, done: () => void): void {
    this.#loop.importChunk(imported, () => this.#show(done));
  }

  setBase(base: ImportBase, done: () => void): void {
    this.#loop.setBase(base, () => this.#show(done));
  }

  close(done: () => void): void {
    this.#loop.close(done);
  }

  /** Stops between two transactions; nothing is answered any more. */
  crash(): void {
    this.#loop.stop();
  }

  /** Makes the shard's reader see the tree as it is now, before anyone acts on the news. */
  #show(tell: () => void): void {
    this.#reader.resetReadTransaction();
    tell();
  }
}
