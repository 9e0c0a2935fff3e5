import type { Timer } from "../base/clock.ts";
import { mutant } from "../base/mutants.ts";
import { EntryFormatError } from "../model/entry.ts";
import type { Leadership } from "../model/leadership.ts";
import type { Epoch, NodeName, Sequence } from "../model/position.ts";
import type { ShardStore } from "../shard/shard-store.ts";
import { AskedSession } from "./asked-session.ts";
import { Bootstrap } from "./bootstrap.ts";
import { cutInputs, decideCut, haltReason } from "./cut-decision.ts";
import { BeaconEcho, type FollowerPromise } from "./follower-promise.ts";
import { keepEntriesBehind } from "./keep-discarded.ts";
import { LeaderRefusal } from "./leader-refusal.ts";
import type { MemberEnvironment } from "./member-environment.ts";
import type { MemberLink } from "./member-link.ts";
import { demandOf, greetingOf } from "./greeting.ts";
import { ReceiveWindow } from "./receive-window.ts";
import { ReplicaLag } from "./replica-lag.ts";
import { forgetImpairment } from "./torn-end.ts";
import type {
  Diverged,
  Entries,
  Heartbeat,
  HeartbeatAck,
  IncomingMessage,
  Range,
  Refused,
  Welcome,
} from "./messages.ts";

/** What following is made of. */
export interface FollowerParts {
  readonly env: MemberEnvironment;
  readonly link: MemberLink;
  readonly store: ShardStore;
  readonly boot: string;
  /** Whom to follow: durable in this node's state, or the configuration's first leader when nothing is known. */
  readonly leader: NodeName;
  /** Takes a leadership that was heard of; false when a higher one is known. Durable when it returns true (rule P1). */
  readonly adopt: (leadership: Leadership) => boolean;
  /** What is promised to the leader with every echo; null in static mode. */
  readonly promise: FollowerPromise | null;
  /** Higher than any before in this process. */
  readonly nextGreeting: () => number;
  /** The leader does not answer, or says that it does not lead: somebody should be asked (rule T4). */
  readonly onLost: () => void;
  /** This copy cannot go on by itself; the sentence is for the operator. */
  readonly onHalt: (reason: string) => void;
}

type Phase = "greeting" | "streaming" | "cutting" | "copying" | "halted";

const TICK_MS = 100;
const GREETING_REPEAT_MS = 500;
/** A stream without any message for this long is greeted anew; heartbeats come every 200 ms. */
const SILENCE_MS = 1500;
/** A pull without an answer for this long is sent again. */
const PULL_REPEAT_MS = 2500;

/**
 * A replica's side of the pull protocol (§2.6): greets the leader, pulls entries, appends and flushes them, confirms.
 *
 * Invariant: what it confirms as durable is in its log, flushed, and was received in this session or matched by the leader
 * (M02, M10); it never cuts what it knows to be committed (rule P2). Anything odd ends the session and starts a new one.
 */
export class Follower {
  readonly #parts: FollowerParts;
  #phase: Phase = "greeting";
  readonly #session: AskedSession;
  #leadership: Leadership | null = null;
  readonly #echo: BeaconEcho;
  #lastHeardMs: number;
  #pulledMs = Number.NEGATIVE_INFINITY;
  #isPullOpen = false;
  /** Whether the leader has found our log to be a prefix of its own, in this session; before that its commits say nothing. */
  #isMatched = false;
  #knownCommit: Sequence = 0;
  readonly #lag: ReplicaLag;
  readonly leader: NodeName;
  readonly refusal: LeaderRefusal;
  readonly #window: ReceiveWindow = new ReceiveWindow();
  #bootstrap: Bootstrap | null = null;
  /** As of the last tick: whoever asks the disk with every message asks too often. */
  #roomBytes = 0;
  #isEnded = false;
  #timer: Timer | null = null;

  constructor(parts: FollowerParts) {
    this.#parts = parts;
    this.#session = new AskedSession(parts.env.clock, parts.nextGreeting);
    this.#echo = new BeaconEcho(parts.promise);
    this.#lastHeardMs = parts.env.clock.nowMs();
    this.#lag = new ReplicaLag(parts.env.clock);
    this.leader = parts.leader;
    this.refusal = new LeaderRefusal(parts.env.logger, parts.leader);
    if (parts.env.stateFile.state.bootstrap !== null) this.#bootstrap = this.#newBootstrap();
  }

  start(): void {
    this.#greet();
    this.#arm();
  }

  /** Whether entries flow. */
  get isStreaming(): boolean {
    return this.#phase === "streaming" && this.#isMatched;
  }

  /** When the leader was last heard of, and where its log ended then. */
  get news(): { readonly heardMs: number; readonly logEnd: Sequence } {
    return { heardMs: this.#lastHeardMs, logEnd: this.#lag.leaderLogEnd };
  }

  /** What this copy lacks, as far as it knows. */
  lag(): { readonly entries: number; readonly ms: number } {
    return this.#lag.measure(this.#parts.store.settledSequence, this.isStreaming);
  }

  /** How old what this copy shows may be (rule R8). */
  get staleMs(): number {
    return this.#lag.staleMs;
  }

  /** Takes a message for a replica; others are none of its business. */
  onMessage(from: NodeName, message: IncomingMessage): void {
    if (this.#isEnded || from !== this.#parts.leader) return;
    if (message.type === "WELCOME") this.#onWelcome(from, message.header);
    else if (message.type === "ENTRIES") this.#onEntries(from, message.header, message.body);
    else if (message.type === "HB") this.#onHeartbeat(from, message.header);
    else if (message.type === "DIVERGED") this.#onDiverged(from, message.header);
    else if (message.type === "SNAPSHOT_NEEDED") this.#onSnapshotNeeded(from, message.header);
    else if (message.type === "RANGE") this.#onRange(message.header, message.body);
    else if (message.type === "REFUSED") this.#onRefused(message.header);
    else if (message.type === "NOT_LEADER") this.#onNotLeader();
    else if (message.type === "LEADING") this.#onLeading(message.header.leadership.epoch);
  }

  #onWelcome(from: NodeName, welcome: Welcome): void {
    if (this.#phase !== "greeting" || !this.#session.isAnswer(welcome)) return;
    const { leadership } = welcome;
    if (leadership.leader.node !== from || !this.#parts.adopt(leadership)) return;
    this.#leadership = leadership;
    this.#session.sid = welcome.sid;
    this.#echo.reset();
    this.#lag.onSession();
    this.#lastHeardMs = this.#parts.env.clock.nowMs();
    if (this.#bootstrap !== null && this.#bootstrap.isCopying) {
      this.#phase = "copying";
      this.#bootstrap.onSession(this.#session.sid, leadership.lineage);
      return;
    }
    if (this.#bootstrap?.isOfOtherHistory(leadership.lineage) === true) {
      return this.#resync("Acknowledged entries were given up while the copied rows were being made whole");
    }
    this.#phase = "streaming";
    this.#isMatched = false;
    this.#isPullOpen = false;
    this.#pull();
  }

  #onEntries(from: NodeName, entries: Entries, body: Buffer): void {
    if (!this.#isOurs(from, entries) || this.#phase !== "streaming") return;
    this.#heard(entries.beacon);
    this.#isPullOpen = false;
    this.#lag.heard(entries, true);
    this.refusal.clear();
    const { store } = this.#parts;
    this.#isMatched = true;
    if (body.length > 0 && entries.after === store.lastSequence) {
      if (store.roomFor(body.length) !== "yes") return this.#window.awaitRoom(store.log, () => this.#pull());
      try {
        store.receive(body, this.#leadership?.epoch ?? 0);
      } catch (error) {
        if (!(error instanceof EntryFormatError)) throw error;
        this.#parts.env.logger.warn("Entries of the leader are refused", { leader: from, reason: error.message });
        this.#greet();
        return;
      }
      this.#window.note(store.lastSequence, body.length);
    }
    this.#learnCommit(entries.commit);
    this.#pull();
  }

  #onHeartbeat(from: NodeName, heartbeat: Heartbeat): void {
    if (!this.#isOurs(from, heartbeat)) return;
    this.#heard(heartbeat.beacon);
    this.#lag.heard(heartbeat, this.isStreaming);
    if (this.#leadership !== null && heartbeat.leadership.setVersion > this.#leadership.setVersion) {
      if (this.#parts.adopt(heartbeat.leadership)) this.#leadership = heartbeat.leadership;
    }
    if (this.#phase === "streaming" && this.#isMatched) this.#learnCommit(heartbeat.commit);
    this.#acknowledge();
  }

  #onDiverged(from: NodeName, diverged: Diverged): void {
    if (!this.#isOurs(from, diverged) || this.#phase !== "streaming") return;
    this.#phase = "cutting";
    this.#parts.store.quiesce(() => {
      if (this.#isEnded) return;
      this.#window.reset();
      this.#cut(diverged);
    });
  }

  #onSnapshotNeeded(from: NodeName, message: { readonly sid: string; readonly epoch: number }): void {
    const isAsking = this.#phase === "streaming" || this.#phase === "copying";
    if (isAsking && this.#isOurs(from, message)) this.#resync("The leader's log no longer reaches back");
  }

  #onRange(range: Range, body: Buffer): void {
    if (range.sid !== this.#session.sid || this.#phase !== "copying") return;
    this.#lastHeardMs = this.#parts.env.clock.nowMs();
    this.refusal.clear();
    this.#bootstrap?.onRange(range, body);
  }

  #onRefused(refused: Refused): void {
    this.refusal.note(refused);
    this.#bootstrap?.onRefused();
    this.#parts.onLost();
  }

  /** Not the leader any more, or not yet; a greeting is still valid, if it led when it came to that. */
  #onNotLeader(): void {
    if (this.#phase !== "greeting") this.onDisconnected(this.#parts.leader);
    this.#parts.onLost();
  }

  /** With an epoch that this session is not of. */
  #onLeading(epoch: Epoch): void {
    if (this.#phase === "halted" || this.#phase === "cutting") return;
    if (this.#phase === "greeting" || epoch > (this.#leadership?.epoch ?? 0)) this.#greet();
  }

  onFlushed(sequence: Sequence): void {
    this.#window.onFlushed(sequence);
    this.#acknowledge();
    this.#afterProgress();
    this.#pull();
  }

  onApplied(): void {
    this.#afterProgress();
    this.#pull();
  }

  onDisconnected(node: NodeName): void {
    if (node !== this.#parts.leader || this.#phase === "halted" || this.#phase === "cutting") return;
    this.#endSession();
  }

  /** Calls `done` when nothing of this session touches the store any more. */
  end(done: () => void): void {
    this.#isEnded = true;
    this.#timer?.cancel();
    const quiesce = (): void => this.#parts.store.quiesce(done);
    if (this.#bootstrap === null) quiesce();
    else this.#bootstrap.end(quiesce);
  }

  #arm(): void {
    this.#timer = this.#parts.env.timers.after(TICK_MS, () => {
      this.#tick();
      if (!this.#isEnded) this.#arm();
    });
  }

  #tick(): void {
    const nowMs = this.#parts.env.clock.nowMs();
    this.#roomBytes = this.#parts.store.log.roomAheadBytes;
    if (this.#phase === "greeting") {
      if (this.#session.askedForMs < GREETING_REPEAT_MS) return;
      this.#greet();
      if (nowMs - this.#lastHeardMs > SILENCE_MS) this.#parts.onLost();
      return;
    }
    if (this.#phase === "halted" || this.#phase === "cutting") return;
    if (nowMs - this.#lastHeardMs > SILENCE_MS) this.#endSession();
    else if (this.#phase === "copying") this.#bootstrap?.onTick();
    else {
      if (nowMs - this.#pulledMs > PULL_REPEAT_MS) this.#isPullOpen = false;
      this.#pull();
    }
  }

  #endSession(): void {
    this.#phase = "greeting";
    this.#session.end();
    this.#isPullOpen = false;
  }

  #greet(): void {
    const { link, leader } = this.#parts;
    if (this.#phase !== "greeting") this.#endSession();
    link.send(leader, "HELLO", { ...greetingOf(this.#parts), greeting: this.#session.ask() });
  }

  #pull(): void {
    const { env, store, link, leader } = this.#parts;
    const knownCommit = this.#knownCommit;
    if (this.#isEnded || this.#phase !== "streaming" || this.#isPullOpen || store.memtable.isFull) return;
    if (this.#window.isFull) return;
    this.#isPullOpen = true;
    this.#lag.onEcho(this.#echo.last);
    this.#pulledMs = env.clock.nowMs();
    link.send(leader, "PULL", { ...this.#standing(), ...demandOf(this.#parts), knownCommit });
  }

  #acknowledge(): void {
    if (this.#isEnded || this.#phase === "greeting") return;
    this.#lag.onEcho(this.#echo.last);
    this.#parts.link.send(this.#parts.leader, "HBACK", this.#standing());
  }

  /** What every message of the stream tells the leader. Flushed, never merely received (M02). */
  #standing(): HeartbeatAck {
    const { store } = this.#parts;
    const durable = mutant("M02") ? store.lastSequence : store.durableSequence;
    return {
      sid: this.#session.sid,
      epoch: this.#leadership?.epoch ?? 0,
      durable,
      echo: this.#echo.last,
      room: this.#roomBytes,
    };
  }

  #heard(beacon: number): void {
    this.#lastHeardMs = this.#parts.env.clock.nowMs();
    this.#echo.heard(beacon);
  }

  #learnCommit(commit: Sequence): void {
    this.#knownCommit = commit;
    this.#parts.store.commit(Math.min(commit, this.#parts.store.lastSequence));
    this.#afterProgress();
  }

  #afterProgress(): void {
    const { store, env } = this.#parts;
    const visible = store.settledSequence;
    const isOpen = store.log.epochOf(visible)?.epoch === this.#leadership?.epoch;
    if (this.isStreaming) this.#lag.noteVisible(visible, isOpen);
    this.#bootstrap?.onProgress();
    // Before its first entry is committed a new leader may not know of all that the one before had committed (rule R3).
    const hasAll = this.isStreaming && isOpen && visible >= this.#knownCommit;
    if (hasAll) forgetImpairment(env.stateFile);
  }

  #isOurs(from: NodeName, message: { readonly sid: string; readonly epoch: number }): boolean {
    if (this.#isEnded || this.#phase === "halted" || this.#phase === "greeting") return false;
    if (mutant("M34")) return true;
    return (
      from === this.#parts.leader && message.sid === this.#session.sid && message.epoch === this.#leadership?.epoch
    );
  }

  /** §2.11, with rule P2: what is committed or in the tree is never cut by mistake. */
  #cut(answer: Diverged): void {
    const { store, env, leader } = this.#parts;
    const leaderLineage = this.#leadership?.lineage ?? 0;
    const inputs = cutInputs(store, answer, { leaderLineage, isArbitrated: env.coordination !== null });
    const decision = decideCut(inputs);
    if (decision.kind === "halt") {
      this.#phase = "halted";
      return this.#parts.onHalt(haltReason(leader, decision.to, inputs.committedThrough));
    }
    if (decision.kind === "resync") {
      keepEntriesBehind(store, decision.to, env);
      return this.#resync(`The leader's history parts from this one at ${decision.to}, behind what was committed here`);
    }
    const bytes = store.truncateAfter(Math.min(decision.to, store.lastSequence), (cut) => env.discarded.keep(cut));
    env.logger.warn("The log was cut to follow the leader", { leader, after: decision.to, bytes });
    if (mutant("M30")) this.#phase = "streaming";
    else this.#greet();
  }

  /** Throws this copy away and takes a new one from the leader (§2.12, rule I5). */
  #resync(reason: string): void {
    this.#phase = "cutting";
    this.#window.reset();
    this.#parts.env.logger.warn("This copy starts anew from the leader's rows", { reason });
    this.#lag.reset();
    this.#bootstrap?.end(() => {});
    this.#bootstrap = this.#newBootstrap();
    this.#bootstrap.begin();
  }

  #newBootstrap(): Bootstrap {
    const { env, store, link, leader } = this.#parts;
    return new Bootstrap({ env, store, link, leader, onSessionNeeded: () => this.#greet() });
  }
}
