import type { Timer } from "../base/clock.ts";
import { mutant } from "../base/mutants.ts";
import { type InSyncMember, isSameStore, type Leadership } from "../model/leadership.ts";
import { LIMITS } from "../model/limits.ts";
import type { NodeName, Sequence, StoreRef } from "../model/position.ts";
import type { ReplicaStatus } from "../model/status.ts";
import type { ShardStore } from "../shard/shard-store.ts";
import { AppendTimes } from "./append-times.ts";
import { ClientOperations } from "./client-operations.ts";
import { counts, inSyncSequence } from "./commit-rule.ts";
import { appendEpochStart } from "./epoch-start.ts";
import type { InSyncKeeper } from "./in-sync-keeper.ts";
import { inSyncRefusal } from "./in-sync-refusal.ts";
import { LeadershipProbe } from "./leadership-probe.ts";
import type { MemberConfig, MemberEnvironment } from "./member-environment.ts";
import type { MemberLink } from "./member-link.ts";
import type { IncomingMessage } from "./messages.ts";
import { PendingAnswers, type Guarantee } from "./pending-answers.ts";
import { ReplicaSessions, type ReplicaSession } from "./replica-sessions.ts";
import { RequestIds } from "./request-ids.ts";
import { SnapshotSource } from "./snapshot-source.ts";
import type { TermLease } from "./term-lease.ts";

/** What a leadership lets those look at who keep its set and its lease. */
export interface TermHooks {
  /** The other members that a commit needs. */
  readonly others: () => readonly NodeName[];
  /** How long `node` has sent nothing at all, in milliseconds. */
  readonly silenceMs: (node: NodeName) => number;
  /** Whether this node's disk has owed a flush, or the log's next segment, for so long that it must hang (rule L8). */
  readonly isFlushStuck: () => boolean;
  /** The set, or what is required of it, has changed. */
  readonly onSetChanged: () => void;
}

/** Where a leadership has its power from: the operator's word, or the coordinator's document. */
export type Mandate = (hooks: TermHooks) => { readonly set: InSyncKeeper; readonly lease: TermLease };

/** What a leadership is made of. `leadership` is already durable in this node's state. */
export interface LeaderTermParts {
  readonly env: MemberEnvironment;
  readonly config: MemberConfig;
  readonly link: MemberLink;
  readonly store: ShardStore;
  readonly boot: string;
  readonly leadership: Leadership;
  readonly isPromotion: boolean;
  readonly mandate: Mandate;
}

const SWEEP_MS = 50;
const EXPIRY_SWEEP_MS = 250;
const EXPIRY_KEYS_MAX = 1000;

/**
 * One leadership of the shard by this node, from its `epochStart` to its end.
 *
 * Owns everything that must not outlive it: sessions, the in-sync set, the answers owed to clients (rule K2). Invariant:
 * the commit position is what every member of the set has flushed (`in-sync`), or what this node has flushed (`async`,
 * rule K4), and never moves back. `end` settles every answer in one synchronous step (§2.10).
 */
export class LeaderTerm {
  readonly operations: ClientOperations;
  readonly epochStart: Sequence;
  readonly answers: PendingAnswers;
  readonly #parts: LeaderTermParts;
  readonly #sessions: ReplicaSessions;
  readonly #set: InSyncKeeper;
  readonly #lease: TermLease;
  readonly #startMs: number;
  readonly #probe: LeadershipProbe;
  readonly #snapshots: SnapshotSource;
  readonly #times: AppendTimes;
  readonly #guarantee: Guarantee;
  readonly #timers: Timer[] = [];
  #isEnded = false;

  /** Appends `epochStart` (rule G5); the caller has asked for room. */
  constructor(parts: LeaderTermParts) {
    const { env, config, store } = parts;
    this.#parts = parts;
    this.#guarantee = config.replication === "in-sync" ? "in-sync" : "flushed";
    store.clock.rebase();
    const isCoordinated = env.coordination !== null;
    this.epochStart = appendEpochStart(store, { ...parts, isCoordinated });
    this.#startMs = env.clock.nowMs();
    this.#times = new AppendTimes(env.clock);
    const { set, lease } = parts.mandate(this.#hooks());
    this.#set = set;
    this.#lease = lease;
    this.answers = new PendingAnswers(env.clock, store.commitSequence, (after) =>
      after === null ? lease.isValid() : lease.hasProof(after),
    );
    this.#snapshots = new SnapshotSource({
      clock: env.clock,
      store,
      link: parts.link,
      chunkBytes: config.snapshotChunkBytes,
    });
    this.#sessions = new ReplicaSessions({
      clock: env.clock,
      timers: env.timers,
      random: env.random,
      logger: env.logger,
      link: parts.link,
      store,
      boot: parts.boot,
      leadership: () => this.#set.leadership,
      lease,
      onProgress: (session) => this.#onProgress(session),
    });
    const send = (beacon: number): void => this.#sessions.sendHeartbeats(beacon);
    this.#probe = new LeadershipProbe({ clock: env.clock, lease, send });
    this.operations = new ClientOperations({
      clock: env.clock,
      timers: env.timers,
      store,
      answers: this.answers,
      epoch: parts.leadership,
      lineage: parts.leadership.lineage,
      epochStart: this.epochStart,
      answerer: { shard: config.shard.name, node: config.node, role: "leader", lagMs: 0 },
      clusterGuarantee: this.#guarantee,
      inSyncRefusal: () => inSyncRefusal({ ...parts, set, sessionOf: (node) => this.#sessions.of(node) }),
      requests: new RequestIds({
        clock: env.clock,
        store,
        keptMs: config.requestIdKeptMs ?? LIMITS.requestIdKeptMs,
        countMax: LIMITS.requestIdsMax,
      }),
      prove: () => this.#probe.begin(),
    });
    this.#every(SWEEP_MS, () => this.#sweep());
    this.#every(config.heartbeatMs, () => this.#sessions.onTick());
    this.#every(EXPIRY_SWEEP_MS, () => this.#expire());
  }

  /** Whether clients are answered: the first entry of this leadership is committed (rule R3). */
  get isOpen(): boolean {
    return this.answers.reached(this.#guarantee) >= this.epochStart;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  get required(): readonly InSyncMember[] {
    return this.#set.required;
  }

  /** Whether a read would be answered at this moment. */
  get isLeaseValid(): boolean {
    return this.#lease.isValid();
  }

  get leadership(): Leadership {
    return this.#set.leadership;
  }

  /** Whether the whole set has everything that was appended: with `async` an entry is committed before that. */
  get isSettled(): boolean {
    return this.answers.reached("in-sync") >= this.#parts.store.lastSequence;
  }

  /**
   * Who of the in-sync set could lead next: `preferred`, or, when that is null, whoever has flushed most; with room for
   * `roomBytes` more. Null when it is not connected, or nobody is.
   */
  successor(preferred: NodeName | null, roomBytes: number): StoreRef | null {
    let best: ReplicaSession | null = null;
    for (const member of this.#set.leadership.inSync) {
      const session = this.#sessions.of(member.node);
      const isAsked = preferred === null || member.node === preferred;
      if (!isAsked || session === undefined || session.isLeaving || !counts(member, session)) continue;
      if (session.roomBytes < roomBytes) continue;
      if (best === null || session.durable > best.durable) best = session;
    }
    return best?.store ?? null;
  }

  /** Takes a message for a leader, of an epoch that is not higher than its own; others are none of its business. */
  onMessage(from: NodeName, message: IncomingMessage): void {
    if (message.type === "HELLO") {
      this.#set.bind(message.header.store);
      this.#sessions.onHello(from, message.header);
    } else if (message.type === "PULL") {
      this.#sessions.onPull(from, message.header);
    } else if (message.type === "HBACK") {
      this.#sessions.onHeartbeatAck(from, message.header);
    } else if (message.type === "GET_RANGE") {
      const session = this.#sessions.onCopying(from, message.header.sid);
      if (session !== undefined) this.#snapshots.onGetRange(session, message.header);
    } else if (message.type === "LEAVING") {
      this.#sessions.onLeaving(from, message.header);
      this.#considerRemoving();
    }
  }

  onDisconnected(node: NodeName): void {
    this.#sessions.onDisconnected(node);
  }

  onWritten(sequence: Sequence): void {
    this.#times.note(sequence);
    if (mutant("M01")) this.answers.advance("flushed", sequence);
    if (mutant("M01")) this.answers.advance("in-sync", sequence);
    this.#sessions.onWritten();
  }

  onFlushed(): void {
    this.#advanceCommit();
  }

  /** The tree has taken in a part of the log. */
  onApplied(): void {
    this.operations.onRoom();
  }

  /** Lowest sequences that replicas may still ask for: 0 while a listed one is away, since nobody knows what it lacks. */
  neededFrom(): { readonly byInSync: Sequence; readonly byAnyone: Sequence } {
    let byInSync = Number.MAX_SAFE_INTEGER;
    let byAnyone = this.#snapshots.pinnedFrom();
    for (const { node } of this.#parts.config.shard.members) {
      if (node === this.#parts.config.node) continue;
      const session = this.#sessions.of(node);
      const neededFrom = session?.isMatched === true ? session.durable + 1 : 0;
      byAnyone = Math.min(byAnyone, neededFrom);
      if (this.#set.leadership.inSync.some((member) => member.node === node)) byInSync = Math.min(byInSync, neededFrom);
    }
    return { byInSync, byAnyone };
  }

  replicas(): ReplicaStatus[] {
    const { shard, node: self } = this.#parts.config;
    const last = this.#parts.store.lastSequence;
    const others = shard.members.filter((member) => member.node !== self);
    return others.map(({ node }) => {
      const session = this.#sessions.of(node);
      const durable = session?.durable ?? 0;
      // A wiped member still stands in the set by its name, but what it shows now is another store.
      const inSync = this.#set.leadership.inSync.some(
        (member) =>
          member.node === node &&
          (session === undefined || member.store === null || isSameStore(member, session.store)),
      );
      const lagMs = durable >= last ? 0 : this.#times.ageMs(durable + 1);
      const connected = session?.isMatched === true;
      return { node, inSync, connected, durableSequence: durable, lagEntries: last - durable, lagMs };
    });
  }

  /** Settles everything owed and forgets the rest, in one synchronous step (§2.10, rule K2). */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    for (const timer of this.#timers) timer.cancel();
    this.#settleAnswers();
    this.operations.end();
  }

  #settleAnswers(): void {
    if (!mutant("M06")) return this.answers.abandon();
    this.answers.advance("in-sync", this.#parts.store.commitSequence);
    this.#parts.env.timers.after(SWEEP_MS, () => this.#settleAnswers());
  }

  /** A replica confirmed something, came, or went. */
  #onProgress(session: ReplicaSession): void {
    if (this.#isEnded) return;
    if (this.#sessions.of(session.node) === session) this.#considerAdding(session);
    else this.#set.forget(session.node);
    this.#advanceCommit();
    this.answers.onLease();
    this.#probe.goOn();
  }

  #considerAdding(session: ReplicaSession): void {
    const { store } = this.#parts;
    this.#set.bind(session.store);
    this.#set.considerAdding(session, {
      commit: store.commitSequence,
      epochStart: this.epochStart,
      promised: this.answers.reached("in-sync"),
      lagMs: session.durable >= store.lastSequence ? 0 : this.#times.ageMs(session.durable + 1),
    });
  }

  /** §2.7. The memtable learns of the commit before any answer goes out. */
  #advanceCommit(): void {
    if (this.#isEnded) return;
    const { store, config } = this.#parts;
    const { inSync } = this.#set.leadership;
    const inSyncReached = inSyncSequence({
      self: config.node,
      ownDurable: store.durableSequence,
      inSync: this.#set.required,
      sessionOf: (node) => this.#sessions.of(node),
    });
    const isFrozen = inSync.length < this.#set.minInSync;
    const commit = this.#guarantee === "flushed" ? store.durableSequence : isFrozen ? 0 : inSyncReached;
    if (commit > store.commitSequence) {
      store.commit(commit);
      this.operations.onCommitted(commit);
      this.#sessions.onCommitted();
    }
    this.answers.advance("flushed", store.durableSequence);
    if (!isFrozen) this.answers.advance("in-sync", mutant("M08") ? store.durableSequence : inSyncReached);
  }

  #sweep(): void {
    this.#lease.tick();
    this.answers.onLease();
    this.#probe.goOn();
    this.answers.sweep();
    this.operations.sweep();
    // One that was about to join and hangs must not hold up the others' promises.
    for (const session of this.#sessions.all) this.#considerAdding(session);
    this.#noteHeard();
    this.#considerRemoving();
  }

  #considerRemoving(): void {
    this.#set.considerRemoving({
      lagMs: (node) => this.#replicaLagMs(node),
      isLeaving: (node) => this.#sessions.of(node)?.isLeaving === true,
    });
  }

  /** Which members of the set count at this moment. */
  #noteHeard(): void {
    for (const member of this.#set.leadership.inSync) {
      const session = this.#sessions.of(member.node);
      if (session !== undefined && counts(member, session)) this.#set.noteHeard(member.node);
    }
  }

  /** 0 for one that has just come back: what it has flushed is not known before its log was found to match. */
  #replicaLagMs(node: NodeName): number {
    const session = this.#sessions.of(node);
    return session?.isMatched === true ? this.#lagMs(session.durable) : 0;
  }

  /** How long ago the oldest entry behind `durable` was written; 0 when there is none. */
  #lagMs(durable: Sequence): number {
    return durable >= this.#parts.store.log.lastSequence ? 0 : this.#times.ageMs(durable + 1);
  }

  /** How long this node's disk has owed the flush of an entry, or the file that the next one needs. */
  #hangsForMs(): number {
    return Math.max(this.#lagMs(this.#parts.store.durableSequence), this.operations.segmentMissingMs);
  }

  #hooks(): TermHooks {
    const { env, config } = this.#parts;
    return {
      others: () => this.#set.required.flatMap(({ node }) => (node === config.node ? [] : [node])),
      silenceMs: (node) => env.clock.nowMs() - (this.#sessions.of(node)?.lastHeardMs ?? this.#startMs),
      isFlushStuck: () => !mutant("M21") && this.#hangsForMs() > LIMITS.uncommittedAgeMsMax,
      onSetChanged: () => this.#advanceCommit(),
    };
  }

  #expire(): void {
    const { store } = this.#parts;
    this.operations.forgetRequests();
    const due = store.tree.dueKeys(store.clock.nowMs(), EXPIRY_KEYS_MAX);
    // Keys that are due but deleted already hide those behind them in the tree's index, until the tree has the deletes.
    if (due.length > 0 && this.operations.expire(due) === 0) store.applyNow();
  }

  #every(intervalMs: number, run: () => void): void {
    const { timers } = this.#parts.env;
    const index = this.#timers.length;
    const again = (): void => {
      run();
      if (!this.#isEnded) this.#timers[index] = timers.after(intervalMs, again);
    };
    this.#timers.push(timers.after(intervalMs, again));
  }
}
