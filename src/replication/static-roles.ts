import { mutant } from "../base/mutants.ts";
import { KvError } from "../model/errors.ts";
import type { Leadership } from "../model/leadership.ts";
import type { NodeName } from "../model/position.ts";
import type { PromotionReport, PromotionRequest } from "../model/status.ts";
import type { Accounts } from "./accounts.ts";
import { DutySwitch } from "./duty-switch.ts";
import type { LeadershipMemory } from "./leadership-memory.ts";
import { InSyncSet } from "./in-sync-set.ts";
import type { Mandate } from "./leader-term.ts";
import { LogFetch } from "./log-fetch.ts";
import { allListed, leaderNews, misaddressedPromotion, logEndOf } from "./member-account.ts";
import type { MemberConfig, MemberEnvironment } from "./member-environment.ts";
import type { MemberLink } from "./member-link.ts";
import type { StoreLeadership } from "./messages.ts";
import { hasRoomFor, NO_ROOM } from "./no-room.ts";
import { Promotion } from "./promotion.ts";
import type { Roles, RolesParts } from "./roles.ts";
import { decideRole, hasStartOf, highestEpoch } from "./startup-decision.ts";
import { StaticLease } from "./term-lease.ts";

const POLL_MS = 2000;
/** A leader that was asked to step down for a promotion that never came decides its role anew after this long. */
const NO_HANDOVER = "without a coordinator the operator changes the leader (kv promote)";
const STEPPED_DOWN_MS = 10_000;
const SUSPENDED = "Stepped down for a promotion; waits for its outcome";

/**
 * The roles of one member, one after the other, by the rules of static mode (T1–T6): the file names the first leader, and
 * then the operator's `kv promote` does.
 */
export class StaticRoles implements Roles {
  readonly duties: DutySwitch;
  readonly document = null;
  readonly documentFault = null;
  readonly #env: MemberEnvironment;
  readonly #config: MemberConfig;
  readonly #link: MemberLink;
  readonly #accounts: Accounts;
  readonly #memory: LeadershipMemory;
  #polledMs = 0;
  /** The operator's promotion of this node, from its first question to its report. */
  #promotion: Promotion | null = null;

  constructor(parts: RolesParts) {
    this.#env = parts.env;
    this.#config = parts.config;
    this.#link = parts.link;
    this.#accounts = parts.accounts;
    this.#memory = parts.memory;
    const { env, config, link, memory, boot } = parts;
    const decide = (): void => this.decide();
    this.duties = new DutySwitch({
      env,
      config,
      link,
      memory,
      boot,
      decide,
      promise: null,
      onLost: () => this.#poll(),
    });
  }

  stop(done: () => void): void {
    this.duties.stop(() => this.#promotion?.giveUp("The node is shutting down"), done);
  }

  /** Without a coordinator nobody takes over by himself, and a member that is missed stays in the set (rule T5). */
  retire(done: () => void): void {
    done();
  }

  onHandOver(from: NodeName, id: number): void {
    this.#link.send(from, "HANDED_OVER", { id, refusal: NO_HANDOVER });
  }

  onHandedOver(): void {}

  /** Decides what to be from what is known now, and begins to be it. The present duty must be over. */
  belongs(): boolean {
    return true;
  }

  decide(): void {
    const store = this.duties.store;
    if (store === null || this.duties.isStopped) return;
    const accounts = this.#accounts.answered();
    const silent = this.#accounts.silent();
    const decision = decideRole({
      self: this.#config.node,
      state: this.#memory.state,
      logEnd: logEndOf(this.duties.store),
      accounts,
      isFirstLeader: this.#config.isFirstLeader,
      firstLeader: this.#config.shard.members[0]?.node ?? this.#config.node,
    });
    if (decision.kind === "wait") return this.duties.wait(decision.reason);
    if (decision.kind === "follow") {
      const { leadership, leader } = decision;
      if (leadership !== null && !hasRoomFor(() => this.#memory.remember(leadership))) return this.duties.waitForRoom();
      return this.duties.follow(leader, "it leads by what the members have stored");
    }
    const { fetchFrom, base, epoch } = decision;
    const isSeen = fetchFrom.length === 0 || hasRoomFor(() => this.#memory.noteSeen(epoch - 1));
    if (!isSeen) return this.duties.waitForRoom();
    if (silent.length > 0) this.#env.logger.warn("Some members did not answer", { silent });
    this.#catchUp(fetchFrom, base);
  }

  /** Fetches what the first of `sources` has beyond this log, or the next one when it does not give it; then leads (rule T3). */
  #catchUp(sources: readonly NodeName[], base: Leadership | null): void {
    const [from, ...others] = sources;
    const store = this.duties.store;
    if (from === undefined || store === null) return this.#leadAgain(base);
    const catchUp = new LogFetch({
      env: this.#env,
      link: this.#link,
      store,
      from,
      done: (isComplete) => this.#catchUp(isComplete ? [] : others, base),
    });
    this.duties.begin({ kind: "catching-up", fetch: catchUp });
    catchUp.start();
  }

  /** Leads with a new epoch, in the place that this node's own state or the configuration gives it (rule T2). */
  #leadAgain(base: Leadership | null): void {
    const { state } = this.#env.stateFile;
    const hasBegun = base === null || hasStartOf(this.duties.store, base);
    const epoch = highestEpoch({ state, logEnd: logEndOf(this.duties.store), accounts: this.#accounts.answered() }) + 1;
    const isOldEpoch = mutant("M27") && base !== null;
    const leadership = {
      epoch: isOldEpoch ? base.epoch : epoch,
      term: isOldEpoch ? base.term : this.#env.random.hex64(),
      leader: state.store,
      lineage: base?.lineage ?? 0,
      inSync: base?.inSync ?? allListed(this.#config, state),
      setVersion: (base?.setVersion ?? 0) + 1,
    };
    const reason = base === null ? "the configuration names it" : "it led before, by what the members have stored";
    this.duties.lead(leadership, { isPromotion: !hasBegun, reason }, this.#mandate(leadership));
  }

  /** The set is written down in `node.json`, and nobody takes over by himself (rules T5, T6). */
  #mandate(leadership: Leadership): Mandate {
    const { node, minInSync } = this.#config;
    return (hooks) => ({
      set: new InSyncSet({ env: this.#env, node, leadership, minInSync }),
      lease: new StaticLease(hooks.others),
    });
  }

  #poll(): void {
    const nowMs = this.#env.clock.nowMs();
    // A new round would make those who have answered a promotion look silent.
    if (this.#promotion !== null || nowMs - this.#polledMs < POLL_MS) return;
    this.#polledMs = nowMs;
    this.#accounts.ask();
  }

  /** Once in a while: a leader suspended for a promotion that never came, members that are not heard of (rule T4). */
  onTick(): void {
    const nowMs = this.#env.clock.nowMs();
    const duty = this.duties.duty;
    if (duty.kind === "waiting" && duty.reason === SUSPENDED && nowMs - duty.sinceMs > STEPPED_DOWN_MS) this.decide();
    else if (this.#isLonely()) this.#poll();
  }

  /** Somebody named a leadership: step down, follow, or note a conflict, as it asks. */
  learn(leadership: Leadership): void {
    const duty = this.duties.duty;
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
      if (isNew && duty.kind === "leading") this.duties.leave(() => this.duties.waitForRoom());
      return;
    }
    const followsOther = duty.kind === "following" && duty.follower.leader !== leadership.leader.node;
    const { leader, epoch } = leadership;
    if (isNew || followsOther) this.duties.leave(() => this.decide(), `${leader.node} leads epoch ${epoch}`);
  }

  /** Makes this node the leader by the operator's word (rule T1). `request.node` must be this node. */
  promote(request: PromotionRequest, done: (report: PromotionReport | KvError) => void): void {
    const store = this.duties.store;
    const misaddressed = misaddressedPromotion(request, this.#config);
    if (misaddressed !== null) return done(misaddressed);
    if (store === null || this.#promotion !== null || this.duties.duty.kind === "changing") {
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
      leaderNews: leaderNews(this.duties.duty, store, this.#env.clock),
      stopDuty: (quiet) =>
        this.duties.leave(() => {
          this.duties.begin({ kind: "promoting", promotion });
          quiet();
        }),
      lead: (leadership) => {
        this.duties.lead(
          leadership,
          { isPromotion: true, reason: "the operator promoted it" },
          this.#mandate(leadership),
        );
        return this.duties.duty.kind === "leading";
      },
      done: (report) => {
        this.#promotion = null;
        if (this.duties.duty.kind === "promoting") this.decide();
        done(report);
      },
    });
    this.#promotion = promotion;
    promotion.start();
  }

  /** Somebody has seen a higher epoch than the one this node leads with (§2.6 step 1): find out whose it is. */
  onDeposed(epoch: number): void {
    const isNoted = hasRoomFor(() => this.#memory.noteSeen(epoch));
    this.duties.leave(() => {
      if (!isNoted) return this.duties.waitForRoom();
      // It may have been told of while the store became quiet.
      if ((this.#memory.known?.epoch ?? 0) >= epoch) return this.decide();
      this.duties.wait(`Another member has seen epoch ${epoch}; looking for its leader`);
      this.#accounts.ask();
    }, `another member has seen epoch ${epoch}`);
  }

  /** This node leads with `epoch`, and `other` knows that number with another term (rule T2): only an operator can tell. */
  onConflict(other: NodeName, epoch: number): void {
    const isNoted = hasRoomFor(() => this.#memory.noteConflict(other, epoch));
    const reason = `${other} knows epoch ${epoch} with another term`;
    this.duties.leave(() => (isNoted ? this.decide() : this.duties.waitForRoom()), reason);
  }

  /**
   * A promotion of another member asks for this node's log end, and for an end to its leadership (rule T1). Also to one that is
   * about to begin: whatever is answered here must still be the end when the other one leads.
   */
  onStepDown(from: NodeName, id: number): void {
    if (this.duties.store === null || this.duties.duty.kind === "changing") return;
    const answer = (): void => {
      this.#link.send(from, "STEPPED_DOWN", { id, ...logEndOf(this.duties.store) });
    };
    if (this.duties.duty.kind === "following") return answer();
    this.duties.leave(() => {
      this.duties.wait(SUSPENDED);
      answer();
    }, `${from} is being promoted`);
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
    const { kind } = this.duties.duty;
    if (isNew && kind !== "starting" && kind !== "changing") {
      this.duties.leave(() => this.decide(), `${message.leadership.leader.node} was promoted`);
    }
  }

  /** Whether somebody should be asked who leads, or who else believes to lead (rule T4). */
  #isLonely(): boolean {
    const duty = this.duties.duty;
    if (duty.kind === "following") return !duty.follower.isStreaming;
    if (duty.kind === "leading") return duty.term.replicas().some((replica) => !replica.connected);
    return duty.kind === "waiting";
  }
}
