import { mutant } from "../base/mutants.ts";
import type { Leadership } from "../model/leadership.ts";
import { LIMITS } from "../model/limits.ts";
import type { Epoch, NodeName } from "../model/position.ts";
import type { ShardStore } from "../shard/shard-store.ts";
import type { Duty } from "./duty.ts";
import type { FollowerPromise } from "./follower-promise.ts";
import { Follower } from "./follower.ts";
import { LeaderTerm, type Mandate } from "./leader-term.ts";
import type { LeadershipMemory } from "./leadership-memory.ts";
import type { MemberConfig, MemberEnvironment } from "./member-environment.ts";
import type { MemberLink } from "./member-link.ts";
import { hasRoomFor, NO_ROOM } from "./no-room.ts";

/** How a leadership begins. */
export interface Beginning {
  readonly isPromotion: boolean;
  /** For people, as a sentence without its end. */
  readonly reason: string;
}

export interface DutySwitchParts {
  readonly env: MemberEnvironment;
  readonly config: MemberConfig;
  readonly link: MemberLink;
  readonly memory: LeadershipMemory;
  /** Drawn anew at every start of the process. */
  readonly boot: string;
  /** Decides anew what to be, from what is known then. */
  readonly decide: () => void;
  /** What a replica promises its leader; null in static mode. */
  readonly promise: FollowerPromise | null;
  /** The leader that is followed does not answer, or says that it does not lead. */
  readonly onLost: () => void;
}

const ROOM_RETRY_MS = 1000;

/**
 * What one member does, one duty after the other. Which one is next, others decide.
 *
 * Owns the present duty. Invariant: at most one duty touches the store at a time; it is left in one synchronous step that
 * settles everything it owes, and the next begins only when the store is quiet (§2.10). What must not be forgotten is
 * durable before it is acted upon; while the disk is too full for that, the member waits and says so.
 */
export class DutySwitch {
  readonly #parts: DutySwitchParts;
  #store: ShardStore | null = null;
  #duty: Duty = { kind: "starting" };
  /** How often a duty was left: only the newest one who waits for a quiet store decides what comes next. */
  #leaveCount = 0;
  #greetingCount = 0;
  #isStopped = false;

  constructor(parts: DutySwitchParts) {
    this.#parts = parts;
  }

  get duty(): Duty {
    return this.#duty;
  }

  /** Null until the log is recovered. */
  get store(): ShardStore | null {
    return this.#store;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  onRecovered(store: ShardStore): void {
    this.#store = store;
  }

  /** Leaves the present duty for good; no other begins, whatever `settle`, which is called first, may ask for. */
  stop(settle: () => void, done: () => void): void {
    this.#isStopped = true;
    settle();
    this.leave(done, "its process stops");
  }

  /** Begins a duty that needs nothing set up. The one before must have been left. */
  begin(duty: Duty): void {
    this.#duty = duty;
  }

  /** Begins to lead, at once or as soon as the disk has room. The duty before must have been left. */
  lead(leadership: Leadership, beginning: Beginning, mandate: Mandate): void {
    const { env, config, link, memory, boot } = this.#parts;
    const store = this.#store;
    if (store === null || this.#isStopped) return;
    if (store.roomFor(LIMITS.keyBytesMax) !== "yes") {
      this.wait("The disk has no room to begin a leadership");
      const waiting = this.#duty;
      store.log.whenRoomChanges(() => {
        if (this.#duty === waiting) this.lead(leadership, beginning, mandate);
      });
      return;
    }
    if (!hasRoomFor(() => memory.begin(leadership))) {
      return this.waitForRoom(() => this.lead(leadership, beginning, mandate));
    }
    const { isPromotion, reason } = beginning;
    const term = new LeaderTerm({ env, config, link, store, boot, leadership, isPromotion, mandate });
    this.#duty = { kind: "leading", term };
    const { epoch } = leadership;
    env.logger.info(`Leads epoch ${epoch} from entry ${term.epochStart} on: ${reason}`, { shard: config.shard.name });
    for (const { node } of config.shard.members) if (node !== config.node) link.send(node, "LEADING", { leadership });
  }

  /** Begins to follow. The duty before must have been left. */
  follow(leader: NodeName, reason: string): void {
    const store = this.#store;
    if (store === null || this.#isStopped) return;
    const { env, config, link, boot, promise, onLost } = this.#parts;
    if (mutant("M25") && store.commitSequence < store.lastSequence) store.truncateAfter(store.commitSequence, () => {});
    const follower = new Follower({
      env,
      link,
      store,
      boot,
      leader,
      promise,
      nextGreeting: () => ++this.#greetingCount,
      adopt: (leadership) => this.#adopt(leadership, store.lastEpoch.epoch),
      onLost,
      onHalt: (halted) => this.leave(() => this.wait(halted)),
    });
    this.#duty = { kind: "following", follower };
    env.logger.info(`Follows ${leader}: ${reason}`, { shard: config.shard.name });
    follower.start();
  }

  /** Serves nobody, for the reason given; `isExpected` where nothing is wrong. */
  wait(reason: string, isExpected = false): void {
    this.#duty = { kind: "waiting", reason, sinceMs: this.#parts.env.clock.nowMs() };
    this.#parts.env.logger[isExpected ? "info" : "warn"](reason);
  }

  /** Waits until the disk has room for the state file; then `retry`, by default the decision what to be. */
  waitForRoom(retry: () => void = this.#parts.decide): void {
    const isSaid = this.#duty.kind === "waiting" && this.#duty.reason === NO_ROOM;
    if (!isSaid) this.wait(NO_ROOM);
    const waiting = this.#duty;
    this.#parts.env.timers.after(ROOM_RETRY_MS, () => {
      if (this.#duty === waiting && !this.#isStopped) retry();
    });
  }

  /** Ends the present role in one step, and calls `next` when the store is quiet (§2.10). `reason`: why a leader gives up. */
  leave(next: () => void, reason = "its role changes"): void {
    const { env, config } = this.#parts;
    const duty = this.#duty;
    if (duty.kind === "leading") env.logger.info(`Leads no longer: ${reason}`, { shard: config.shard.name });
    const store = this.#store;
    const count = ++this.#leaveCount;
    const onQuiet = (): void => {
      if (count === this.#leaveCount) next();
    };
    this.#duty = { kind: "changing", sinceMs: duty.kind === "changing" ? duty.sinceMs : this.#parts.env.clock.nowMs() };
    if (duty.kind === "leading") duty.term.end();
    if (duty.kind === "catching-up") duty.fetch.end();
    if (duty.kind === "candidate") duty.candidacy?.end();
    if (duty.kind === "promoting") duty.promotion.giveUp("Another leadership has begun meanwhile");
    if (store === null) return next();
    if (duty.kind === "following" && !this.#isStopped && !mutant("M93")) return duty.follower.end(onQuiet);
    // Nothing comes after a stop that a copy under way could disturb; on a full disk it might wait for ever.
    if (duty.kind === "following") duty.follower.end(() => {});
    if (mutant("M93")) next();
    else store.quiesce(onQuiet);
  }

  /**
   * A replica with a damaged row throws its copy away and takes a new one (rule S5). False, with nothing done, in any other
   * role: a leader can only say so, and never serve the row, until another member is promoted.
   */
  replaceCopy(damage: string): boolean {
    const { memory, decide } = this.#parts;
    if (this.#duty.kind !== "following" || memory.state.bootstrap !== null) return false;
    if (!hasRoomFor(() => memory.noteDamage(damage, true))) return false;
    this.leave(decide);
    return true;
  }

  /** A leader's claim that cannot be written down is not followed yet: the follower asks again (rule P1). */
  #adopt(leadership: Leadership, logEpoch: Epoch): boolean {
    let isAdopted = false;
    return hasRoomFor(() => (isAdopted = this.#parts.memory.adopt(leadership, logEpoch))) && isAdopted;
  }
}
