import type { Timer, Timers } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { mutant } from "../base/mutants.ts";
import type { Random } from "../base/random.ts";
import type { Coordinator, ReadResult, SwapResult } from "../coordinator/coordinator.ts";
import { KvError } from "../model/errors.ts";
import type { NodeName } from "../model/position.ts";
import { decodeShardDocument, encodeShardDocument, type ShardDocument } from "../model/shard-document.ts";

export interface ShardRegisterParts {
  readonly coordinator: Coordinator;
  /** Of the shard's document. */
  readonly key: string;
  readonly node: NodeName;
  /** Of this process: tokens of an earlier one are not ours. */
  readonly boot: string;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
}

/** A document, and the revision that it has. */
export interface KnownDocument {
  readonly document: ShardDocument;
  readonly revision: string;
}

export type RegisterReading =
  | { readonly kind: "known"; readonly known: KnownDocument }
  | { readonly kind: "absent" }
  /** No answer, or one that makes no sense; a sentence without its end. */
  | { readonly kind: "failed"; readonly reason: string };

/** What became of a change, for certain. */
export type ChangeOutcome =
  | { readonly kind: "accepted"; readonly known: KnownDocument }
  /** Somebody else has changed the document; what it is now, null when it is gone. */
  | { readonly kind: "refused"; readonly actual: KnownDocument | null }
  /** It was never sent. */
  | { readonly kind: "failed"; readonly reason: string };

/** What a change is to make of the document; version and token are the register's. */
export type NextDocument = Omit<ShardDocument, "version" | "token">;

const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 1000;

/**
 * One shard's document at the coordinator, as one member reads and changes it (rules C1–C3, C6).
 *
 * Owns the change under way; there is one at most. A change whose outcome is unknown is *fenced*: the same swap is repeated
 * until one attempt is definitely accepted or refused, since then the revision has moved on and no attempt can still land.
 * Reading the document again would not be enough: the first attempt may arrive after that (M38). Only then is `done` called.
 */
export class ShardRegister {
  readonly #parts: ShardRegisterParts;
  #tokenCount = 0;
  #isChanging = false;
  #timer: Timer | null = null;
  #isStopped = false;
  /** As it was said to the operator. */
  #fault: string | null = null;

  constructor(parts: ShardRegisterParts) {
    this.#parts = parts;
  }

  /** What is wrong with the document that was read last, as a sentence; null when it makes sense. */
  get fault(): string | null {
    return this.#fault;
  }

  /** Whether a change is under way, perhaps for long: while the coordinator does not answer. */
  get isChanging(): boolean {
    return this.#isChanging;
  }

  /** Reads the document, linearizably. */
  read(done: (reading: RegisterReading) => void): void {
    const { coordinator, key } = this.#parts;
    coordinator.read(key, (result) => {
      if (!this.#isStopped) done(this.#readingOf(result));
    });
  }

  /** Replaces `base` by `next` unless somebody was first. Only while no change is under way. */
  change(base: KnownDocument, next: NextDocument, done: (outcome: ChangeOutcome) => void): void {
    const { node, boot } = this.#parts;
    const token = `${node}/${boot}/${++this.#tokenCount}`;
    const document: ShardDocument = { ...next, version: base.document.version + 1, token };
    this.#isChanging = true;
    const change = { base, document, value: encodeShardDocument(document), done, attempts: 0, isUnknown: false };
    const fault = this.#faultOf(change.value);
    if (fault === null) return this.#attempt(change);
    // Only a document written by hand leads here. Not at once: whoever asks again would do so at every reading.
    this.#timer = this.#parts.timers.after(RETRY_MS_MAX, () => this.#settle(change, { kind: "failed", reason: fault }));
  }

  /** Watches for changes by others; `onChange` is only a hint to read. */
  watch(onChange: () => void): { stop(): void } {
    return this.#parts.coordinator.watch(this.#parts.key, onChange);
  }

  /** Calls nobody any more. What was sent may still take effect. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** Why nobody could read this document; null when it is as it must be. */
  #faultOf(value: string): string | null {
    const { key, logger } = this.#parts;
    try {
      decodeShardDocument(value, key);
      return null;
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      logger.error("A change of the shard's document is not made: nobody could read it", {
        key,
        reason: error.message,
      });
      return error.message;
    }
  }

  #attempt(change: Change): void {
    const { coordinator, key } = this.#parts;
    const swap = { expectedRevision: change.base.revision, value: change.value };
    coordinator.compareAndSwap(key, swap, (result) => {
      if (!this.#isStopped) this.#onResult(change, result);
    });
  }

  #onResult(change: Change, result: SwapResult): void {
    switch (result.kind) {
      case "accepted":
        return this.#settle(change, {
          kind: "accepted",
          known: { document: change.document, revision: result.revision },
        });
      case "refused":
        return this.#lookWhatIs(change);
      case "failed":
        if (!change.isUnknown) return this.#settle(change, { kind: "failed", reason: result.reason });
        return this.#again(change);
      case "unknown":
        if (mutant("M38")) return this.#lookWhatIs(change);
        this.#parts.logger.warn("The coordinator may have taken a change; it is repeated until that is certain", {
          key: this.#parts.key,
          cause: change.document.cause,
          reason: result.reason,
        });
        return this.#again({ ...change, isUnknown: true });
    }
  }

  #again(change: Change): void {
    const ceilingMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** change.attempts);
    const delayMs = ceilingMs * (0.5 + this.#parts.random.next() / 2);
    this.#timer = this.#parts.timers.after(delayMs, () => this.#attempt({ ...change, attempts: change.attempts + 1 }));
  }

  /**
   * The revision has moved on. It may have been an earlier attempt of this very change that was first: the document then bears
   * our token. Perhaps with another change on top of ours; so whoever asked goes by what is there now, whatever it takes to know.
   */
  #lookWhatIs(change: Change): void {
    this.read((reading) => {
      if (reading.kind === "failed") {
        this.#timer = this.#parts.timers.after(RETRY_MS_MAX, () => this.#lookWhatIs(change));
        return;
      }
      const actual = reading.kind === "known" ? reading.known : null;
      const isOurs = actual?.document.token === change.document.token;
      this.#settle(
        change,
        isOurs && actual !== null ? { kind: "accepted", known: actual } : { kind: "refused", actual },
      );
    });
  }

  /** Everything goes on as it is, so nobody would notice that nobody can take over any more. */
  #sayFault(fault: string): void {
    if (fault === this.#fault) return;
    this.#fault = fault;
    const { key, logger } = this.#parts;
    logger.error("The shard's document makes no sense: nobody takes over while it is so", { key, reason: fault });
  }

  #settle(change: Change, outcome: ChangeOutcome): void {
    this.#isChanging = false;
    change.done(outcome);
  }

  #readingOf(result: ReadResult): RegisterReading {
    if (result.kind === "absent") this.#fault = null;
    if (result.kind === "absent") return result;
    if (result.kind === "failed") {
      return { kind: "failed", reason: `The coordinator does not answer: ${result.reason}` };
    }
    const { key } = this.#parts;
    try {
      const document = decodeShardDocument(result.value, key);
      this.#fault = null;
      return { kind: "known", known: { document, revision: result.revision } };
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      this.#sayFault(error.message);
      return { kind: "failed", reason: error.message };
    }
  }
}

interface Change {
  readonly base: KnownDocument;
  readonly document: ShardDocument;
  readonly value: string;
  readonly done: (outcome: ChangeOutcome) => void;
  readonly attempts: number;
  /** An attempt may have succeeded, or may still. */
  readonly isUnknown: boolean;
}
