import { mutant } from "../base/mutants.ts";
import { type InSyncMember, isSameStore, type Leadership } from "../model/leadership.ts";
import { LIMITS } from "../model/limits.ts";
import type { NodeName, StoreRef } from "../model/position.ts";
import { leadershipOf, type ShardChange } from "../model/shard-document.ts";
import type { InSyncKeeper, MemberHealth, SetPosition } from "./in-sync-keeper.ts";
import type { MemberEnvironment } from "./member-environment.ts";
import type { ReplicaSession } from "./replica-sessions.ts";
import type { ChangeOutcome, KnownDocument, ShardRegister } from "./shard-register.ts";

export interface CoordinatedSetParts {
  readonly env: MemberEnvironment;
  readonly register: ShardRegister;
  readonly node: NodeName;
  /** As it was when this leadership began. */
  readonly known: KnownDocument;
  readonly leaseMs: number;
  /** Milliseconds since the member is known to have been alive, by its echoes. */
  readonly echoAgeMs: (node: NodeName) => number;
  /** Whether this leader's own disk hangs: then it asks for no echoes, and nobody else is the reason why nothing is committed (L8). */
  readonly isFlushStuck: () => boolean;
  /** The document was changed by this leader, or by the operator. */
  readonly onChanged: (known: KnownDocument) => void;
  /** A member that was about to join counts no more. */
  readonly onSetChanged: () => void;
  /** Somebody else leads, or the document is gone. */
  readonly onDeposed: () => void;
}

/** What became of a handover, for certain. */
export type HandoverOutcome =
  | { readonly kind: "handed-over"; readonly known: KnownDocument }
  /** This member still leads, unless it was deposed; a sentence without its end. */
  | { readonly kind: "refused"; readonly reason: string };

/** A replica must keep up for this long, and be no further behind, before it is counted (§2.8). */
const KEEPS_UP_MS = 1000;
/** A replica that was removed must keep up for longer each time before it is counted again: writes stall at every removal. */
const KEEPS_UP_MS_MAX = 15_000;
/** A connection that is lost may come back within this time. */
const RECONNECT_MS = 100;
/** A fresh leader's members have to find it first; and one that stood still has not read what they have sent meanwhile. */
const FRESH_MS = 500;
const STALL_MS_MAX = 300;

/**
 * Who must have flushed what counts as committed, agreed upon through the coordinator (§2.8): the leader itself removes a
 * member that holds the others up, and adds one that keeps up.
 *
 * Invariant (rule I1): removing goes coordinator first, memory second; adding goes memory first, coordinator second. So
 * `required` holds every member of every configuration that may be in force, also while a change is not certain (C3).
 */
export class CoordinatedSet implements InSyncKeeper {
  readonly #parts: CoordinatedSetParts;
  readonly #startMs: number;
  /** When the members were looked at last, and until when silence is not held against them. */
  #lookedMs: number;
  #patientUntilMs: number;
  readonly #heardMs = new Map<NodeName, number>();
  readonly #keepsUpSinceMs = new Map<NodeName, number>();
  readonly #removals = new Map<NodeName, number>();
  #known: KnownDocument;
  #leadership: Leadership;
  /** Required besides the agreed set: it keeps up and is about to be proposed, or is proposed already. */
  #joining: StoreRef | null = null;

  constructor(parts: CoordinatedSetParts) {
    this.#parts = parts;
    this.#known = parts.known;
    this.#leadership = leadershipOf(parts.known.document);
    this.#startMs = parts.env.clock.nowMs();
    this.#lookedMs = this.#startMs;
    this.#patientUntilMs = this.#startMs + FRESH_MS;
    for (const { node } of parts.known.document.inSync) this.#heardMs.set(node, this.#startMs);
  }

  get leadership(): Leadership {
    return this.#leadership;
  }

  get required(): readonly InSyncMember[] {
    const { inSync } = this.#leadership;
    return this.#joining === null || mutant("M37") ? inSync : [...inSync, this.#joining];
  }

  get minInSync(): number {
    return this.#known.document.minInSync;
  }

  /** In a document every member has a store from the start. */
  bind(): void {}

  noteHeard(node: NodeName): void {
    this.#heardMs.set(node, this.#parts.env.clock.nowMs());
  }

  lastHeardMs(node: NodeName): number {
    return this.#heardMs.get(node) ?? this.#startMs;
  }

  /** The document was read again: the operator may have changed who is wanted, nobody else anything in this epoch. */
  onRead(known: KnownDocument): void {
    if (this.#parts.register.isChanging || known.document.version <= this.#known.document.version) return;
    this.#take(known);
  }

  considerAdding(session: ReplicaSession, position: SetPosition): void {
    const { node, store } = session;
    const { document } = this.#known;
    if (document.inSync.some((member) => isSameStore(member, store))) return;
    // Not whether the leader has committed its own first entry: with a larger `min_in_sync` it cannot without this member.
    const hasBegun = session.durable >= position.epochStart || mutant("M36");
    const isFit =
      document.members.includes(node) &&
      session.isMatched &&
      !session.isLeaving &&
      (session.isComplete || mutant("M99")) &&
      hasBegun &&
      position.lagMs <= KEEPS_UP_MS &&
      this.#parts.echoAgeMs(node) <= this.#parts.leaseMs / 2;
    if (!isFit) return this.forget(node);
    const nowMs = this.#parts.env.clock.nowMs();
    const sinceMs = this.#keepsUpSinceMs.get(node) ?? nowMs;
    this.#keepsUpSinceMs.set(node, sinceMs);
    if (nowMs - sinceMs < this.#patienceMs(node) || this.#parts.register.isChanging) return;
    if (this.#joining !== null && this.#joining.node !== node) return;
    this.#joining = { ...store };
    // Nothing is committed without it any more; it is proposed when it has all that was committed without it.
    if (session.durable < Math.max(position.commit, position.promised)) return;
    this.#change("expand", [...document.inSync.filter((member) => member.node !== node), store]);
  }

  forget(node: NodeName): void {
    this.#keepsUpSinceMs.delete(node);
    // What was proposed may be in force until it is certain that it is not.
    if (this.#joining?.node !== node || this.#parts.register.isChanging) return;
    this.#joining = null;
    this.#parts.onSetChanged();
  }

  /**
   * Gives the leadership to `successor`, a member of the set (§2.9, Handover): with this member in the set as before, or, when it is
   * about to stop, without it. Only while no change is under way; `done` when the outcome is certain.
   */
  handOver(successor: StoreRef, stays: boolean, done: (outcome: HandoverOutcome) => void): void {
    const { env, register, node, onDeposed } = this.#parts;
    const { document } = this.#known;
    const next = {
      ...document,
      epoch: document.epoch + 1,
      term: env.random.hex64(),
      leader: successor,
      inSync: stays ? document.inSync : document.inSync.filter((member) => member.node !== node),
      cause: "handover" as const,
    };
    register.change(this.#known, next, (outcome) => {
      if (outcome.kind === "accepted") return done({ kind: "handed-over", known: outcome.known });
      if (outcome.kind === "failed") return done({ kind: "refused", reason: outcome.reason });
      const { actual } = outcome;
      if (actual === null || !this.#isOfThisLeadership(actual)) {
        onDeposed();
        return done({ kind: "refused", reason: "another member leads meanwhile" });
      }
      this.#take(actual);
      done({ kind: "refused", reason: "somebody else changed the shard's document at the same time" });
    });
  }

  considerRemoving(health: MemberHealth): void {
    const { document } = this.#known;
    this.#look();
    if (this.#parts.register.isChanging) return;
    for (const member of document.inSync) {
      if (member.node === this.#parts.node) continue;
      const wish = this.#wishToRemove(member.node, health);
      const reason = wish ?? this.#reasonToRemove(member.node, health.lagMs(member.node));
      if (reason === null) continue;
      const left = document.inSync.filter((other) => other !== member);
      if (mutant("M04")) this.#leadership = { ...this.#leadership, inSync: left };
      // While the coordinator is away this is tried again and again: only what comes of it is said, and held against the member.
      return this.#change("shrink", left, () => {
        this.#parts.env.logger.warn(`Takes ${member.node} out of the in-sync set: it ${reason}`);
        if (wish === null) this.#removals.set(member.node, (this.#removals.get(member.node) ?? 0) + 1);
      });
    }
  }

  adviceFor(): string {
    return "it is removed from the set as soon as the coordinator answers";
  }

  /** After a stall of its own, and while its own disk hangs, a leader blames nobody: it would be left alone with what ails it. */
  #look(): void {
    const nowMs = this.#parts.env.clock.nowMs();
    const isOwnFault = nowMs - this.#lookedMs > STALL_MS_MAX || this.#parts.isFlushStuck();
    if (isOwnFault) this.#patientUntilMs = nowMs + FRESH_MS;
    this.#lookedMs = nowMs;
  }

  /** Nothing is wrong with the member: somebody wants it to go. */
  #wishToRemove(node: NodeName, health: MemberHealth): string | null {
    if (health.isLeaving(node)) return "is about to stop";
    return this.#known.document.members.includes(node) ? null : "is no member of the shard any more";
  }

  #reasonToRemove(node: NodeName, lagMs: number): string | null {
    const nowMs = this.#parts.env.clock.nowMs();
    if (nowMs < this.#patientUntilMs) return null;
    const absentMs = nowMs - this.lastHeardMs(node);
    if (absentMs > RECONNECT_MS) return `has had no session for ${Math.round(absentMs)} ms`;
    if (lagMs > LIMITS.inSyncSilenceMsMax) return `has not flushed what was written ${Math.round(lagMs)} ms ago`;
    // One that has not answered this leadership yet is given a lease's time from its start.
    const unansweredMs = Math.min(this.#parts.echoAgeMs(node), nowMs - this.#startMs);
    if (unansweredMs > this.#parts.leaseMs) return "has not answered for a whole lease";
    return null;
  }

  #patienceMs(node: NodeName): number {
    return Math.min(KEEPS_UP_MS_MAX, KEEPS_UP_MS * 2 ** (this.#removals.get(node) ?? 0));
  }

  #change(cause: ShardChange, inSync: readonly StoreRef[], onAccepted?: () => void): void {
    this.#parts.register.change(this.#known, { ...this.#known.document, inSync, cause }, (outcome) => {
      if (outcome.kind === "accepted") onAccepted?.();
      this.#onOutcome(cause, outcome);
    });
  }

  #onOutcome(cause: ShardChange, outcome: ChangeOutcome): void {
    const { env, onDeposed } = this.#parts;
    if (outcome.kind === "failed") {
      // Never sent: nobody can believe in it. It is tried again when the members are looked at next.
      this.#joining = null;
      return;
    }
    const known = outcome.kind === "accepted" ? outcome.known : outcome.actual;
    if (known === null || !this.#isOfThisLeadership(known)) return onDeposed();
    this.#joining = null;
    this.#take(known);
    if (cause === "expand" && outcome.kind === "accepted") {
      env.logger.info(`The in-sync set has grown: ${known.document.inSync.map(({ node }) => node).join(", ")}`);
    }
  }

  #isOfThisLeadership({ document }: KnownDocument): boolean {
    const { epoch, leader } = this.#known.document;
    return document.epoch === epoch && isSameStore(document.leader, leader);
  }

  #take(known: KnownDocument): void {
    this.#known = known;
    if (mutant("M05") && known.document.inSync.length > this.#leadership.inSync.length) return;
    this.#leadership = leadershipOf(known.document);
    for (const { node } of this.#leadership.inSync) if (!this.#heardMs.has(node)) this.noteHeard(node);
    this.#parts.onChanged(known);
  }
}
