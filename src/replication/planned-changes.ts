import { KvError } from "../model/errors.ts";
import { isSameStore } from "../model/leadership.ts";
import type { NodeName } from "../model/position.ts";
import type { PromotionReport, PromotionRequest } from "../model/status.ts";
import { CoordinatedPromotion } from "./coordinated-promotion.ts";
import type { CoordinatedSet } from "./coordinated-set.ts";
import type { DutySwitch } from "./duty-switch.ts";
import { Handover, type HandoverParts } from "./handover.ts";
import { leaderNews, misaddressedPromotion } from "./member-account.ts";
import type { HandedOver } from "./messages.ts";
import { Relief } from "./relief.ts";
import type { RolesParts } from "./roles.ts";
import type { KnownDocument, ShardRegister } from "./shard-register.ts";
import type { PromisedLease } from "./term-lease.ts";

/** What a leader by the coordinator's word holds besides its term. */
export interface Office {
  readonly set: CoordinatedSet;
  readonly lease: PromisedLease;
}

export interface PlannedChangesParts extends RolesParts {
  readonly register: ShardRegister;
  readonly duties: DutySwitch;
  /** Of the present leadership; null when this member never led. */
  readonly office: () => Office | null;
  /** Decides anew what to be, from the document. */
  readonly decide: () => void;
  /** Begins the leadership that the document gives to this member. */
  readonly lead: (known: KnownDocument) => void;
  /** Leaves the leadership to the successor that the document names; `reason`: for people, as a sentence without its end. */
  readonly giveWay: (known: KnownDocument, reason: string) => void;
}

/** To whom, and why, the leadership goes. */
interface Succession extends Pick<HandoverParts, "successor" | "stays" | "roomBytes"> {
  /** For people; null when somebody asked for it. */
  readonly cause: string | null;
}

/** How long a process that is told to stop waits for others to take over what it does. */
const RETIRE_MS_MAX = 1500;
const RETIRE_LOOK_MS = 10;

/**
 * Changes of leaders and of the in-sync set that somebody wants, where a coordinator arbitrates: handover, the operator's
 * promotion, and giving way before the process stops. What happens by itself is the business of `CoordinatedRoles`.
 *
 * Owns the one handover and the one promotion that may be under way.
 */
export class PlannedChanges {
  readonly #parts: PlannedChangesParts;
  #handover: Handover | null = null;
  #promotion: CoordinatedPromotion | null = null;
  readonly #relief: Relief;

  constructor(parts: PlannedChangesParts) {
    this.#parts = parts;
    this.#relief = new Relief(parts.env.clock);
  }

  get isHandingOver(): boolean {
    return this.#handover !== null;
  }

  /** Tells whoever waits that nothing comes of it any more. */
  stop(): void {
    this.#handover?.end();
    this.#promotion?.giveUp("The node is shutting down");
  }

  retire(done: () => void): void {
    const { duties, env, link, boot } = this.#parts;
    const { timers } = env;
    const { duty } = duties;
    let isDone = false;
    const finish = (): void => {
      if (isDone) return;
      isDone = true;
      limit.cancel();
      done();
    };
    const limit = timers.after(RETIRE_MS_MAX, finish);
    if (duty.kind === "leading") {
      return this.#handOver({ successor: null, stays: false, roomBytes: 0, cause: null }, finish);
    }
    if (duty.kind !== "following") return finish();
    link.send(duty.follower.leader, "LEAVING", { boot });
    const look = (): void => {
      if (!this.#isListed) finish();
      else if (!isDone) timers.after(RETIRE_LOOK_MS, look);
    };
    look();
  }

  /** Hands over when this member's disk is full and another one's is not (rule S4). To be called often. */
  relieve(): void {
    const { duty } = this.#parts.duties;
    const roomBytes = duty.kind === "leading" && this.#handover === null ? this.#relief.due(duty.term) : null;
    if (roomBytes === null) return;
    this.#handOver({ successor: null, stays: true, roomBytes, cause: "the disk is full" }, () => {});
  }

  onHandOver(from: NodeName, id: number): void {
    this.#handOver({ successor: from, stays: true, roomBytes: 0, cause: null }, (refusal) => {
      this.#parts.link.send(from, "HANDED_OVER", { id, refusal });
    });
  }

  onHandedOver(from: NodeName, message: HandedOver): void {
    this.#promotion?.onHandedOver(from, message);
  }

  /** Makes this node the leader by the operator's word. `request.node` must be this node. */
  promote(request: PromotionRequest, done: (report: PromotionReport | KvError) => void): void {
    const { duties, env, config } = this.#parts;
    const { store } = duties;
    const misaddressed = misaddressedPromotion(request, config);
    if (misaddressed !== null) return done(misaddressed);
    if (store === null || duties.isStopped) return done(new KvError("NOT_READY", "This node is starting"));
    if (this.#promotion !== null) return done(new KvError("BUSY", "Another promotion of this node is under way"));
    this.#promotion = new CoordinatedPromotion({
      ...this.#parts,
      store,
      request,
      leaderNews: leaderNews(duties.duty, store, env.clock),
      ledEpoch: () => (duties.duty.kind === "leading" ? duties.duty.term.leadership.epoch : null),
      takeAlone: (known, settled) => this.#takeAlone(known, settled),
      done: (report) => {
        this.#promotion = null;
        done(report);
      },
    });
    this.#promotion.start();
  }

  #handOver(to: Succession, done: (refusal: string | null) => void): void {
    const { duties, env, register, config } = this.#parts;
    const office = this.#parts.office();
    if (duties.duty.kind !== "leading" || office === null) return done(`${config.node} does not lead`);
    if (this.#handover !== null) return done("a handover is under way already");
    this.#handover = new Handover({
      ...office,
      ...to,
      env,
      register,
      term: duties.duty.term,
      onHandedOver: (known) => {
        const handedOver = `it handed over to ${known.document.leader.node}`;
        this.#parts.giveWay(known, to.cause === null ? handedOver : `${to.cause}, and ${handedOver}`);
      },
      done: (refusal) => {
        this.#handover = null;
        const { shard } = config;
        if (refusal === null) env.logger.info("Has handed the leadership over", { shard: shard.name });
        else env.logger.warn("Does not hand the leadership over", { shard: shard.name, reason: refusal });
        done(refusal);
      },
    });
    this.#handover.start();
  }

  /** By the operator's word: writes that only others have are given up, and the document says so (§2.4, unclean). */
  #takeAlone(known: KnownDocument, done: (refusal: string | null) => void): void {
    const { duties, register, memory, env, config, lead, decide } = this.#parts;
    const { kind } = duties.duty;
    if ((kind !== "following" && kind !== "waiting") || register.isChanging) {
      return done(`${config.node} is changing its role; try again`);
    }
    const { store, seenEpoch } = memory.state;
    const { document } = known;
    const next = {
      ...document,
      epoch: Math.max(document.epoch, seenEpoch.epoch) + 1,
      term: env.random.hex64(),
      leader: store,
      inSync: [store],
      lineage: document.lineage + 1,
      cause: "unclean" as const,
    };
    duties.leave(() => {
      duties.begin({ kind: "candidate", candidacy: null });
      register.change(known, next, (outcome) => {
        if (outcome.kind === "accepted") lead(outcome.known);
        else decide();
        done(outcome.kind === "accepted" ? null : "another change of the shard's document was first; try again");
      });
    });
  }

  get #isListed(): boolean {
    const { store } = this.#parts.memory.state;
    return this.#parts.memory.known?.inSync.some((member) => isSameStore(member, store)) === true;
  }
}
