import type { Clock, Timers } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import { mutant } from "../base/mutants.ts";
import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";
import { isSameStore, type Leadership } from "../model/leadership.ts";
import type { NodeName, Sequence, StoreRef } from "../model/position.ts";
import type { ShardStore } from "../shard/shard-store.ts";
import type { MemberLink } from "./member-link.ts";
import type { Hello, HeartbeatAck, Leaving, Pull } from "./messages.ts";
import type { Beacon } from "./read-lease.ts";
import type { TermLease } from "./term-lease.ts";
import { checkPosition } from "./position-check.ts";

/** What a leader knows of one replica since its last HELLO; everything older is forgotten (§2.6, leader step 2). */
export interface ReplicaSession {
  readonly node: NodeName;
  readonly sid: string;
  readonly store: StoreRef;
  /** Of the replica's process. */
  readonly boot: string;
  /** Which of that process's greetings asked for it. */
  readonly greeting: number;
  /** Whether the ends of both logs were found to match in this session. */
  isMatched: boolean;
  isComplete: boolean;
  /** Flushed by the replica, as far as its log was checked. */
  durable: Sequence;
  /** Everything before the last pull's `fromSeq` is in the replica's log. */
  pulledThrough: Sequence;
  lastHeardMs: number;
  lastEcho: number;
  parked: Pull | null;
  parkedSinceMs: number;
  isNudged: boolean;
  /** Bytes of entries that another segment of its log could take, as it told last: whether it could lead (rule S4). */
  roomBytes: number;
  /** Its process is about to stop: it is not to be waited for. */
  isLeaving: boolean;
}

/** What the sessions need of the leadership that owns them. */
export interface SessionsParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
  readonly link: MemberLink;
  readonly store: ShardStore;
  readonly boot: string;
  readonly leadership: () => Leadership;
  readonly lease: TermLease;
  /** A replica's flushed position, or the set of live sessions, has changed. */
  readonly onProgress: (session: ReplicaSession) => void;
}

/** An idle replica learns of the last commit after this long instead of with the next heartbeat (§2.6 step 5). */
const COMMIT_NUDGE_MS = 5;

/**
 * The leader's side of the pull protocol: one session for each replica.
 *
 * Invariant: `durable` counts only what was confirmed in this session, after the log ends were found to match: a
 * confirmation from before a replica was wiped or cut never counts (M09, M10). Entries leave as soon as they are written
 * here, while the leader's own flush runs.
 */
export class ReplicaSessions {
  readonly #parts: SessionsParts;
  readonly #sessions = new Map<NodeName, ReplicaSession>();

  constructor(parts: SessionsParts) {
    this.#parts = parts;
  }

  get all(): Iterable<ReplicaSession> {
    return this.#sessions.values();
  }

  of(node: NodeName): ReplicaSession | undefined {
    return this.#sessions.get(node);
  }

  /** A greeting that is said again is answered again; one that was overtaken by a later one of its process is dropped. */
  onHello(from: NodeName, hello: Hello): void {
    const older = this.#sessions.get(from);
    if (older?.boot === hello.boot && hello.greeting < older.greeting) return;
    if (older?.boot === hello.boot && hello.greeting === older.greeting && isSameStore(older.store, hello.store)) {
      return this.#welcome(older);
    }
    const session: ReplicaSession = {
      node: from,
      sid: this.#parts.random.hex64(),
      store: hello.store,
      boot: hello.boot,
      greeting: hello.greeting,
      isMatched: mutant("M10"),
      isComplete: hello.complete,
      durable: mutant("M09") ? (older?.durable ?? 0) : 0,
      pulledThrough: 0,
      lastHeardMs: this.#parts.clock.nowMs(),
      lastEcho: 0,
      parked: null,
      parkedSinceMs: 0,
      isNudged: false,
      roomBytes: 0,
      isLeaving: false,
    };
    this.#sessions.set(from, session);
    this.#welcome(session);
    this.#parts.onProgress(session);
  }

  #welcome({ node, sid, greeting }: ReplicaSession): void {
    const { link, leadership, boot } = this.#parts;
    link.send(node, "WELCOME", { sid, greeting, leadership: leadership(), boot });
  }

  onPull(from: NodeName, pull: Pull): void {
    const session = this.#sessionFor(from, pull);
    if (session === undefined) return;
    session.isComplete = pull.complete;
    const end = { lastEpoch: pull.lastEpoch, lastTerm: pull.lastTerm, lastSequence: pull.fromSeq - 1 };
    // Nothing that this log does not have was ever sent: whoever names more has not been matched with it.
    const isBeyond = end.lastSequence > this.#parts.store.log.lastSequence && !mutant("M10");
    if ((!session.isMatched || isBeyond) && !this.#match(session, end)) return;
    session.pulledThrough = end.lastSequence;
    this.#acknowledge(session, pull);
    session.parked = pull;
    session.parkedSinceMs = this.#parts.clock.nowMs();
    this.#serve(session);
  }

  onHeartbeatAck(from: NodeName, ack: HeartbeatAck): void {
    const session = this.#sessionFor(from, ack);
    if (session !== undefined) this.#acknowledge(session, ack);
  }

  onLeaving(from: NodeName, leaving: Leaving): void {
    const session = this.#sessions.get(from);
    if (session?.boot === leaving.boot) session.isLeaving = true;
  }

  /** The replica asks for rows instead of entries: it is alive, but nothing of it counts. */
  onCopying(from: NodeName, sid: string): ReplicaSession | undefined {
    const session = this.#sessions.get(from);
    if (session === undefined || session.sid !== sid) return undefined;
    session.isComplete = false;
    session.lastHeardMs = this.#parts.clock.nowMs();
    return session;
  }

  onDisconnected(node: NodeName): void {
    const session = this.#sessions.get(node);
    if (session === undefined) return;
    this.#sessions.delete(node);
    // Whoever still holds the session must not take a replica that is gone for one that keeps up.
    session.isMatched = false;
    this.#parts.onProgress(session);
  }

  /** New entries are in the log: parked pulls are served. */
  onWritten(): void {
    for (const session of this.#sessions.values()) if (session.parked !== null) this.#serve(session);
  }

  /** The commit position moved: idle replicas are told soon. */
  onCommitted(): void {
    for (const session of this.#sessions.values()) {
      if (session.parked === null || session.isNudged) continue;
      session.isNudged = true;
      this.#parts.timers.after(COMMIT_NUDGE_MS, () => {
        session.isNudged = false;
        if (session.parked !== null && session.parked.knownCommit < this.#commit) this.#answer(session);
      });
    }
  }

  /** Every `h`: heartbeats, answers to pulls that have waited long enough, and an end to silent sessions. */
  onTick(): void {
    const nowMs = this.#parts.clock.nowMs();
    for (const session of this.#sessions.values()) {
      const { parked } = session;
      if (nowMs - session.lastHeardMs > LIMITS.sessionSilenceMsMax) {
        this.onDisconnected(session.node);
        continue;
      }
      if (parked !== null && nowMs - session.parkedSinceMs >= parked.waitMs) this.#answer(session);
      this.#sendHeartbeat(session, this.#parts.lease.beacon());
    }
  }

  /** Out of turn: whoever is there is to echo `beacon` at once. */
  sendHeartbeats(beacon: Beacon): void {
    for (const session of this.#sessions.values()) this.#sendHeartbeat(session, beacon);
  }

  #sendHeartbeat(session: ReplicaSession, beacon: Beacon): void {
    const leadership = this.#parts.leadership();
    this.#parts.link.send(session.node, "HB", {
      sid: session.sid,
      epoch: leadership.epoch,
      beacon,
      commit: this.#commit,
      leaseOk: this.#parts.lease.isValid(),
      lastEcho: session.lastEcho,
      logEnd: this.#parts.store.log.lastSequence,
      leadership,
    });
  }

  get #commit(): Sequence {
    return this.#parts.store.commitSequence;
  }

  #sessionFor(from: NodeName, message: { readonly sid: string; readonly epoch: number }): ReplicaSession | undefined {
    const session = this.#sessions.get(from);
    const isOurs = session?.sid === message.sid && message.epoch === this.#parts.leadership().epoch;
    if (session === undefined || !(isOurs || mutant("M34"))) return undefined;
    session.lastHeardMs = this.#parts.clock.nowMs();
    return session;
  }

  /** Position check (§2.6 step 3). True when the replica's log is a prefix of ours. */
  #match(session: ReplicaSession, end: { lastEpoch: number; lastTerm: string; lastSequence: Sequence }): boolean {
    const { log } = this.#parts.store;
    const verdict = checkPosition(end, log);
    const { sid, node } = session;
    const { epoch } = this.#parts.leadership();
    session.isMatched = verdict.kind === "matched" || mutant("M30");
    if (verdict.kind === "trimmed") {
      this.#parts.link.send(node, "SNAPSHOT_NEEDED", { sid, epoch, logStart: log.startSequence });
    } else if (verdict.kind === "diverged") {
      const { mark, endSequence } = verdict;
      const dEpoch = mark?.epoch ?? 0;
      const dTerm = mark?.term ?? "0000000000000000";
      this.#parts.link.send(node, "DIVERGED", { sid, epoch, dEpoch, dTerm, dEndSeq: endSequence });
    }
    return session.isMatched;
  }

  /** Takes a confirmation: what is flushed *and* was checked against our log (§2.6 step 4). */
  #acknowledge(session: ReplicaSession, ack: Pick<HeartbeatAck, "durable" | "echo" | "room">): void {
    session.roomBytes = ack.room;
    session.lastEcho = Math.max(session.lastEcho, ack.echo);
    this.#parts.lease.onEcho(session.node, ack.echo);
    const durable = Math.min(ack.durable, session.pulledThrough);
    if (!session.isMatched) return;
    if (durable > session.durable) session.durable = durable;
    this.#parts.onProgress(session);
  }

  /** Entries for a pull; null when this log's bytes are damaged there: they are never handed on (rule S5). */
  #read(session: ReplicaSession, pull: Pull): Buffer | null {
    try {
      return this.#parts.store.log.read(pull.fromSeq, Math.min(pull.maxBytes, LIMITS.pullBytesMax)).bytes;
    } catch (error) {
      if (!(error instanceof KvError)) throw error;
      this.#parts.logger.error("Entries for a replica cannot be read", {
        replica: session.node,
        reason: error.message,
      });
      this.#parts.link.send(session.node, "REFUSED", { code: error.code, reason: error.message });
      return null;
    }
  }

  #serve(session: ReplicaSession): void {
    const { parked } = session;
    if (parked !== null && parked.fromSeq <= this.#parts.store.log.lastSequence) this.#answer(session);
  }

  /** Answers the parked pull with what there is, perhaps nothing. */
  #answer(session: ReplicaSession): void {
    const { parked } = session;
    if (parked === null) return;
    const { log } = this.#parts.store;
    if (parked.fromSeq < log.startSequence) {
      // Trimmed while it was away from the log: a member outside the set is cut off (storage.md, Retention).
      session.isMatched = false;
      session.parked = null;
      const { epoch } = this.#parts.leadership();
      this.#parts.link.send(session.node, "SNAPSHOT_NEEDED", { sid: session.sid, epoch, logStart: log.startSequence });
      return;
    }
    session.parked = null;
    const bytes = this.#read(session, parked);
    if (bytes === null) return;
    const header = {
      sid: session.sid,
      epoch: this.#parts.leadership().epoch,
      beacon: this.#parts.lease.beacon(),
      after: parked.fromSeq - 1,
      commit: this.#commit,
      leaseOk: this.#parts.lease.isValid(),
      lastEcho: session.lastEcho,
      logEnd: log.lastSequence,
      logStart: log.startSequence,
    };
    this.#parts.link.send(session.node, "ENTRIES", header, bytes);
  }
}
