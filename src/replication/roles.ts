import { mutant } from "../base/mutants.ts";
import { KvError } from "../model/errors.ts";
import type { Leadership } from "../model/leadership.ts";
import { LIMITS } from "../model/limits.ts";
import type { Epoch, NodeName } from "../model/position.ts";
import type { PromotionReport, PromotionRequest } from "../model/status.ts";
import type { ShardStore } from "../shard/shard-store.ts";
import type { Accounts } from "./accounts.ts";
import type { Duty } from "./duty.ts";
import { Follower } from "./follower.ts";
import { LeaderTerm } from "./leader-term.ts";
import type { LeadershipMemory } from "./leadership-memory.ts";
import { LogFetch } from "./log-fetch.ts";
import { allListed, leaderNews, logEndOf } from "./member-account.ts";
import type { MemberConfig, MemberEnvironment } from "./member-environment.ts";
import type { MemberLink } from "./member-link.ts";
import type { StoreLeadership } from "./messages.ts";
import { hasRoomFor } from "./no-room.ts";
import { Promotion } from "./promotion.ts";
import { decideRole, highestEpoch } from "./startup-decision.ts";

export interface RolesParts {
  readonly env: MemberEnvironment;
  readonly config: MemberConfig;
  readonly link: MemberLink;
  readonly accounts: Accounts;
  readonly memory: LeadershipMemory;
  /** Drawn anew at every start of the process. */
  readonly boot: string;
}

const POLL_MS = 2000;
/** A leader that was asked to step down for a promotion that never came decides its role anew after this long. */
const STEPPED_DOWN_MS = 10_000;
const ROOM_RETRY_MS = 1000;
const NO_ROOM = "The disk has no room to write down the node's state (node.json); free space and it goes on by itself";
const SUSPENDED = "Stepped down for a promotion; waits for its outcome";

/**
 * The roles of one member, one after the other, by the rules of static mode (T1–T6).
 *
 * Owns the present duty. Invariant: at most one duty touches the store at a time; it is left in one synchronous step that
 * settles everything it owes, and the next begins only when the store is quiet (§2.10). What must not be forgotten is
 * durable before it is acted upon; while the disk is too full for that, the member waits and says so.
 */
export class Roles {
  readonly #env: MemberEnvironment;
  readonly #config: MemberConfig;
  readonly #link: MemberLink;
  readonly #accounts: Accounts;
  readonly #memory: LeadershipMemory;
  readonly #boot: string;
  #store: ShardStore | null = null;
  #duty: Duty = { kind: "starting" };
  #polledMs = 0;
  /** The operator's promotion of this node, from its first question to its report. */
  #promotion: Promotion | null = null;
  /** How often a duty was left: only the newest one who waits for a quiet store decides what comes next. */
  #leaveCount = 0;
  #isStopped = false;

  constructor(parts: RolesParts) {
    this.#env = parts.env;
    this.#config = parts.config;
    this.#link = parts.link;
    this.#accounts = parts.accounts;
    this.#memory = parts.memory;
    this.#boot = parts.boot;
  }

  get duty(): Duty {
    return this.#duty;
  }

  /** Null until the log is recovered. */
  get store(): ShardStore | null {
    return this.#store;
  }

  onRecovered(store: ShardStore): void {
    this.#store = store;
  }

  /** Leaves the present duty for good. */
  stop(done: () => void): void {
    this.#isStopped = true;
    this.#promotion?.giveUp("The node is shutting down");
    this.#leave(done);
  }

  /** Decides what to be from what is known now, and begins to be it. The present duty must be over. */
  decide(): void {
    const store = this.#store;
    if (store === null || this.#isStopped) return;
    const accounts = this.#accounts.answered();
    const silent = this.#accounts.silent();
    const decision = decideRole({
      self: this.#config.node,
      state: this.#memory.state,
      logEnd: logEndOf(this.#store),
      accounts,
      isFirstLeader: this.#config.isFirstLeader,
      firstLeader: this.#config.shard.members[0]?.node ?? this.#config.node,
    });
    if (decision.kind === "wait") return this.#wait(decision.reason);
    if (decision.kind === "follow") {
      const { leadership, leader } = decision;
      if (leadership !== null && !hasRoomFor(() => this.#memory.remember(leadership))) return this.#waitForRoom();
      return this.#follow(leader);
    }
    const { fetchFrom, base, epoch } = decision;
    const isSeen = fetchFrom.length === 0 || hasRoomFor(() => this.#memory.noteSeen(epoch - 1));
    if (!isSeen) return this.#waitForRoom();
    if (silent.length > 0) this.#env.logger.warn("Some members did not answer", { silent });
    this.#catchUp(fetchFrom, base);
  }

  /** Fetches what the first of `sources` has beyond this log, or the next one when it does not give it; then leads (rule T3). */
  #catchUp(sources: readonly NodeName[], base: Leadership | null): void {
    const [from, ...others] = sources;
    const store = this.#store;
    if (from === undefined || store === null) return this.#leadAgain(base);
    const catchUp = new LogFetch({
      env: this.#env,
      link: this.#link,
      store,
      from,
      done: (isComplete) => this.#catchUp(isComplete ? [] : others, base),
    });
    this.#duty = { kind: "catching-up", fetch: catchUp };
    catchUp.start();
  }

  /** Leads with a new epoch, in the place that this node's own state or the configuration gives it (rule T2). */
  #leadAgain(base: Leadership | null): void {
    const { state } = this.#env.stateFile;
    const hasBegun = base === null || hasStartOf(this.#store, base);
    const epoch = highestEpoch({ state, logEnd: logEndOf(this.#store), accounts: this.#accounts.answered() }) + 1;
    const isOldEpoch = mutant("M27") && base !== null;
    this.#lead(
      {
        epoch: isOldEpoch ? base.epoch : epoch,
        term: isOldEpoch ? base.term : this.#env.random.hex64(),
        leader: state.store,
        lineage: base?.lineage ?? 0,
        inSync: base?.inSync ?? allListed(this.#config, state),
        setVersion: (base?.setVersion ?? 0) + 1,
      },
      !hasBegun,
    );
  }

  #lead(leadership: Leadership, isPromotion: boolean): void {
    const env = this.#env;
    const store = this.#store;
    if (store === null || this.#isStopped) return;
    if (store.roomFor(LIMITS.keyBytesMax) !== "yes") {
      this.#wait("The disk has no room to begin a leadership");
      const waiting = this.#duty;
      store.log.whenRoomChanges(() => {
        if (this.#duty === waiting) this.#lead(leadership, isPromotion);
      });
      return;
    }
    if (!hasRoomFor(() => this.#memory.begin(leadership))) {
      return this.#waitForRoom(() => this.#lead(leadership, isPromotion));
    }
    const parts = { env, config: this.#config, link: this.#link, store, boot: this.#boot, leadership, isPromotion };
    const term = new LeaderTerm(parts);
    this.#duty = { kind: "leading", term };
    env.logger.info("Leads", {
      shard: this.#config.shard.name,
      epoch: leadership.epoch,
      from: term.epochStart,
      isPromotion,
    });
  }

  #follow(leader: NodeName): void {
    const store = this.#store;
    if (store === null || this.#isStopped) return;
    const follower = new Follower({
      env: this.#env,
      link: this.#link,
      store,
      boot: this.#boot,
      leader,
      adopt: (leadership) => this.#adopt(leadership, store.lastEpoch.epoch),
      onLost: () => this.#poll(),
      onHalt: (reason) => this.#leave(() => this.#wait(reason)),
    });
    this.#duty = { kind: "following", follower };
    this.#env.logger.info("Follows", { shard: this.#config.shard.name, leader });
    follower.start();
  }

  #wait(reason: string): void {
    this.#duty = { kind: "waiting", reason, sinceMs: this.#env.clock.nowMs() };
    this.#env.logger.warn(reason);
  }

  /** Waits until the disk has room for the state file; then `retry`, by default the decision what to be. */
  #waitForRoom(retry: () => void = () => this.decide()): void {
    const isSaid = this.#duty.kind === "waiting" && this.#duty.reason === NO_ROOM;
    if (!isSaid) this.#wait(NO_ROOM);
    const waiting = this.#duty;
    this.#env.timers.after(ROOM_RETRY_MS, () => {
      if (this.#duty === waiting && !this.#isStopped) retry();
    });
  }

  /** A leader's claim that cannot be written down is not followed yet: the follower asks again (rule P1). */
  #adopt(leadership: Leadership, logEpoch: Epoch): boolean {
    let isAdopted = false;
    return hasRoomFor(() => (isAdopted = this.#memory.adopt(leadership, logEpoch))) && isAdopted;
  }

  #poll(): void {
    const nowMs = this.#env.clock.nowMs();
    // A new round would make those who have answered a promotion look silent.
    if (this.#promotion !== null || nowMs - this.#polledMs < POLL_MS) return;
    this.#polledMs = nowMs;
    this.#accounts.ask();
  }

  /** Ends the present role in one step, and calls `next` when the store is quiet (§2.10). */
  #leave(next: () => void): void {
    const duty = this.#duty;
    const store = this.#store;
    const count = ++this.#leaveCount;
    const onQuiet = (): void => {
      if (count === this.#leaveCount) next();
    };
    this.#duty = { kind: "changing", sinceMs: duty.kind === "changing" ? duty.sinceMs : this.#env.clock.nowMs() };
    if (duty.kind === "leading") duty.term.end();
    if (duty.kind === "catching-up") duty.fetch.end();
    if (duty.kind === "promoting") duty.promotion.giveUp("Another leadership has begun meanwhile");
    if (store === null) return next();
    if (mutant("M93")) next();
    else if (duty.kind === "following" && !this.#isStopped) duty.follower.end(onQuiet);
    else {
      // Nothing comes after a stop that a copy under way could disturb; on a full disk it might wait for ever.
      if (duty.kind === "following") duty.follower.end(() => {});
      store.quiesce(onQuiet);
    }
  }

  /** Once in a while: a leader suspended for a promotion that never came, members that are not heard of (rule T4). */
  onTick(): void {
    const nowMs = this.#env.clock.nowMs();
    const duty = this.#duty;
    if (duty.kind === "waiting" && duty.reason === SUSPENDED && nowMs - duty.sinceMs > STEPPED_DOWN_MS) this.decide();
    else if (this.#isLonely()) this.#poll();
  }

  /** Somebody named a leadership: step down, follow, or note a conflict, as it asks. */
  learn(leadership: Leadership): void {
    const duty = this.#duty;
    if (duty.kind === "starting" || duty.kind === "changing" || duty.kind === "promoting") return;
    const { known } = this.#memory;
    const isForeign = leadership.leader.node !== this.#config.node;
    if (this.#memory.isRival(leadership) && known?.leader.node === this.#config.node && isForeign) {
      return this.onConflict(leadership.leader.node, leadership.epoch);
    }
    if (known !== null && (leadership.epoch < known.epoch || this.#memory.isRival(leadership))) return;
    const isNew = known === null || leadership.epoch > known.epoch;
    if (!hasRoomFor(() => this.#memory.remember(leadership))) {
      // Who is outranked leads no longer, even when it cannot write down by whom.
      if (isNew && duty.kind === "leading") this.#leave(() => this.#waitForRoom());
      return;
    }
    const followsOther = duty.kind === "following" && duty.follower.leader !== leadership.leader.node;
    if (isNew || followsOther) this.#leave(() => this.decide());
  }

  /** Makes this node the leader by the operator's word (rule T1). `request.node` must be this node. */
  promote(request: PromotionRequest, done: (report: PromotionReport | KvError) => void): void {
    const store = this.#store;
    if (request.node !== this.#config.node || request.shard !== this.#config.shard.name) {
      return done(
        new KvError("INVALID_ARGUMENT", `${this.#config.node} is a member of shard ${this.#config.shard.name} only`),
      );
    }
    if (store === null || this.#promotion !== null || this.#duty.kind === "changing") {
      return done(
        new KvError("NOT_READY", `${this.#config.node} is starting, changing its role or being promoted; try again`),
      );
    }
    const promotion: Promotion = new Promotion({
      env: this.#env,
      config: this.#config,
      link: this.#link,
      store,
      accounts: this.#accounts,
      noteSeen: (epoch) => hasRoomFor(() => this.#memory.noteSeen(epoch)),
      request,
      leaderNews: leaderNews(this.#duty, store, this.#env.clock),
      stopDuty: (quiet) =>
        this.#leave(() => {
          this.#duty = { kind: "promoting", promotion };
          quiet();
        }),
      lead: (leadership) => {
        this.#lead(leadership, true);
        return this.#duty.kind === "leading";
      },
      done: (report) => {
        this.#promotion = null;
        if (this.#duty.kind === "promoting") this.decide();
        done(report);
      },
    });
    this.#promotion = promotion;
    promotion.start();
  }

  /** Somebody has seen a higher epoch than the one this node leads with (§2.6 step 1): find out whose it is. */
  onDeposed(epoch: number): void {
    const isNoted = hasRoomFor(() => this.#memory.noteSeen(epoch));
    this.#leave(() => {
      if (!isNoted) return this.#waitForRoom();
      // It may have been told of while the store became quiet.
      if ((this.#memory.known?.epoch ?? 0) >= epoch) return this.decide();
      this.#wait(`Another member has seen epoch ${epoch}; looking for its leader`);
      this.#accounts.ask();
    });
  }

  /**
   * A replica with a damaged row throws its copy away and takes a new one (rule S5). False, with nothing done, in any other
   * role: a leader can only say so, and never serve the row, until another member is promoted.
   */
  replaceCopy(damage: string): boolean {
    if (this.#duty.kind !== "following" || this.#memory.state.bootstrap !== null) return false;
    if (!hasRoomFor(() => this.#memory.noteDamage(damage, true))) return false;
    this.#leave(() => this.decide());
    return true;
  }

  /** This node leads with `epoch`, and `other` knows that number with another term (rule T2): only an operator can tell. */
  onConflict(other: NodeName, epoch: number): void {
    const isNoted = hasRoomFor(() => this.#memory.noteConflict(other, epoch));
    this.#leave(() => (isNoted ? this.decide() : this.#waitForRoom()));
  }

  /**
   * A promotion of another member asks for this node's log end, and for an end to its leadership (rule T1). Also to one that is
   * about to begin: whatever is answered here must still be the end when the other one leads.
   */
  onStepDown(from: NodeName, id: number): void {
    if (this.#store === null || this.#duty.kind === "changing") return;
    const answer = (): void => {
      this.#link.send(from, "STEPPED_DOWN", { id, ...logEndOf(this.#store) });
    };
    if (this.#duty.kind === "following") return answer();
    this.#leave(() => {
      this.#wait(SUSPENDED);
      answer();
    });
  }

  /** A promotion hands out the new leadership (rule T1). */
  onStoreLeadership(from: NodeName, message: StoreLeadership): void {
    let taken = { isAccepted: false, isNew: false };
    // What cannot be written down is not accepted.
    if (!hasRoomFor(() => (taken = this.#memory.take(message.leadership)))) this.#env.logger.warn(NO_ROOM);
    const { isAccepted, isNew } = taken;
    const { store, bootstrap } = this.#memory.state;
    const complete = bootstrap === null;
    this.#link.send(from, "STORED_LEADERSHIP", { id: message.id, accepted: isAccepted, store, complete });
    if (isNew && this.#duty.kind !== "starting" && this.#duty.kind !== "changing") this.#leave(() => this.decide());
  }

  /** Whether somebody should be asked who leads, or who else believes to lead (rule T4). */
  #isLonely(): boolean {
    const duty = this.#duty;
    if (duty.kind === "following") return !duty.follower.isStreaming;
    if (duty.kind === "leading") return duty.term.replicas().some((replica) => !replica.connected);
    return duty.kind === "waiting";
  }
}

/** Whether the log holds the entry that `leadership` began with: without it, others may know versions that this node does not. */
function hasStartOf(store: ShardStore | null, { epoch, term }: Leadership): boolean {
  return store?.log.epochs.some((mark) => mark.epoch === epoch && mark.term === term) === true;
}
