import type { Timer } from "../base/clock.ts";
import { EntryFormatError } from "../model/entry.ts";
import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import type { NodeName, Sequence } from "../model/position.ts";
import type { Log } from "../log/log.ts";
import type { ShardStore } from "../shard/shard-store.ts";
import type { MemberEnvironment } from "./member-environment.ts";
import type { MemberLink } from "./member-link.ts";
import type { Fetch, Fetched } from "./messages.ts";
import { checkPosition } from "./position-check.ts";

export interface LogFetchParts {
  readonly env: MemberEnvironment;
  readonly link: MemberLink;
  readonly store: ShardStore;
  readonly from: NodeName;
  /** Called once: true when this log reaches the other's end and everything fetched is flushed. */
  readonly done: (isComplete: boolean) => void;
}

const REPEAT_MS = 500;
/** Without an answer, or without room to take one in, for this long, it is given up. */
const STANDSTILL_MS_MAX = 5000;

/** Answers FETCH from whatever is in this log, in any role (rules T1, T3). */
export function answerFetch(
  parts: { readonly store: ShardStore; readonly link: MemberLink },
  from: NodeName,
  query: Fetch,
): void {
  const { log } = parts.store;
  const entries = checkPosition(query, log).kind === "matched" ? readSound(log, query.lastSequence + 1) : null;
  const header = { id: query.id, after: query.lastSequence, logEnd: log.lastSequence, isPrefix: entries !== null };
  parts.link.send(from, "FETCHED", header, entries ?? Buffer.alloc(0));
}

/** Entries from `from` on; null when the bytes on disk are damaged: they are never handed on (rule S5). */
function readSound(log: Log, from: Sequence): Buffer | null {
  try {
    return log.read(from, LIMITS.pullBytesMax).bytes;
  } catch (error) {
    if (error instanceof KvError) return null;
    throw error;
  }
}

/**
 * Brings this log up to another member's end before this node leads: entries that were acknowledged, but that this
 * node's own disk lost with its newest batch, or never had (rules T1, T3).
 */
export class LogFetch {
  readonly #parts: LogFetchParts;
  /** Where the other's log ended when it was last heard of; infinitely far before that. */
  #otherEnd: Sequence = Number.MAX_SAFE_INTEGER;
  #id = 0;
  #heardMs: number;
  #isDone = false;
  #isAwaitingRoom = false;
  #timer: Timer | null = null;

  constructor(parts: LogFetchParts) {
    this.#parts = parts;
    this.#heardMs = parts.env.clock.nowMs();
  }

  start(): void {
    this.#ask();
  }

  onFetched(from: NodeName, fetched: Fetched, body: Buffer): void {
    const { store, env } = this.#parts;
    if (this.#isDone || from !== this.#parts.from || fetched.id !== this.#id) return;
    if (!fetched.isPrefix) return this.#finish(false);
    if (body.length > 0 && store.roomFor(body.length) !== "yes") return this.#awaitRoom();
    this.#heardMs = env.clock.nowMs();
    if (fetched.after !== store.lastSequence) return;
    if (body.length > 0) {
      try {
        // Of a leadership that began meanwhile, this node remembers nothing yet: nothing of it is taken in (rule P1).
        store.receive(body, env.stateFile.state.seenEpoch.epoch);
      } catch (error) {
        if (!(error instanceof EntryFormatError)) throw error;
        return this.#finish(false);
      }
    }
    this.#otherEnd = fetched.logEnd;
    if (store.lastSequence >= this.#otherEnd) this.#awaitFlush();
    else this.#ask();
  }

  onFlushed(): void {
    this.#awaitFlush();
  }

  end(): void {
    this.#isDone = true;
    this.#timer?.cancel();
  }

  #ask(): void {
    const { store, link, from, env } = this.#parts;
    if (this.#isDone) return;
    if (env.clock.nowMs() - this.#heardMs > STANDSTILL_MS_MAX) return this.#finish(false);
    const { lastEpoch, lastSequence } = store;
    this.#id++;
    link.send(from, "FETCH", { id: this.#id, lastEpoch: lastEpoch.epoch, lastTerm: lastEpoch.term, lastSequence });
    this.#timer?.cancel();
    this.#timer = env.timers.after(REPEAT_MS, () => this.#ask());
  }

  /** A log of many segments would take a pause for each, were they waited for with the timer alone. */
  #awaitRoom(): void {
    if (this.#isAwaitingRoom) return;
    this.#isAwaitingRoom = true;
    this.#parts.store.log.whenRoomChanges(() => {
      this.#isAwaitingRoom = false;
      this.#ask();
    });
  }

  #awaitFlush(): void {
    const { store } = this.#parts;
    const isWhole = store.lastSequence >= this.#otherEnd && store.durableSequence >= store.lastSequence;
    if (isWhole) this.#finish(true);
  }

  #finish(isComplete: boolean): void {
    if (this.#isDone) return;
    this.end();
    this.#parts.done(isComplete);
  }
}
