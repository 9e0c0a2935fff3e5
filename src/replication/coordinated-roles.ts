import { mutant } from "../base/mutants.ts";
import type { KvError } from "../model/errors.ts";
import { isSameStore, type Leadership } from "../model/leadership.ts";
import { LIMITS } from "../model/limits.ts";
import type { NodeName } from "../model/position.ts";
import { leadershipOf, type ShardDocument } from "../model/shard-document.ts";
import type { PromotionReport, PromotionRequest } from "../model/status.ts";
import type { Accounts } from "./accounts.ts";
import { Candidacy, isElectable } from "./candidacy.ts";
import { CoordinatedSet } from "./coordinated-set.ts";
import { DocumentReader } from "./document-reader.ts";
import { DutySwitch } from "./duty-switch.ts";
import { FollowerPromise } from "./follower-promise.ts";
import type { Mandate } from "./leader-term.ts";
import type { LeadershipMemory } from "./leadership-memory.ts";
import { logEndOf } from "./member-account.ts";
import type { MemberConfig, MemberEnvironment } from "./member-environment.ts";
import type { MemberLink } from "./member-link.ts";
import type { HandedOver, StoreLeadership } from "./messages.ts";
import { hasRoomFor } from "./no-room.ts";
import { type Office, PlannedChanges } from "./planned-changes.ts";
import { reasonToLead, successorsOf } from "./reason-to-lead.ts";
import { Reclaim } from "./reclaim.ts";
import type { ElectionParts } from "./roll-call.ts";
import type { Roles, RolesParts } from "./roles.ts";
import type { KnownDocument, RegisterReading, ShardRegister } from "./shard-register.ts";
import { hasStartOf } from "./startup-decision.ts";
import { PromisedLease } from "./term-lease.ts";
import { missingWitness } from "./torn-end.ts";

export interface CoordinatedRolesParts extends RolesParts {
  readonly register: ShardRegister;
  /** `L` */
  readonly leaseMs: number;
  /** `G` */
  readonly graceMs: number;
}

/** How often the document is read: while this member leads, follows, or does neither (rule C4). */
const READ_LEADING_MS = 1000;
const READ_FOLLOWING_MS = 2000;
const READ_WAITING_MS = 250;
/** After an attempt that came to nothing; with a random part as long again. */
const CANDIDACY_PAUSE_MS = 250;

/**
 * The roles of one member, one after the other, by the shard's document at the coordinator (§2.4, §2.9).
 *
 * Owns what was last read of it. A member leads only after its own swap was accepted, or when the leader before handed over to
 * it; it never goes by a document older than what it has seen (rule C5). While the coordinator does not answer, everybody goes on
 * with what he has: a leader leads, a replica follows.
 */
export class CoordinatedRoles implements Roles {
  readonly duties: DutySwitch;
  readonly #env: MemberEnvironment;
  readonly #config: MemberConfig;
  readonly #link: MemberLink;
  readonly #accounts: Accounts;
  readonly #memory: LeadershipMemory;
  readonly #register: ShardRegister;
  readonly #reader: DocumentReader;
  readonly #promise: FollowerPromise;
  readonly #leaseMs: number;
  readonly #changes: PlannedChanges;
  #office: Office | null = null;
  #candidacyNotBeforeMs: number = Number.NEGATIVE_INFINITY;
  #document: ShardDocument | null = null;
  documentFault: string | null = null;

  constructor(parts: CoordinatedRolesParts) {
    const { env, config, link, accounts, memory, boot, register } = parts;
    this.#env = env;
    this.#config = config;
    this.#link = link;
    this.#accounts = accounts;
    this.#memory = memory;
    this.#register = register;
    this.#leaseMs = parts.leaseMs;
    this.#promise = new FollowerPromise(env.clock, parts.graceMs);
    const decide = (): void => this.decide();
    this.#reader = new DocumentReader({
      ...env,
      register,
      state: () => memory.state,
      intervalMs: () => this.#readIntervalMs(),
      onReading: (reading, fault) => this.#onReading(reading, fault),
    });
    const onLost = (): void => this.#reader.readSoon();
    this.duties = new DutySwitch({ env, config, link, memory, boot, decide, onLost, promise: this.#promise });
    this.#changes = new PlannedChanges({
      ...parts,
      duties: this.duties,
      office: () => this.#office,
      decide,
      lead: (known) => this.#lead(known, true),
      giveWay: (known, reason) => this.#giveWay(known, reason),
    });
  }

  get document(): ShardDocument | null {
    return this.#document;
  }

  /** Who is in the set still belongs to the shard: the leader takes it out first. */
  belongs(node: NodeName): boolean {
    const { members, inSync } = this.#document ?? { members: [node], inSync: [] };
    return members.includes(node) || inSync.some((member) => member.node === node);
  }

  decide(): void {
    if (this.duties.isStopped) return;
    this.duties.begin({ kind: "waiting", reason: "asks the coordinator who leads", sinceMs: this.#env.clock.nowMs() });
    this.#reader.start();
  }

  stop(done: () => void): void {
    this.#reader.stop();
    this.#changes.stop();
    this.duties.stop(() => this.#register.stop(), done);
  }

  retire(done: () => void): void {
    this.#changes.retire(done);
  }

  onHandOver(from: NodeName, id: number): void {
    this.#changes.onHandOver(from, id);
  }

  onHandedOver(from: NodeName, message: HandedOver): void {
    this.#changes.onHandedOver(from, message);
  }

  promote(request: PromotionRequest, done: (report: PromotionReport | KvError) => void): void {
    this.#changes.promote(request, done);
  }

  onTick(): void {
    this.#changes.relieve();
    this.#reader.onTick();
  }

  /** A hint, like everything that others say about leaderships: the document decides. */
  learn(leadership: Leadership): void {
    const { known } = this.#memory;
    if (known === null || leadership.epoch > known.epoch) this.#reader.readSoon();
  }

  onDeposed(epoch: number): void {
    hasRoomFor(() => this.#memory.noteSeen(epoch));
    this.duties.leave(() => this.decide(), `another member has seen epoch ${epoch}`);
  }

  /** Cannot be: the coordinator gives every epoch out once. Somebody is of another cluster, or a document was restored. */
  onConflict(other: NodeName, epoch: number): void {
    this.#refuseToTakePart(`${other} knows epoch ${epoch} with another term than the coordinator's`);
  }

  /** Only in static mode do members promote each other. */
  onStepDown(): void {}

  onStoreLeadership(from: NodeName, message: StoreLeadership): void {
    const { store } = this.#memory.state;
    this.#link.send(from, "STORED_LEADERSHIP", { id: message.id, accepted: false, store, complete: false });
  }

  #onReading(reading: RegisterReading, fault: string | null): void {
    const { kind } = this.duties.duty;
    if (this.duties.isStopped || kind === "starting" || kind === "changing" || kind === "candidate") return;
    // What the swap of a handover comes to, it hears itself.
    if (this.#changes.isHandingOver) return;
    if (reading.kind === "failed") return this.#goOnWithout(reading.reason);
    if (reading.kind === "absent") return this.#onAbsent();
    if (fault !== null && !mutant("M42")) return this.#refuseToTakePart(fault);
    this.documentFault = null;
    this.#document = reading.known.document;
    this.#goBy(reading.known);
  }

  /** The coordinator does not answer: a member without a duty follows whom it knows, which harms nobody (rule P1). */
  #goOnWithout(reason: string): void {
    const { known } = this.#memory;
    if (this.duties.duty.kind !== "waiting" || this.documentFault !== null) return;
    if (known === null || known.leader.node === this.#config.node) return this.#waitFor(reason);
    this.duties.follow(known.leader.node, "it led when the coordinator was last heard");
  }

  #onAbsent(): void {
    const absent = `The coordinator has no document of shard ${this.#config.shard.name}`;
    if (this.#memory.known !== null) return this.#refuseToTakePart(`${absent} (from static mode? kv init --adopt)`);
    const cure = "kv up makes it as soon as all nodes answer, otherwise kv init does";
    this.#waitFor(`${absent} yet: ${cure}`, true);
  }

  #refuseToTakePart(fault: string): void {
    const isSaid = this.documentFault === fault;
    this.documentFault = fault;
    if (isSaid) return;
    const advice = "its data were restored or replaced, or this is another cluster's: kv coordinator rebuild";
    this.duties.leave(() => this.duties.wait(`${fault}; ${advice}`), fault);
  }

  #goBy(known: KnownDocument): void {
    const { duty } = this.duties;
    const leadership = leadershipOf(known.document);
    if (duty.kind === "leading") {
      const isStillOurs = leadership.epoch === duty.term.leadership.epoch;
      const isBlind = mutant("M24") && duty.term.required.length === 1;
      if (isStillOurs) this.#office?.set.onRead(known);
      else if (!isBlind) this.duties.leave(() => this.decide(), namedLeader(leadership));
      return;
    }
    if (isSameStore(known.document.leader, this.#memory.state.store)) return this.#takeOffice(known);
    if (known.document.leader.node === this.#config.node) {
      return this.#waitFor(`This node led with a store that is gone or damaged; ${successorsOf(known.document)}`);
    }
    const isFollowed = duty.kind === "following" && duty.follower.leader === known.document.leader.node;
    if (!this.#noteLeader(leadership)) {
      return duty.kind === "following" ? undefined : this.duties.waitForRoom();
    }
    if (!this.belongs(this.#config.node)) {
      return this.#waitFor("This node is no member of its shard by the coordinator's document (kv member add)");
    }
    if (!isFollowed) {
      return this.duties.leave(() => {
        this.duties.follow(known.document.leader.node, namedLeader(leadership));
        // What was read while the role changed was not gone by.
        this.#reader.readSoon();
      });
    }
    if (this.#mayCandidate(known.document)) this.#seekLeadership(known);
  }

  /** False: the disk has no room to remember it. A leader of whom nobody knew may be about to begin, and gets the time to. */
  #noteLeader(leadership: Leadership): boolean {
    const isNew = leadership.epoch > (this.#memory.known?.epoch ?? 0);
    if (isNew) this.#candidacyNotBeforeMs = this.#env.clock.nowMs() + this.#leaseMs;
    return hasRoomFor(() => this.#memory.remember(leadership));
  }

  /** This member has handed over: the successor hears so at once, and is followed. */
  #giveWay({ document }: KnownDocument, reason: string): void {
    const leadership = leadershipOf(document);
    this.#noteLeader(leadership);
    this.#link.send(document.leader.node, "NOT_LEADER", { seenEpoch: document.epoch, leadership });
    this.duties.leave(() => this.decide(), reason);
  }

  /** The document names this very store: it led before, or was handed the leadership (§2.9, Restart and Handover). */
  #takeOffice(known: KnownDocument): void {
    const { state } = this.#memory;
    if (state.damage !== null || state.bootstrap !== null) {
      return this.#waitFor(`This copy is not whole and does not lead; ${successorsOf(known.document)}`);
    }
    if (this.#register.isChanging) return this.#waitFor("Waits to hear what became of its last request to lead");
    // An epoch that cannot begin is not asked for: it would be another one at every look.
    if (!this.#hasRoom) return this.#waitFor("The disk has no room to begin a leadership");
    const { cause, epoch } = known.document;
    const isHandedOver = cause === "handover" && state.seenEpoch.epoch < epoch;
    if (isHandedOver) return this.duties.leave(() => this.#lead(known, false));
    const hasBegun = hasStartOf(this.duties.store, leadershipOf(known.document));
    // What `kv init` wrote was nobody's leadership yet.
    const isPromotion = !hasBegun && cause !== "create";
    // A promotion that this process does not know of: promises to the leader before may still hold (rule L7).
    // Before the first leadership nobody had promised anything.
    if (isPromotion && this.#promise.remainingMs > 0 && !mutant("M20")) {
      return this.#waitFor("Waits until its last promise to the leader before has run out");
    }
    const missing = this.#missingWitness(known.document);
    if (missing !== null) return this.#waitFor(missing);
    this.duties.leave(() => this.#claimAgain(known, isPromotion));
  }

  /** A new epoch before the first append (rule G1): what an earlier process appended may be elsewhere, and lost here. */
  #claimAgain(known: KnownDocument, isPromotion: boolean): void {
    if (mutant("M27")) return this.#lead(known, isPromotion);
    const reclaim = new Reclaim({
      ...this.#toElect(known),
      onClaimed: (claimed) => this.#lead(claimed, isPromotion),
      onPassedOn: (passed) =>
        this.#giveWay(passed, `${passed.document.leader.node} has more of the log than this member`),
      onDropped: () => this.decide(),
    });
    this.duties.begin({ kind: "candidate", candidacy: reclaim });
    reclaim.start();
  }

  /** A success that is heard of late may be of an epoch that is over: behind entries of a later one nothing is appended. */
  #lead(known: KnownDocument, isPromotion: boolean): void {
    const isOver = known.document.epoch <= this.#memory.state.seenEpoch.epoch && !mutant("M27");
    if (isOver) return this.decide();
    const reason = reasonToLead(known.document.cause);
    this.duties.lead(leadershipOf(known.document), { isPromotion, reason }, this.#mandate(known));
  }

  #mandate(known: KnownDocument): Mandate {
    return (hooks) => {
      const env = this.#env;
      const leaseMs = this.#leaseMs;
      const lease = new PromisedLease({ clock: env.clock, leaseMs, readMs: () => this.#reader.readMs, ...hooks });
      const set = new CoordinatedSet({
        env,
        register: this.#register,
        node: this.#config.node,
        known,
        leaseMs,
        echoAgeMs: (node) => lease.echoAgeMs(node),
        ...hooks,
        onChanged: (changed) => {
          hasRoomFor(() => this.#memory.remember(leadershipOf(changed.document)));
          hooks.onSetChanged();
        },
        onDeposed: () => this.duties.leave(() => this.decide(), "another member has changed the shard's document"),
      });
      this.#office = { set, lease };
      return this.#office;
    };
  }

  /** A replica that has promised nothing for longer wants to know soon whether it may take over. */
  #readIntervalMs(): number {
    const { kind } = this.duties.duty;
    if (kind === "leading") return READ_LEADING_MS;
    return kind === "following" && this.#promise.remainingMs > 0 ? READ_FOLLOWING_MS : READ_WAITING_MS;
  }

  /** Whether it may take over, by the document just read (§2.9, Promotion, preconditions). */
  #mayCandidate(document: ShardDocument): boolean {
    const { damage, bootstrap, seenEpoch, store } = this.#memory.state;
    const isWhole = (damage === null && bootstrap === null) || mutant("M40");
    const isListed = document.inSync.some((member) => isElectable(member, store)) || mutant("M44");
    const isFree = this.#promise.remainingMs <= 0 && this.#env.clock.nowMs() >= this.#candidacyNotBeforeMs;
    const isPossible = this.#hasRoom && !this.#register.isChanging;
    const isInTime = isFree && document.epoch === seenEpoch.epoch;
    return isWhole && isListed && isPossible && isInTime && this.#missingWitness(document) === null;
  }

  /** Asks again who could know what this log may have lost at its end, until somebody says so. */
  #missingWitness(document: ShardDocument): string | null {
    const missing = missingWitness(this.#memory.state, document, this.#accounts);
    if (missing !== null) this.#accounts.askAgain();
    return missing;
  }

  get #hasRoom(): boolean {
    return this.duties.store?.roomFor(LIMITS.keyBytesMax) === "yes";
  }

  /** Only now it falls silent towards the old leader (rule L6): a coordinator that cannot be read disturbs nobody. */
  #seekLeadership(known: KnownDocument): void {
    this.duties.leave(() => {
      const candidacy = new Candidacy({
        ...this.#toElect(known),
        mayLose: this.#config.replication === "async",
        onElected: (elected) => this.#lead(elected, true),
        onDropped: (reason) => {
          const { clock, random, logger } = this.#env;
          this.#candidacyNotBeforeMs = clock.nowMs() + CANDIDACY_PAUSE_MS * (1 + random.next());
          logger.info("Does not take over", { shard: this.#config.shard.name, reason });
          this.decide();
        },
      });
      this.duties.begin({ kind: "candidate", candidacy });
      candidacy.start();
    });
  }

  #toElect(known: KnownDocument): ElectionParts {
    const logEnd = logEndOf(this.duties.store);
    return { env: this.#env, register: this.#register, accounts: this.#accounts, logEnd, known };
  }

  #waitFor(reason: string, isExpected = false): void {
    const { duty } = this.duties;
    if (duty.kind === "waiting" && duty.reason === reason) return;
    if (duty.kind === "waiting") this.duties.wait(reason, isExpected);
    else this.duties.leave(() => this.duties.wait(reason), reason);
  }
}

function namedLeader({ leader, epoch }: Leadership): string {
  return `the coordinator's document names ${leader.node} leader of epoch ${epoch}`;
}
