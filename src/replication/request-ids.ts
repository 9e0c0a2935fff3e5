import type { Clock } from "../base/clock.ts";
import { mutant } from "../base/mutants.ts";
import { SPACE, type Mutation } from "../model/entry.ts";
import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import type { Operation, Position, Result } from "../model/operation.ts";
import {
  decodeRequestRow,
  digestOfOperation,
  encodeRequestRow,
  keptUntilMsOf,
  type RequestRow,
} from "../shard/request-row.ts";
import type { ShardStore } from "../shard/shard-store.ts";

export interface RequestIdsParts {
  readonly clock: Clock;
  readonly store: ShardStore;
  /** How long a request is remembered at least, on the log clock. */
  readonly keptMs: number;
  /** How many requests are remembered at most. */
  readonly countMax: number;
}

/** An operation that had a request id. */
export interface NamedOperation {
  readonly id: string;
  readonly operation: Operation;
}

const EVERYTHING = Number.MAX_SAFE_INTEGER;
const WALK_ROWS_MAX = 1000;
const WALK_PAUSE_MS = 10_000;

/**
 * What a leader remembers of requests that have an id (rule U2), in rows that are written in the same entry as the effect: so they
 * are committed, replicated and copied with it, or not at all.
 *
 * Owns no row: all are the shard's, and what is appended counts at once, so that a repetition finds the first one in flight.
 * A row counts as long as it is there. It goes by a logged delete alone, which the leader makes when the row's time is over on
 * the log clock (rule G4); no copy goes by its own clock (M63).
 */
export class RequestIds {
  readonly #parts: RequestIdsParts;
  /** How many rows there are, at least: those of the tree, those that wait for it, and what came since. */
  #count: number | null = null;
  #walkAfter = "";
  #walkNotBeforeMs = Number.NEGATIVE_INFINITY;
  /** What the mistake M60 keeps instead of rows. */
  readonly #unwritten = new Map<string, Buffer>();

  constructor(parts: RequestIdsParts) {
    this.#parts = parts;
  }

  /**
   * What came of the first request with that id; null when there was none. Throws KvError REQUEST_ID_REUSED when that was another
   * operation, and CORRUPT.
   */
  find({ id, operation }: NamedOperation): RequestRow | null {
    const value = this.#valueOf(id);
    if (value === null) return null;
    const row = decodeRequestRow(value);
    const isForgotten = mutant("M63") && row.keptUntilMs <= this.#parts.clock.wallMs();
    if (isForgotten) return null;
    if (row.digest.equals(digestOfOperation(operation))) return row;
    throw new KvError("REQUEST_ID_REUSED", "Another request was made with this Idempotency-Key");
  }

  /**
   * The row to be written with the effect of a request. Throws KvError TOO_MANY_REQUEST_IDS, and VALUE_TOO_LARGE when the result is
   * too large to be kept.
   */
  rowFor({ id, operation }: NamedOperation, { position, result }: { position: Position; result: Result }): Mutation {
    if (this.#countRows() >= this.#parts.countMax) {
      const message = `The shard remembers ${this.#parts.countMax} requests with an Idempotency-Key; the oldest go after a while`;
      throw new KvError("TOO_MANY_REQUEST_IDS", message);
    }
    const keptUntilMs = this.#parts.store.clock.nowMs() + this.#parts.keptMs;
    const value = encodeRequestRow({ keptUntilMs, digest: digestOfOperation(operation), position, result });
    if (value.length > LIMITS.keptResultBytesMax) {
      const message = `The answer has ${value.length} bytes; with an Idempotency-Key ${LIMITS.keptResultBytesMax} are kept at most`;
      throw new KvError("VALUE_TOO_LARGE", message);
    }
    return { space: SPACE.requestIds, key: id, value, expiryMs: 0, contentType: "" };
  }

  /** A row has been appended, or its deletion. */
  note(row: Mutation): void {
    if (mutant("M60") && row.value !== null) this.#unwritten.set(row.key, row.value);
    if (this.#count !== null) this.#count += row.value === null ? -1 : 1;
  }

  /** Deletions of rows whose time is over, as far as this turn's part of the walk through all of them found any. */
  takeOver(): Mutation[] {
    const nowMs = this.#parts.clock.nowMs();
    if (nowMs < this.#walkNotBeforeMs) return [];
    if (this.#walkAfter === "") this.#count = this.#recount();
    if (this.#count === 0) {
      this.#walkNotBeforeMs = nowMs + WALK_PAUSE_MS;
      return [];
    }
    const ids = this.#walk(nowMs).filter((id) => this.#isOver(this.#valueOf(id)));
    return ids.map((id) => ({ space: SPACE.requestIds, key: id, value: null, expiryMs: 0, contentType: "" }));
  }

  /**
   * Ids of the tree's next rows whose time is over; those that wait for the tree are too young. A damaged row ends the walk: it
   * waits for its repair.
   */
  #walk(nowMs: number): string[] {
    const ids: string[] = [];
    const start = this.#walkAfter === "" ? "" : `${this.#walkAfter}\0`;
    let lookedAtCount = 0;
    let lastKey = "";
    let isCutOff = false;
    try {
      this.#parts.store.tree.range({ space: SPACE.requestIds, start, end: "", reverse: false }, ({ key, record }) => {
        isCutOff = lookedAtCount++ >= WALK_ROWS_MAX;
        if (isCutOff) return false;
        lastKey = key;
        if (this.#isOver(record.value)) ids.push(key);
        return true;
      });
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
    }
    this.#walkAfter = isCutOff ? lastKey : "";
    if (!isCutOff) this.#walkNotBeforeMs = nowMs + WALK_PAUSE_MS;
    return ids;
  }

  #isOver(value: Buffer | null): boolean {
    return value !== null && keptUntilMsOf(value) <= this.#parts.store.clock.nowMs();
  }

  #valueOf(id: string): Buffer | null {
    if (mutant("M60")) return this.#unwritten.get(id) ?? null;
    return this.#parts.store.view.get(SPACE.requestIds, id, EVERYTHING).record?.value ?? null;
  }

  #countRows(): number {
    this.#count ??= this.#recount();
    return this.#count;
  }

  #recount(): number {
    const { tree, memtable } = this.#parts.store;
    return tree.stats().requestIdCount + memtable.rowCount(SPACE.requestIds);
  }
}
