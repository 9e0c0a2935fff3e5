/**
 * Where the truth about shards lives: small JSON documents under keys, changed only by compare-and-swap (§2.4).
 *
 * Obligations of every kind, which the contract suite checks:
 *
 * - `done` is called exactly once, never within the call that takes it, and not after `close`. Nothing is thrown: a malformed
 *   key or value is `failed` like everything that did definitely not happen.
 * - Every call is answered by its deadline.
 * - `read` and `list` are linearizable (rule C6): they see every swap that was accepted before they were called, whoever made it.
 * - A swap is sent at most once (rule C2). Every accepted swap gives the key a revision that it never had before, larger than all
 *   earlier ones; so a request that was sent with an older revision and arrives late can only be refused (rule C3).
 */
export interface Coordinator {
  /** The document under `key`, and the revision at which it was written. */
  read(key: string, done: (result: ReadResult) => void): void;
  /** Replaces the document under `key` if its revision is the one expected. */
  compareAndSwap(key: string, swap: Swap, done: (result: SwapResult) => void): void;
  /** All documents whose keys start with `prefix`, which ends with a slash, in the order of their keys. */
  list(prefix: string, done: (result: ListResult) => void): void;
  /**
   * Has `onChange` called when the document under `key` may have changed. Only a hint to read it (rule C4): it may come late,
   * twice, without a change, or not at all.
   */
  watch(key: string, onChange: () => void): Watch;
  /** Ends all watches and connections. Calls under way are never answered. */
  close(): void;
}

/** The revision of a document that does not exist. */
export const NO_REVISION = "0";

export interface Swap {
  /** As `read` or an accepted swap gave it; `NO_REVISION` when there must be no document yet. */
  readonly expectedRevision: string;
  /** Well-formed text of at most `LIMITS.documentBytesMax` bytes in UTF-8. */
  readonly value: string;
}

/** A document with its revision: a decimal number of up to 64 bits, opaque but for equality. */
export interface StoredDocument {
  readonly key: string;
  readonly value: string;
  readonly revision: string;
}

/** It did definitely not happen, and why, as a sentence without its end. */
export interface Failed {
  readonly kind: "failed";
  readonly reason: string;
}

export type ReadResult =
  | { readonly kind: "value"; readonly value: string; readonly revision: string }
  | { readonly kind: "absent" }
  | Failed;

export type SwapResult =
  | { readonly kind: "accepted"; readonly revision: string }
  /** The document has another revision. Nothing was changed, and nothing will be. */
  | { readonly kind: "refused" }
  /** It may have happened, or may still happen later (rule C3). */
  | { readonly kind: "unknown"; readonly reason: string }
  | Failed;

export type ListResult = { readonly kind: "documents"; readonly documents: readonly StoredDocument[] } | Failed;

export interface Watch {
  /** From then on `onChange` is not called any more. */
  stop(): void;
}

/** How long a call may take when nothing else is asked for. */
export const DEADLINE_MS_DEFAULT = 1000;
