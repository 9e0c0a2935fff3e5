import type {
  Coordinator,
  ListResult,
  ReadResult,
  Swap,
  SwapResult,
  Watch,
} from "../../src/coordinator/coordinator.ts";
import { decodeShardDocument, encodeShardDocument, type ShardDocument } from "../../src/model/shard-document.ts";

/** What becomes of one swap: its answer is lost, it arrives only at `release`, it is lost, or it was never sent. */
export type Fate = "lostReply" | "held" | "unanswered" | "unsent";

const UNANSWERED: SwapResult = { kind: "unknown", reason: "no answer" };

/**
 * A coordinator with one document, which does to the next swaps what a test wants, in order, and then is well. Unlike a real one
 * it answers within the call.
 */
export class ScriptedCoordinator implements Coordinator {
  readonly swaps: Swap[] = [];
  readonly fates: Fate[] = [];
  value: string | null;
  isReadable = true;
  #revision = "1";
  readonly #held: Swap[] = [];

  constructor(document: ShardDocument) {
    this.value = encodeShardDocument(document);
  }

  get document(): ShardDocument | null {
    return this.value === null ? null : decodeShardDocument(this.value);
  }

  read(_key: string, done: (result: ReadResult) => void): void {
    if (!this.isReadable) done({ kind: "failed", reason: "down" });
    else if (this.value === null) done({ kind: "absent" });
    else done({ kind: "value", value: this.value, revision: this.#revision });
  }

  compareAndSwap(_key: string, swap: Swap, done: (result: SwapResult) => void): void {
    this.swaps.push(swap);
    done(this.#take(swap));
  }

  list(_prefix: string, done: (result: ListResult) => void): void {
    done({ kind: "documents", documents: [] });
  }

  watch(): Watch {
    return { stop: () => {} };
  }

  close(): void {}

  /** Somebody else writes. */
  write(document: ShardDocument): void {
    this.value = encodeShardDocument(document);
    this.#revision = String(Number(this.#revision) + 1);
  }

  /** What was held on its way arrives. */
  release(): void {
    for (const swap of this.#held.splice(0)) this.#apply(swap);
  }

  #take(swap: Swap): SwapResult {
    switch (this.fates.shift()) {
      case "lostReply":
        this.#apply(swap);
        return UNANSWERED;
      case "held":
        this.#held.push(swap);
        return UNANSWERED;
      case "unanswered":
        return UNANSWERED;
      case "unsent":
        return { kind: "failed", reason: "refused the connection" };
      case undefined:
        return this.#apply(swap);
    }
  }

  #apply({ expectedRevision, value }: Swap): SwapResult {
    if (expectedRevision !== this.#revision) return { kind: "refused" };
    this.value = value;
    this.#revision = String(Number(this.#revision) + 1);
    return { kind: "accepted", revision: this.#revision };
  }
}
