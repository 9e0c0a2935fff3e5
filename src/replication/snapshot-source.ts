import type { Clock } from "../base/clock.ts";
import { mutant } from "../base/mutants.ts";
import { SPACE } from "../model/entry.ts";
import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import type { NodeName, Sequence } from "../model/position.ts";
import { chunkWithUncommitted } from "../shard/planted-mistakes.ts";
import type { ShardStore } from "../shard/shard-store.ts";
import { ProtocolError } from "../wire/protocol-error.ts";
import type { MemberLink } from "./member-link.ts";
import { EPOCHS_SPACE, type EpochOfBase, type GetRange } from "./messages.ts";
import type { ReplicaSession } from "./replica-sessions.ts";

interface Pin {
  readonly base: Sequence;
  usedMs: number;
}

const PIN_SILENCE_MS = 60_000;

/**
 * Gives a replica the tree's rows, chunk by chunk, while writes go on (§2.12).
 *
 * Owns the pins: from the moment a copy starts, the log behind its base stays. Each chunk is one fresh read transaction of
 * the tree alone, which holds committed entries only (M55); `mayHoldThrough` says how far it may be ahead of the base, and
 * the replay from the base evens that out.
 */
export class SnapshotSource {
  readonly #clock: Clock;
  readonly #store: ShardStore;
  readonly #link: MemberLink;
  readonly #chunkBytes: number;
  readonly #pins = new Map<NodeName, Pin>();

  constructor(parts: {
    readonly clock: Clock;
    readonly store: ShardStore;
    readonly link: MemberLink;
    readonly chunkBytes: number | undefined;
  }) {
    this.#clock = parts.clock;
    this.#store = parts.store;
    this.#link = parts.link;
    this.#chunkBytes = parts.chunkBytes ?? LIMITS.snapshotChunkBytesMax;
  }

  /** Answers with one chunk of rows, or SNAPSHOT_NEEDED when the copy must start over, or not yet. */
  onGetRange(session: ReplicaSession, request: GetRange): void {
    const base = request.base ?? this.#openPin(session.node);
    const pin = this.#pins.get(session.node);
    if (base + 1 < this.#store.log.startSequence || base > this.#store.lastSequence) {
      const { node, sid } = session;
      const { epoch } = this.#store.lastEpoch;
      this.#link.send(node, "SNAPSHOT_NEEDED", { sid, epoch, logStart: this.#store.log.startSequence });
      return;
    }
    if (pin === undefined || pin.base !== base) this.#pins.set(session.node, { base, usedMs: this.#clock.nowMs() });
    else pin.usedMs = this.#clock.nowMs();
    if (!this.#isTreeAt(base)) return;
    const logClockMs = this.#store.clock.lastTimestampMs;
    const common = { sid: session.sid, space: request.space, after: request.after, base, logClockMs };
    if (request.space === EPOCHS_SPACE) {
      const body = Buffer.from(JSON.stringify(this.#epochsUpTo(base)));
      this.#link.send(session.node, "RANGE", { ...common, lastKey: null, mayHoldThrough: base }, body);
      return;
    }
    try {
      const space = spaceOf(request.space);
      const isPlanted = mutant("M55") && space === SPACE.user;
      const chunk = isPlanted
        ? chunkWithUncommitted(this.#store, request.after, this.#chunkBytes)
        : this.#store.tree.copyRange(space, request.after, this.#chunkBytes);
      const { lastKey, mayHoldThrough } = chunk;
      this.#link.send(session.node, "RANGE", { ...common, lastKey, mayHoldThrough }, chunk.bytes);
    } catch (error) {
      // A row of this tree fails its checksum: it is not handed on (rule S5, M68).
      if (!(error instanceof KvError) || error.code !== "CORRUPT") throw error;
      const reason = `${error.message}; promote another member that has all data, if there is one`;
      this.#link.send(session.node, "REFUSED", { code: error.code, reason });
    }
  }

  /**
   * Whether the tree has taken in everything up to `base`. Another leader's may have, when the copy was begun, and this one's not
   * yet: what its rows lack would not come back, since the replay begins behind the base (M98). The replica asks again.
   */
  #isTreeAt(base: Sequence): boolean {
    if (mutant("M98") || this.#store.tree.position().appliedSequence >= base) return true;
    if (this.#store.settledSequence >= base) this.#store.applyNow();
    return false;
  }

  /** First sequence that a copy under way will need; pins that were not used for a minute die. */
  pinnedFrom(): Sequence {
    let lowest = Number.MAX_SAFE_INTEGER;
    for (const [node, pin] of this.#pins) {
      if (this.#clock.nowMs() - pin.usedMs > PIN_SILENCE_MS) this.#pins.delete(node);
      else lowest = Math.min(lowest, pin.base + 1);
    }
    return lowest;
  }

  /** The base of a new copy is the tree's flushed position, never the commit position (M98). */
  #openPin(node: NodeName): Sequence {
    const base = mutant("M98") ? this.#store.commitSequence : this.#store.tree.position().appliedSequence;
    this.#pins.set(node, { base, usedMs: this.#clock.nowMs() });
    return base;
  }

  #epochsUpTo(base: Sequence): EpochOfBase[] {
    if (mutant("M57")) return [];
    return this.#store.log.epochs.filter((mark) => mark.firstSequence <= base);
  }
}

function spaceOf(space: number): 0 | 1 | 2 {
  if (space === SPACE.user || space === SPACE.requestIds || space === SPACE.shardState) return space;
  throw new ProtocolError(`There is no space ${space}`);
}
