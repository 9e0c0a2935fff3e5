import type { Timer } from "../base/clock.ts";
import { mutant } from "../base/mutants.ts";
import { SPACE } from "../model/entry.ts";
import type { KvError } from "../model/errors.ts";
import { keyForPeople, type Key } from "../model/key.ts";
import type { Operation, ReplyCallback, RequestOptions } from "../model/operation.ts";
import type { NodeName, Sequence, Version } from "../model/position.ts";
import type { MemberAccount, MemberStatus, PromotionReport, PromotionRequest } from "../model/status.ts";
import { Scrub } from "../shard/scrub.ts";
import type { PeerMessage } from "../wire/peer-network.ts";
import { CopyReads } from "./copy-reads.ts";
import { Accounts } from "./accounts.ts";
import { DifferenceLog } from "./difference-log.ts";
import { readinessOf, roleOf, type Readiness } from "./duty.ts";
import type { DutySwitch } from "./duty-switch.ts";
import type { LeaderTerm } from "./leader-term.ts";
import { LeadershipMemory } from "./leadership-memory.ts";
import { answerFetch } from "./log-fetch.ts";
import { accountOf, notLeading } from "./member-account.ts";
import type { MemberConfig, MemberEnvironment } from "./member-environment.ts";
import { MemberLink } from "./member-link.ts";
import { MemberStatistics } from "./member-statistics.ts";
import { describeMember } from "./member-status.ts";
import { decodeMessage, isMessageType } from "./message-codec.ts";
import type { IncomingMessage, State } from "./messages.ts";
import { trimLog } from "./retention.ts";
import { CoordinatedRoles } from "./coordinated-roles.ts";
import type { Roles, RolesParts } from "./roles.ts";
import { ShardRegister } from "./shard-register.ts";
import { StaticRoles } from "./static-roles.ts";

const TICK_MS = 100;
const ASK_AGAIN_MS = 100;

/**
 * One member of one shard: the entrance for clients, for messages of other nodes, and for the store's progress. What it
 * does with them is up to its present role.
 *
 * Owns the roles and through them the store. Storage errors end the process elsewhere (S3); a broken invariant throws.
 */
export class ShardMember {
  readonly #env: MemberEnvironment;
  readonly #config: MemberConfig;
  readonly #link: MemberLink;
  readonly #accounts: Accounts;
  readonly #memory: LeadershipMemory;
  readonly #statistics: MemberStatistics;
  /** Null in static mode. */
  readonly #register: ShardRegister | null;
  readonly #roles: Roles;
  readonly #differences: DifferenceLog;
  readonly #duties: DutySwitch;
  readonly #reads: CopyReads;
  #startedMs = 0;
  #timer: Timer | null = null;
  #scrub: Scrub | null = null;
  /** What the scrub found last, as a sentence, until a whole walk finds nothing. */
  #damagedRow: string | null = null;
  #isStopped = false;

  constructor(env: MemberEnvironment, config: MemberConfig) {
    this.#env = env;
    this.#config = config;
    this.#link = new MemberLink(env.network, config.shard.name);
    const others = config.shard.members.map((member) => member.node).filter((node) => node !== config.node);
    this.#accounts = new Accounts({ clock: env.clock, link: this.#link, others });
    this.#memory = new LeadershipMemory(env.stateFile, env.logger);
    this.#statistics = new MemberStatistics(env.clock);
    const { accounts, memory, link } = { accounts: this.#accounts, memory: this.#memory, link: this.#link };
    const boot = env.random.hex64();
    this.#register = makeRegister(env, config, boot);
    this.#roles = makeRoles({ env, config, link, accounts, memory, boot }, this.#register);
    this.#duties = this.#roles.duties;
    this.#differences = new DifferenceLog(env, config);
    this.#reads = new CopyReads({
      env,
      config,
      duties: this.#duties,
      statistics: this.#statistics,
      onward: (operation, options, done) => this.#executeAsLeader(operation, options, done),
    });
  }

  get shard(): string {
    return this.#config.shard.name;
  }

  get role(): "leader" | "replica" | "none" {
    return roleOf(this.#duties.duty);
  }

  /** The present leadership of this node, for whoever compares the members of a shard with each other; null without one. */
  get term(): LeaderTerm | null {
    const { duty } = this.#duties;
    return duty.kind === "leading" ? duty.term : null;
  }

  /** Asks the others who they are, then recovers the log: they may ask back meanwhile (rule T3). */
  start(): void {
    this.#startedMs = this.#env.clock.nowMs();
    this.#accounts.ask();
    this.#env.timers.soon(() => {
      if (this.#isStopped) return;
      this.#open();
      this.#arm();
    });
  }

  /** Gives up the leadership, or its place in the in-sync set, before `stop`; `done` soon in any case. */
  retire(done: () => void): void {
    this.#roles.retire(done);
  }

  /** Leaves the role and calls `done` when the store is quiet; files are closed by who opened them. */
  stop(done: () => void): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#scrub?.stop();
    this.#reads.end();
    this.#roles.stop(() => {
      this.#duties.store?.stop();
      done();
    });
  }

  /** Whom this member takes for the leader. */
  knownLeader(): { readonly epoch: number; readonly term: string; readonly leader: NodeName | null } {
    const { leadership, seenEpoch } = this.#memory.state;
    if (leadership !== null) return { epoch: leadership.epoch, term: leadership.term, leader: leadership.leader.node };
    return { ...seenEpoch, leader: this.#duties.duty.kind === "following" ? this.#duties.duty.follower.leader : null };
  }

  execute(operation: Operation, options: RequestOptions, done: ReplyCallback): void {
    if (options.consistency === "eventual") this.#reads.execute(operation, options, done);
    else this.#executeAsLeader(operation, options, done);
  }

  #executeAsLeader(operation: Operation, options: RequestOptions, done: ReplyCallback): void {
    if (this.#duties.duty.kind === "leading") {
      this.#duties.duty.term.operations.execute(operation, options, done);
      return;
    }
    done({ ok: false, error: notLeading(this.#config, this.#duties.duty, this.knownLeader()) });
  }

  versionOf(key: Key): Version | null {
    if (this.#duties.store === null) return null;
    return this.#duties.store.view.get(SPACE.user, key, this.#duties.store.settledSequence).record?.version ?? null;
  }

  /** Takes a message of another node about this shard. Throws ProtocolError when it makes no sense. */
  onMessage(from: NodeName, message: PeerMessage): void {
    const { type } = message;
    if (this.#isStopped || !isMessageType(type)) return;
    this.#dispatch(from, decodeMessage(type, message.header, message.body));
  }

  onDisconnected(node: NodeName): void {
    if (this.#duties.duty.kind === "leading") this.#duties.duty.term.onDisconnected(node);
    if (this.#duties.duty.kind === "following") this.#duties.duty.follower.onDisconnected(node);
  }

  /** Makes this node the leader by the operator's word (rule T1). `request.node` must be this node. */
  promote(request: PromotionRequest, done: (report: PromotionReport | KvError) => void): void {
    this.#roles.promote(request, done);
  }

  status(): MemberStatus {
    const { epoch } = this.knownLeader();
    const parts = { env: this.#env, node: this.#config.node, duty: this.#duties.duty, store: this.#duties.store };
    const { state } = this.#memory;
    const tornEnd = state.tornEnd ? "the end of its log was cut off when it started (torn, or damaged)" : null;
    const damage = state.damage ?? tornEnd ?? this.#damagedRow;
    const { document } = this.#roles;
    const documentFault = this.#register?.fault ?? this.#roles.documentFault;
    return describeMember({ ...parts, statistics: this.#statistics, epoch, document, documentFault, damage });
  }

  /** What whoever makes this shard's document must know of this member (rule C5). */
  account(): MemberAccount {
    const { id: _id, ...account } = this.#accountFor(0);
    return { shard: this.shard, ...account };
  }

  readiness(): Readiness {
    return readinessOf(this.#duties.duty, this.#memory.state, this.#env.clock.nowMs());
  }

  #onDamagedRow(key: string): void {
    this.#damagedRow = `The stored record of key "${keyForPeople(key)}" is damaged on ${this.#config.node}`;
    this.#env.logger.error(this.#damagedRow);
  }

  #open(): void {
    const listener = {
      onWritten: (sequence: Sequence): void => {
        if (this.#duties.duty.kind === "leading") this.#duties.duty.term.onWritten(sequence);
      },
      onFlushed: (sequence: Sequence): void => this.#onFlushed(sequence),
      onApplied: (): void => this.#onApplied(),
    };
    const store = this.#env.openStore(listener, (damage, extent) => {
      if (extent === "newest batch, perhaps") this.#memory.noteTornEnd(damage);
      else this.#memory.noteDamage(damage, extent === "all");
    });
    this.#duties.onRecovered(store);
    this.#scrub = new Scrub({
      tree: store.tree,
      timers: this.#env.timers,
      onCorrupt: (_space, key) => this.#onDamagedRow(key),
      onWalked: (report) => {
        if (report.corruptKeys.length === 0) this.#damagedRow = null;
      },
    });
    this.#scrub.start();
  }

  #arm(): void {
    this.#timer = this.#env.timers.after(TICK_MS, () => {
      this.#tick();
      if (!this.#isStopped) this.#arm();
    });
  }

  #tick(): void {
    const nowMs = this.#env.clock.nowMs();
    const duty = this.#duties.duty;
    if (duty.kind === "starting") {
      const isOver = nowMs - this.#startedMs >= this.#config.startupWaitMs;
      if (this.#accounts.haveAllAnswered || isOver) this.#roles.decide();
      else if (nowMs - this.#accounts.askedMs >= ASK_AGAIN_MS) this.#accounts.askAgain();
      return;
    }
    if (this.#damagedRow !== null && this.#duties.replaceCopy(this.#damagedRow)) this.#damagedRow = null;
    if (duty.kind === "leading") this.#statistics.follow(duty.term.answers);
    this.#roles.onTick();
    this.#differences.look(this.#roles.document);
    this.#reads.onProgress();
    this.#trim();
  }

  #dispatch(from: NodeName, message: IncomingMessage): void {
    const duty = this.#duties.duty;
    switch (message.type) {
      case "STATE_QUERY":
        this.#link.send(from, "STATE", this.#accountFor(message.header.id));
        return;
      case "STATE":
        this.#accounts.onState(from, message.header);
        if (message.header.leadership !== null) this.#roles.learn(message.header.leadership);
        return;
      case "FETCH":
        if (this.#duties.store !== null) {
          answerFetch({ store: this.#duties.store, link: this.#link }, from, message.header);
        }
        return;
      case "FETCHED":
        if (duty.kind === "catching-up") duty.fetch.onFetched(from, message.header, message.body);
        else if (duty.kind === "promoting") duty.promotion.onFetched(from, message.header, message.body);
        return;
      case "STEP_DOWN":
        return this.#roles.onStepDown(from, message.header.id);
      case "STEPPED_DOWN":
        if (duty.kind === "promoting") duty.promotion.onSteppedDown(from, message.header);
        return;
      case "HAND_OVER":
        return this.#roles.onHandOver(from, message.header.id);
      case "HANDED_OVER":
        return this.#roles.onHandedOver(from, message.header);
      case "STORE_LEADERSHIP":
        return this.#roles.onStoreLeadership(from, message.header);
      case "STORED_LEADERSHIP":
        if (duty.kind === "promoting") duty.promotion.onStoredLeadership(from, message.header);
        return;
      case "HELLO":
      case "PULL":
        return this.#onReplica(from, message);
      default:
        this.#onStream(from, message);
    }
  }

  #accountFor(id: number): State {
    const { duty, store } = this.#duties;
    return accountOf({ state: this.#memory.state, store, duty }, id);
  }

  /** Messages of a replication stream, for whichever side this node is on. */
  #onStream(from: NodeName, message: IncomingMessage): void {
    const { duty } = this.#duties;
    const isNews = message.type === "LEADING" || message.type === "NOT_LEADER";
    if (isNews && message.header.leadership !== null) this.#roles.learn(message.header.leadership);
    // It began just now, by this very message.
    if (duty !== this.#duties.duty) return this.#reads.onProgress();
    if (mutant("M18") && duty.kind === "candidate" && message.type === "HB") {
      const { sid, epoch, beacon } = message.header;
      this.#link.send(from, "HBACK", { sid, epoch, durable: 0, echo: beacon, room: 0 });
    }
    if (duty.kind === "leading") duty.term.onMessage(from, message);
    else if (duty.kind === "following") duty.follower.onMessage(from, message);
    this.#reads.onProgress();
  }

  /** A replica takes this node for its leader (§2.6, leader step 1). */
  #onReplica(from: NodeName, message: IncomingMessage & { readonly type: "HELLO" | "PULL" }): void {
    const duty = this.#duties.duty;
    if (!this.#config.shard.members.some((member) => member.node === from) || !this.#roles.belongs(from)) {
      this.#link.send(from, "REFUSED", {
        code: "WRONG_CLUSTER",
        reason: `${from} is not a member of shard ${this.shard}`,
      });
      return;
    }
    const seen = Math.max(message.header.epoch, message.header.lastEpoch);
    if (duty.kind === "leading") {
      const { leadership } = duty.term;
      const isRival = message.type === "HELLO" && LeadershipMemory.contradicts(message.header, leadership);
      if (seen > leadership.epoch) this.#roles.onDeposed(seen);
      else if (isRival) this.#roles.onConflict(from, leadership.epoch);
      else return duty.term.onMessage(from, message);
    }
    const { seenEpoch, leadership } = this.#memory.state;
    this.#link.send(from, "NOT_LEADER", { seenEpoch: seenEpoch.epoch, leadership });
  }

  #onFlushed(sequence: Sequence): void {
    const duty = this.#duties.duty;
    if (duty.kind === "leading") duty.term.onFlushed();
    else if (duty.kind === "following") duty.follower.onFlushed(sequence);
    else if (duty.kind === "catching-up") duty.fetch.onFlushed();
    else if (duty.kind === "promoting") duty.promotion.onFlushed();
    this.#reads.onProgress();
  }

  #onApplied(): void {
    const { duty } = this.#duties;
    if (duty.kind === "following") duty.follower.onApplied();
    else if (duty.kind === "leading") duty.term.onApplied();
    this.#trim();
  }

  /** Not between two roles, or before the first: whoever is about to lead does not know yet what replicas need. */
  #trim(): void {
    const { store, duty } = this.#duties;
    if (store === null || (duty.kind !== "leading" && duty.kind !== "following")) return;
    const needed = duty.kind === "leading" ? duty.term.neededFrom() : null;
    trimLog(store, this.#config, { needed, freeBytes: this.#env.freeBytes() });
  }
}

function makeRegister(env: MemberEnvironment, { node }: MemberConfig, boot: string): ShardRegister | null {
  const { coordination, timers, random, logger } = env;
  if (coordination === null) return null;
  const { coordinator, key } = coordination;
  return new ShardRegister({ coordinator, key, node, boot, timers, random, logger });
}

function makeRoles(parts: RolesParts, register: ShardRegister | null): Roles {
  const { coordination } = parts.env;
  if (coordination === null || register === null) return new StaticRoles(parts);
  const { leaseMs, graceMs } = coordination;
  return new CoordinatedRoles({ ...parts, register, leaseMs, graceMs });
}
