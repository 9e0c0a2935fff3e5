import { mutant } from "../base/mutants.ts";
import { SPACE } from "../model/entry.ts";
import { KvError } from "../model/errors.ts";
import type { NodeName, Sequence } from "../model/position.ts";
import type { ShardStore } from "../shard/shard-store.ts";
import { ProtocolError } from "../wire/protocol-error.ts";
import { cursorMeta, readCursor, type BootstrapCursor } from "./bootstrap-cursor.ts";
import type { BootstrapMark, MemberEnvironment } from "./member-environment.ts";
import type { MemberLink } from "./member-link.ts";
import { hasRoomFor } from "./no-room.ts";
import { decodeEpochs } from "./message-codec.ts";
import { EPOCHS_SPACE, type EpochOfBase, type Range } from "./messages.ts";

export interface BootstrapParts {
  readonly env: MemberEnvironment;
  readonly store: ShardStore;
  readonly link: MemberLink;
  readonly leader: NodeName;
  /** The copy is ready to go on: greet the leader (anew). */
  readonly onSessionNeeded: () => void;
}

const SPACES: readonly number[] = [EPOCHS_SPACE, SPACE.user, SPACE.requestIds, SPACE.shardState];
const REQUEST_REPEAT_MS = 2000;
/** Between two questions that the leader refuses, at most; less than the life of an unused pin. */
const REFUSED_REPEAT_MS_MAX = 30_000;
const ROOM_RETRY_MS = 1000;

/**
 * Fills an empty store from a leader's rows while writes go on: fuzzy copy, then replay of the log from the base (§2.12).
 *
 * Owns the bootstrap mark: from `begin` until everything up to the newest effect that any chunk may hold has been applied,
 * this copy serves nothing, counts for nothing and never leads (M56, M99). A crash goes on from the cursor, or starts over
 * where the tree already stands at its base: rows are never stored over what may have been replayed (M94).
 */
export class Bootstrap {
  readonly #parts: BootstrapParts;
  #sid = "";
  #lineage = 0;
  #cursor: BootstrapCursor | null = null;
  /** Whether the store is known to be empty: wiped since this object began. */
  #isWiped = false;
  #isBusy = false;
  #isEnded = false;
  #onIdle: (() => void) | null = null;
  #askedMs = 0;
  #repeatMs = REQUEST_REPEAT_MS;

  constructor(parts: BootstrapParts) {
    this.#parts = parts;
    const { tree } = parts.store;
    const isRowsOnly = tree.position().applyingThrough === 0;
    if (this.isCopying && isRowsOnly) this.#cursor = readCursor(tree, parts.env.stateFile.state.store.store);
  }

  /** Whether rows are still wanted; otherwise the log is. */
  get isCopying(): boolean {
    return this.#parts.env.stateFile.state.bootstrap?.phase === "copying";
  }

  /** Whether rows of a history that a lossy promotion has given up are being made whole by entries of that history (§2.12). */
  isOfOtherHistory(lineage: number): boolean {
    const mark = this.#parts.env.stateFile.state.bootstrap;
    return mark?.phase === "replaying" && mark.lineage !== lineage;
  }

  /** Discards this copy and starts: a new store id first, so that nobody counts on the old one (rule I5, M43). */
  begin(): void {
    const { env, store } = this.#parts;
    const { state } = env.stateFile;
    const fresh = mutant("M43") ? state.store : { node: state.store.node, store: env.random.uuid(), generation: 0 };
    const next = { ...state, store: fresh, bootstrap: { phase: "copying" } as const, damage: null };
    this.#isBusy = true;
    if (!hasRoomFor(() => env.stateFile.replace(next))) return this.#onRoom(() => this.begin());
    this.#cursor = null;
    store.quiesce(() => {
      if (this.#isEnded) return this.#stopHere();
      store.wipeTree(() =>
        this.#restartLog({ sequence: 0, epochs: [] }, 0, () => {
          this.#isWiped = true;
          this.#isBusy = false;
          this.#parts.onSessionNeeded();
        }),
      );
    });
  }

  /** A session with the leader is open: ask for rows, from the cursor when the history is still the same. */
  onSession(sid: string, lineage: number): void {
    this.#sid = sid;
    this.#lineage = lineage;
    if (this.#isBusy) return;
    const isUsable = this.#cursor === null ? this.#isWiped : this.#cursor.lineage === lineage;
    if (!isUsable) this.begin();
    else this.#ask();
  }

  onRange(range: Range, body: Buffer): void {
    const wanted = this.#wanted();
    this.#repeatMs = REQUEST_REPEAT_MS;
    if (this.#isBusy || range.space !== wanted.space || range.after !== wanted.after) return;
    if (this.#cursor !== null && range.base !== this.#cursor.base) return;
    if (range.space === EPOCHS_SPACE) {
      const epochs = decodeEpochs(body);
      const { base } = range;
      const { store } = this.#parts.env.stateFile.state.store;
      this.#cursor = { store, lineage: this.#lineage, base, mustReach: base, space: SPACE.user, after: "", epochs };
      this.#ask();
      return;
    }
    if (this.#cursor === null) throw new ProtocolError("Rows of a snapshot came before its epochs");
    this.#import(range, body, this.#cursor);
  }

  /** The leader cannot give the rows that were asked for, because one of them is damaged: it is asked less and less often. */
  onRefused(): void {
    this.#repeatMs = Math.min(this.#repeatMs * 2, REFUSED_REPEAT_MS_MAX);
  }

  onTick(): void {
    if (!this.#isBusy && this.#parts.env.clock.nowMs() - this.#askedMs > this.#repeatMs) this.#ask();
  }

  /** The log has been replayed a little further: perhaps far enough for the rows to make sense together (M56). */
  onProgress(): void {
    const { env, store } = this.#parts;
    const { state } = env.stateFile;
    if (this.#isEnded || state.bootstrap?.phase !== "replaying") return;
    const { mustReach } = state.bootstrap;
    if (store.appliedSequence < mustReach && !mutant("M56")) {
      if (store.settledSequence >= mustReach) store.applyNow();
      return;
    }
    // Tried again with the next progress, and a leader's heartbeat is one.
    if (!hasRoomFor(() => env.stateFile.replace({ ...state, bootstrap: null }))) return;
    env.logger.info("This copy is complete", { sequence: store.appliedSequence });
  }

  /** Begins nothing more; `done` when the applier has carried out what was asked of it. */
  end(done: () => void): void {
    this.#isEnded = true;
    if (this.#isBusy) this.#onIdle = done;
    else done();
  }

  #stopHere(): void {
    this.#isBusy = false;
    this.#onIdle?.();
  }

  #wanted(): { readonly space: number; readonly after: string } {
    return this.#cursor ?? { space: EPOCHS_SPACE, after: "" };
  }

  #ask(): void {
    if (this.#isEnded) return;
    this.#askedMs = this.#parts.env.clock.nowMs();
    const { space, after } = this.#wanted();
    this.#parts.link.send(this.#parts.leader, "GET_RANGE", {
      sid: this.#sid,
      space,
      after,
      base: this.#cursor?.base ?? null,
    });
  }

  #import(range: Range, body: Buffer, cursor: BootstrapCursor): void {
    const isSpaceDone = range.lastKey === null;
    const next: BootstrapCursor = {
      ...cursor,
      mustReach: Math.max(cursor.mustReach, range.mayHoldThrough),
      space: isSpaceDone ? (SPACES[SPACES.indexOf(range.space) + 1] ?? -1) : range.space,
      after: range.lastKey ?? "",
    };
    const space =
      range.space === SPACE.user ? SPACE.user : range.space === SPACE.requestIds ? SPACE.requestIds : SPACE.shardState;
    const chunk = { space, bytes: body, lastKey: range.lastKey, mayHoldThrough: range.mayHoldThrough };
    const isLast = next.space === -1;
    const meta = cursorMeta(isLast ? { ...next, space: range.space, after: range.after } : next);
    const onImported = (): void => {
      if (this.#isEnded) return this.#stopHere();
      if (isLast) return this.#finish(next, range.logClockMs);
      this.#isBusy = false;
      this.#cursor = next;
      this.#ask();
    };
    try {
      this.#isBusy = true;
      this.#parts.store.applier.importChunk({ chunk, afterKey: range.after, meta }, onImported);
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      // Damaged on its way or at the leader: asked for again with the next tick, never taken in (rule S5).
      this.#isBusy = false;
      this.#parts.env.logger.error("A chunk of the leader's rows is damaged", { reason: error.message });
    }
  }

  /** Rows are complete: the log starts behind the base, and is replayed over them (never the other way round, M94). */
  #finish(cursor: BootstrapCursor, logClockMs: number): void {
    const { store } = this.#parts;
    const { base, epochs, mustReach, lineage } = cursor;
    store.applier.setBase({ sequence: base, versionBase: epochs.at(-1)?.versionBase ?? 0, logClockMs }, () =>
      this.#restartLog({ sequence: base, epochs }, logClockMs, () => {
        this.#replay({ phase: "replaying", mustReach, lineage });
      }),
    );
  }

  #replay(mark: BootstrapMark): void {
    const { stateFile } = this.#parts.env;
    const isNoted = hasRoomFor(() => stateFile.replace({ ...stateFile.state, bootstrap: mark }));
    if (!isNoted) return this.#onRoom(() => this.#replay(mark));
    this.#isBusy = false;
    this.#cursor = null;
    this.#parts.onSessionNeeded();
  }

  /** The disk is full: `retry` a little later, unless this copy has ended by then. */
  #onRoom(retry: () => void): void {
    this.#parts.env.timers.after(ROOM_RETRY_MS, () => {
      if (this.#isEnded) this.#stopHere();
      else retry();
    });
  }

  /** Starts the log behind the tree's position, as soon as the disk has room for it; then `next`, unless this copy has ended. */
  #restartLog(
    base: { readonly sequence: Sequence; readonly epochs: readonly EpochOfBase[] },
    logClockMs: number,
    next: () => void,
  ): void {
    const { store } = this.#parts;
    if (this.#isEnded) return this.#stopHere();
    try {
      store.restartBehind(base, logClockMs);
    } catch (error) {
      if (!(error instanceof KvError) || error.code !== "DISK_FULL") throw error;
      return this.#onRoom(() => this.#restartLog(base, logClockMs, next));
    }
    next();
  }
}
