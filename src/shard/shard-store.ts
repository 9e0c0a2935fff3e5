import { assert } from "../base/assert.ts";
import type { Clock, Timers } from "../base/clock.ts";
import { mutant } from "../base/mutants.ts";
import { LIMITS } from "../model/limits.ts";
import { decodeEntry, EntryFormatError, type Entry, type EntryBody } from "../model/entry.ts";
import type { EpochRef, Sequence, Version } from "../model/position.ts";
import type { EpochMark, Log, LogRecovery, Room } from "../log/log.ts";
import type { TreeReader } from "../tree/tree.ts";
import { TREE_META, type Applier } from "./applier.ts";
import { ApplyPacer } from "./apply-pacer.ts";
import { GroupCommit } from "./group-commit.ts";
import { LogClock } from "./log-clock.ts";
import { Memtable } from "./memtable.ts";
import { ShardView } from "./shard-view.ts";

/** Whom the store tells about its progress. Called from the loop, never from within a call into the store. */
export interface ShardStoreListener {
  /** Entries up to here are in the log's files (not flushed): they may travel to replicas. */
  onWritten(sequence: Sequence): void;
  /** Entries up to here are flushed on this node. */
  onFlushed(sequence: Sequence): void;
  /** The tree has taken more of the log: room in the memtable, log that may be trimmed. */
  onApplied(sequence: Sequence): void;
}

/** What a store is made of. `makeApplier` gets the callback that must run after each run of the applier. */
export interface ShardStoreParts {
  readonly log: Log;
  readonly recovery: LogRecovery;
  readonly tree: TreeReader;
  readonly makeApplier: (onApplied: (appliedSequence: Sequence) => void) => Applier;
  readonly clock: Clock;
  readonly timers: Timers;
}

const REPLAY_BYTES = 1024 * 1024;
/** With a full memtable; a thousand pipelined writes are then ten thousand a second, which any tree can take. */
const WRITE_DELAY_MS_MAX = 100;
/** Batch headers of one append at worst: asked for together with the entry. */
const BATCH_OVERHEAD_BYTES = 64;

/**
 * One shard on one node: log, memtable and tree as one store. It knows no network and no roles.
 *
 * Owns the order of things on this node: an entry is in the memtable before its batch goes to the log (S9), the durable
 * position moves only by flushes (S2), only what is committed *and* flushed here settles and goes to the tree (D5). Who
 * decides what is committed is the caller, through `commit`. Storage errors are fatal and handled below (S3).
 */
export class ShardStore {
  readonly log: Log;
  readonly tree: TreeReader;
  readonly view: ShardView;
  readonly memtable: Memtable = new Memtable();
  readonly clock: LogClock;
  readonly applier: Applier;
  readonly #listener: ShardStoreListener;
  readonly #groupCommit: GroupCommit;
  readonly #pacer: ApplyPacer;
  readonly #timers: Timers;
  #lastSequence: Sequence;
  #lastEpoch: EpochRef;
  #commitSequence: Sequence;
  #settledSequence: Sequence;
  #appliedSequence: Sequence;
  #versionBase: number;
  /** Whether the log goes on where the tree ends. Where it does not, nothing is replayed or applied until `restartBehind`. */
  #isContinuous: boolean;

  /** Replays what the log holds beyond the tree into the memtable. Blocking; throws EntryFormatError on damage. */
  constructor(parts: ShardStoreParts, listener: ShardStoreListener) {
    this.log = parts.log;
    this.tree = parts.tree;
    this.#timers = parts.timers;
    this.#listener = listener;
    const { appliedSequence, applyingThrough } = parts.tree.position();
    this.view = new ShardView(this.memtable, parts.tree);
    this.clock = new LogClock(parts.clock, Number(parts.tree.meta(TREE_META.logClockMs) ?? 0));
    this.#lastSequence = parts.log.lastSequence;
    this.#lastEpoch = parts.log.lastEpoch;
    this.#appliedSequence = appliedSequence;
    // What reached the tree, even in part, was committed and flushed before. A batch header may name a commit behind the
    // log's end, whose entries a power cut took: what is appended in their place is not committed by it.
    const commitInLog = Math.min(parts.recovery.commitSequence, parts.log.lastSequence);
    this.#commitSequence = Math.max(commitInLog, applyingThrough);
    this.#settledSequence = Math.min(this.#commitSequence, parts.log.durableSequence);
    this.#versionBase = versionBaseAt(parts.log.epochs, appliedSequence);
    this.#isContinuous = parts.log.startSequence <= appliedSequence + 1 && applyingThrough <= parts.log.lastSequence;
    if (this.#isContinuous) this.#replay();
    this.memtable.settle(this.#settledSequence);
    this.applier = parts.makeApplier((sequence) => this.#onApplied(sequence));
    this.#pacer = new ApplyPacer(parts.timers, () => this.#apply());
    this.#groupCommit = new GroupCommit({
      log: parts.log,
      timers: parts.timers,
      commitSequence: () => this.#commitSequence,
      delayMs: () => writeDelayMs(this.memtable.sizeBytes),
      onWritten: (sequence) => listener.onWritten(sequence),
      onFlushed: (sequence) => this.#onFlushed(sequence),
    });
    this.#pacer.observe(this.#unappliedBytes());
  }

  /** End of the appended log, flushed or not. */
  get lastSequence(): Sequence {
    return this.#lastSequence;
  }

  /** Leadership of the last appended entry. */
  get lastEpoch(): EpochRef {
    return this.#lastEpoch;
  }

  get durableSequence(): Sequence {
    return this.log.durableSequence;
  }

  /** Highest position known to be committed; may be past this node's own flush on a replica. */
  get commitSequence(): Sequence {
    return this.#commitSequence;
  }

  /** min(commit, own flush): what a replica may show (`visibleSeq`), and what may go to the tree. */
  get settledSequence(): Sequence {
    return this.#settledSequence;
  }

  get appliedSequence(): Sequence {
    return this.#appliedSequence;
  }

  get versionBase(): number {
    return this.#versionBase;
  }

  /** The version that the next entry gives to what it writes. */
  get nextVersion(): Version {
    return this.#versionOf(this.#lastSequence + 1);
  }

  /** Whether an entry of about `bytes` can be appended now; asked before every append (S4). */
  roomFor(bytes: number): Room {
    if (mutant("M66")) return "yes";
    return this.log.roomFor(bytes + BATCH_OVERHEAD_BYTES + this.#groupCommit.queuedBytes);
  }

  /** Appends one entry of this node's own leadership and returns its sequence. `roomFor` must have said yes. */
  append(epoch: EpochRef, body: EntryBody): Sequence {
    const timestampMs = this.clock.nowMs();
    const entry: Entry = { epoch: epoch.epoch, sequence: this.#lastSequence + 1, timestampMs, body };
    this.#enter(entry);
    this.#groupCommit.add(entry);
    return entry.sequence;
  }

  /**
   * Appends entries received from the leader, as they lie on its disk. Throws EntryFormatError when they are damaged, do
   * not follow this log's end, or are of an epoch out of order (§2.6, replica step 3); nothing of them is appended then.
   */
  receive(bytes: Buffer, epochMax: number): void {
    const entries: { entry: Entry; raw: Buffer }[] = [];
    let sequence = this.#lastSequence;
    let { epoch } = this.#lastEpoch;
    for (let at = 0; at < bytes.length;) {
      const entry = decodeEntry(bytes, at);
      if (entry.sequence !== sequence + 1) {
        throw new EntryFormatError(`Entry ${entry.sequence} does not follow ${sequence}`);
      }
      if (entry.epoch < epoch || entry.epoch > epochMax || entry.epoch === 0) {
        throw new EntryFormatError(`Epoch ${entry.epoch} is out of order`);
      }
      if (entry.epoch > epoch !== (entry.body.kind === "epochStart")) {
        throw new EntryFormatError(`Epoch ${entry.epoch} does not begin with its one start (G5)`);
      }
      entries.push({ entry, raw: bytes.subarray(at, at + entry.lengthBytes) });
      sequence = entry.sequence;
      epoch = entry.epoch;
      at += entry.lengthBytes;
    }
    for (const { entry, raw } of entries) {
      this.#enter(entry);
      this.#groupCommit.addEncoded(raw);
    }
  }

  /** Takes note that everything up to `sequence` is committed. */
  commit(sequence: Sequence): void {
    if (sequence <= this.#commitSequence) return;
    this.#commitSequence = sequence;
    this.#settle();
  }

  /** Calls `done` when no write or flush is under way; what was appended but not yet written is dropped before (§2.10). */
  quiesce(done: () => void): void {
    this.#groupCommit.drain(() => {
      if (this.#lastSequence > this.log.lastSequence) this.#forgetAfter(this.log.lastSequence);
      done();
    });
  }

  /**
   * Cuts the log behind `sequence` and forgets what stood there (§2.11). Only while quiet, and only what is not settled.
   * `keep` gets the cut entries' bytes before they go. Returns their number of bytes.
   */
  truncateAfter(sequence: Sequence, keep: (cut: Buffer) => void): number {
    assert(sequence >= this.#settledSequence || mutant("M33"), "the log is never cut below what is settled (P2)");
    const cut = this.log.truncateAfter(sequence, keep);
    if (!mutant("M31")) this.#forgetAfter(sequence);
    else this.#lastSequence = sequence;
    return cut.length;
  }

  /** Empties the tree for a copy (§2.12). The log is no continuation of it from now on. Only while quiet. */
  wipeTree(done: () => void): void {
    this.#isContinuous = false;
    this.applier.wipe(done);
  }

  /**
   * Starts anew behind a copied state (§2.12); the tree has been filled through the applier before. Only while quiet. Throws
   * KvError DISK_FULL with nothing changed.
   */
  restartBehind(
    base: { readonly sequence: Sequence; readonly epochs: readonly EpochMark[] },
    logClockMs: number,
  ): void {
    this.log.restart(base);
    this.#isContinuous = true;
    this.memtable.reset(base.sequence);
    this.#lastSequence = base.sequence;
    this.#lastEpoch = this.log.lastEpoch;
    this.#commitSequence = base.sequence;
    this.#settledSequence = base.sequence;
    this.#appliedSequence = base.sequence;
    this.#versionBase = versionBaseAt(this.log.epochs, base.sequence);
    this.clock.observe(logClockMs);
  }

  /** Has the tree take in everything that is settled, without waiting for the usual amount or time. */
  applyNow(): void {
    this.#pacer.hurry();
  }

  /** Waits for nothing: the loop calls no one of the store any more. Files are closed by who opened them. */
  stop(): void {
    this.#pacer.stop();
    this.#groupCommit.stop();
  }

  #enter(entry: Entry): void {
    const { sequence, body } = entry;
    if (body.kind === "epochStart") {
      this.#versionBase = body.start.versionBase;
      this.#lastEpoch = { epoch: entry.epoch, term: body.start.term };
    }
    const version = this.#versionOf(sequence);
    // Before the batch goes to the log: nobody may find the effect there and not here (S9).
    if (mutant("M47")) this.#timers.after(0, () => this.#show(sequence, version, body));
    else this.#show(sequence, version, body);
    this.#lastSequence = sequence;
    this.clock.observe(entry.timestampMs);
  }

  #show(sequence: Sequence, version: Version, body: EntryBody): void {
    if (body.kind === "data") this.memtable.put(sequence, version, body.mutations);
    else if (body.kind === "clear") this.memtable.clear(sequence);
  }

  /** Each entry has a version of its own, also among those that are written together (rule G2). */
  #versionOf(sequence: Sequence): Version {
    return this.#versionBase + (mutant("M101") ? this.log.lastSequence + 1 : sequence);
  }

  #onFlushed(sequence: Sequence): void {
    this.#settle();
    this.#listener.onFlushed(sequence);
  }

  #settle(): void {
    const sequence = Math.min(this.#commitSequence, this.log.durableSequence);
    if (sequence <= this.#settledSequence) return;
    this.#settledSequence = sequence;
    this.memtable.settle(sequence);
    this.#pacer.observe(this.#unappliedBytes());
  }

  #apply(): void {
    if (!this.#isContinuous) return this.#pacer.finished(0);
    this.memtable.seal();
    this.applier.applyThrough(mutant("M102") ? this.#commitSequence : this.#settledSequence);
  }

  /** The applier has reset the tree's read transaction: only now may the memtable let go (storage.md, The tree). */
  #onApplied(sequence: Sequence): void {
    this.#appliedSequence = sequence;
    this.memtable.dropThrough(sequence);
    this.#pacer.finished(this.#unappliedBytes());
    this.#listener.onApplied(sequence);
  }

  #unappliedBytes(): number {
    const isBehind = this.#isContinuous && this.#settledSequence > this.#appliedSequence;
    return isBehind ? Math.max(1, this.memtable.sizeBytes) : 0;
  }

  #forgetAfter(sequence: Sequence): void {
    this.memtable.truncateAfter(sequence);
    this.#lastSequence = sequence;
    // What comes in the place of the entries that went is not committed because they were.
    this.#commitSequence = Math.min(this.#commitSequence, sequence);
    this.#lastEpoch = this.log.lastEpoch;
    this.#versionBase = versionBaseAt(this.log.epochs, sequence);
  }

  #replay(): void {
    const last = this.#lastSequence;
    this.#lastSequence = Math.max(this.#appliedSequence, this.log.startSequence - 1);
    while (this.#lastSequence < last) {
      const { bytes } = this.log.read(this.#lastSequence + 1, REPLAY_BYTES);
      assert(bytes.length > 0, "the log holds every entry behind the tree's position");
      for (let at = 0; at < bytes.length;) {
        const entry = decodeEntry(bytes, at);
        this.#enter(entry);
        at += entry.lengthBytes;
      }
    }
    this.#lastSequence = last;
    this.#lastEpoch = this.log.lastEpoch;
  }
}

/** How long a batch waits when the memtable holds `sizeBytes`: nothing up to half of what it may, then ever more. */
function writeDelayMs(sizeBytes: number): number {
  const excess = sizeBytes / LIMITS.memtableBytesMax - 0.5;
  return excess <= 0 ? 0 : Math.ceil(excess * excess * 4 * WRITE_DELAY_MS_MAX);
}

/** Version base in force for the entry behind `sequence`. */
function versionBaseAt(epochs: readonly EpochMark[], sequence: Sequence): number {
  let base = 0;
  for (const mark of epochs) if (mark.firstSequence <= sequence) base = mark.versionBase;
  return base;
}
