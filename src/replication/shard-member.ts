import type { Timer } from "../base/clock.ts";
import { mutant } from "../base/mutants.ts";
import { SPACE } from "../model/entry.ts";
import { KvError } from "../model/errors.ts";
import type { Key } from "../model/key.ts";
import type { InSyncMember, Leadership } from "../model/leadership.ts";
import { LIMITS } from "../model/limits.ts";
import type { Operation, ReplyCallback, RequestOptions } from "../model/operation.ts";
import type { EpochRef, NodeName, Sequence, Version } from "../model/position.ts";
import type { MemberStatus, PromotionReport, PromotionRequest } from "../model/status.ts";
import type { ShardStore } from "../shard/shard-store.ts";
import type { PeerMessage } from "../wire/peer-network.ts";
import { Accounts } from "./accounts.ts";
import { Follower } from "./follower.ts";
import { LeaderTerm } from "./leader-term.ts";
import { answerFetch, LogFetch } from "./log-fetch.ts";
import type { MemberConfig, MemberEnvironment } from "./member-environment.ts";
import { MemberLink } from "./member-link.ts";
import { MemberStatistics } from "./member-statistics.ts";
import { decodeHeader, isMessageType } from "./message-codec.ts";
import type { Hello, LogEnd, MessageHeaders, MessageType, State } from "./messages.ts";
import { Promotion } from "./promotion.ts";
import { canReadHere, readHere } from "./replica-reads.ts";
import { trimmableThrough } from "./retention.ts";
import { decideRole, highestEpoch, outranks } from "./startup-decision.ts";

/** What this member does at the moment; exactly one of these at any time. */
type Duty =
  | { readonly kind: "starting" }
  | { readonly kind: "catching-up"; readonly fetch: LogFetch }
  | { readonly kind: "leading"; readonly term: LeaderTerm }
  | { readonly kind: "following"; readonly follower: Follower }
  | { readonly kind: "promoting"; readonly promotion: Promotion }
  /** Leaving a role: the write and flush under way are waited for (§2.10). */
  | { readonly kind: "changing" }
  | { readonly kind: "waiting"; readonly reason: string; readonly sinceMs: number };

const TICK_MS = 100;
const ASK_AGAIN_MS = 100;
const POLL_MS = 2000;
/** A leader that was asked to step down for a promotion that never came decides its role anew after this long. */
const STEPPED_DOWN_MS = 10_000;

/**
 * One member of one shard: decides its role by the rules of static mode (T1–T6) and does what the role asks.
 *
 * Owns the store and the roles. Invariant: at most one role touches the store at a time, and a role is left in one
 * synchronous step that settles everything it owes; the next begins only when the store is quiet. What must not be
 * forgotten is durable before it is acted upon. Storage errors end the process elsewhere (S3).
 */
export class ShardMember {
  readonly #env: MemberEnvironment;
  readonly #config: MemberConfig;
  readonly #link: MemberLink;
  readonly #accounts: Accounts;
  readonly #boot: string;
  readonly #statistics: MemberStatistics;
  #store: ShardStore | null = null;
  #duty: Duty = { kind: "starting" };
  #startedMs = 0;
  #polledMs = 0;
  #timer: Timer | null = null;
  #isStopped = false;

  constructor(env: MemberEnvironment, config: MemberConfig) {
    this.#env = env;
    this.#config = config;
    this.#link = new MemberLink(env.network, config.shard.name);
    const others = config.shard.members.map((member) => member.node).filter((node) => node !== config.node);
    this.#accounts = new Accounts({ clock: env.clock, link: this.#link, others });
    this.#boot = env.random.hex64();
    this.#statistics = new MemberStatistics(env.clock);
  }

  get shard(): string {
    return this.#config.shard.name;
  }

  get role(): "leader" | "replica" | "none" {
    if (this.#duty.kind === "leading") return "leader";
    return this.#duty.kind === "following" ? "replica" : "none";
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

  /** Leaves the role and calls `done` when the store is quiet; files are closed by who opened them. */
  stop(done: () => void): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#leaveDuty(() => {
      this.#store?.stop();
      done();
    });
  }

  /** Whom this member takes for the leader. */
  knownLeader(): { readonly epoch: number; readonly term: string; readonly leader: NodeName | null } {
    const { leadership, seenEpoch } = this.#env.stateFile.state;
    if (leadership !== null) return { epoch: leadership.epoch, term: leadership.term, leader: leadership.leader.node };
    return { ...seenEpoch, leader: this.#duty.kind === "following" ? this.#duty.follower.leader : null };
  }

  execute(operation: Operation, options: RequestOptions, done: ReplyCallback): void {
    const { kind } = this.#duty;
    if (options.consistency === "eventual" && this.#store !== null && canReadHere(operation) && this.#mayReadHere()) {
      this.#statistics.replicaReads++;
      const { follower } = this.#duty.kind === "following" ? this.#duty : { follower: null };
      const role = follower === null ? "leader" : "replica";
      const answerer = { shard: this.shard, node: this.#config.node, role, lagMs: follower?.lag().ms ?? 0 } as const;
      done(readHere({ store: this.#store, answerer, nowWallMs: this.#env.clock.wallMs() }, operation));
      return;
    }
    if (this.#duty.kind === "leading") {
      this.#duty.term.execute(operation, options, done);
      return;
    }
    done({ ok: false, error: this.#notLeading(kind) });
  }

  versionOf(key: Key): Version | null {
    if (this.#store === null) return null;
    return this.#store.view.get(SPACE.user, key, this.#store.settledSequence).record?.version ?? null;
  }

  /** Takes a message of another node about this shard. Throws ProtocolError when it makes no sense. */
  onMessage(from: NodeName, message: PeerMessage): void {
    const { type } = message;
    if (this.#isStopped || !isMessageType(type)) return;
    const header = decodeHeader(type, message.header);
    this.#dispatch(from, { type, header, body: message.body } as Incoming);
  }

  onDisconnected(node: NodeName): void {
    if (this.#duty.kind === "leading") this.#duty.term.onDisconnected(node);
    if (this.#duty.kind === "following") this.#duty.follower.onDisconnected(node);
  }

  /** Makes this node the leader by the operator's word (rule T1). `request.node` must be this node. */
  promote(request: PromotionRequest, done: (report: PromotionReport | KvError) => void): void {
    const store = this.#store;
    if (request.node !== this.#config.node || request.shard !== this.shard) {
      return done(new KvError("INVALID_ARGUMENT", `${this.#config.node} is a member of shard ${this.shard} only`));
    }
    if (store === null || this.#duty.kind === "promoting" || this.#duty.kind === "changing") {
      return done(new KvError("NOT_READY", `${this.#config.node} is starting or changing its role; try again`));
    }
    const promotion: Promotion = new Promotion({
      env: this.#env,
      config: this.#config,
      link: this.#link,
      store,
      accounts: this.#accounts,
      request,
      leaderNews: this.#leaderNews(),
      stopDuty: (quiet) => this.#leaveDuty(() => {
        this.#duty = { kind: "promoting", promotion };
        quiet();
      }),
      lead: (leadership) => this.#lead(leadership, true),
      done: (report) => {
        if (this.#duty.kind === "promoting") this.#decide();
        done(report);
      },
    });
    promotion.start();
  }

  status(): MemberStatus {
    const store = this.#store;
    const duty = this.#duty;
    const { state } = this.#env.stateFile;
    const lag = duty.kind === "following" ? duty.follower.lag() : { entries: 0, ms: 0 };
    const rates = this.#statistics.rates(duty.kind === "leading" ? duty.term.operations.operationCount : null);
    const tree = store?.tree.stats() ?? { userKeyCount: 0, fileBytes: 0, liveBytes: 0 };
    const readiness = this.readiness();
    return {
      node: this.#config.node,
      role: this.role,
      state: readiness.reason,
      ready: readiness.ready,
      epoch: this.knownLeader().epoch,
      store: state.store.store,
      lastSequence: store?.lastSequence ?? 0,
      durableSequence: store?.durableSequence ?? 0,
      commitSequence: store?.commitSequence ?? 0,
      appliedSequence: store?.appliedSequence ?? 0,
      lagEntries: lag.entries,
      lagMs: lag.ms,
      keyCount: tree.userKeyCount,
      logBytes: store?.log.sizeBytes ?? 0,
      treeFileBytes: tree.fileBytes,
      treeLiveBytes: tree.liveBytes,
      memtableBytes: store?.memtable.sizeBytes ?? 0,
      diskFreeBytes: this.#env.freeBytes(),
      readOnlyReason: store !== null && store.roomFor(LIMITS.keyBytesMax) === "full" ? "The disk has no room for the log" : null,
      discardedEntriesFile: this.#env.discarded.file,
      ...rates,
      replicas: duty.kind === "leading" ? duty.term.replicas() : [],
    };
  }

  /** Whether this member serves as it should; the sentence says what it does, or why it does not serve. */
  readiness(): { readonly ready: boolean; readonly reason: string } {
    const duty = this.#duty;
    switch (duty.kind) {
      case "leading": {
        const isOpen = duty.term.answers.reached(this.#guarantee) >= duty.term.epochStart;
        return { ready: isOpen, reason: isOpen ? "leads" : "leads, and waits for its first entry to be committed" };
      }
      case "following":
        return this.#replicaReadiness(duty.follower);
      case "waiting":
        return { ready: false, reason: duty.reason };
      default:
        return { ready: false, reason: duty.kind === "starting" ? "is starting" : `is ${duty.kind}` };
    }
  }

  #open(): void {
    const listener = {
      onWritten: (sequence: Sequence): void => {
        if (this.#duty.kind === "leading") this.#duty.term.onWritten(sequence);
      },
      onFlushed: (sequence: Sequence): void => this.#onFlushed(sequence),
      onApplied: (): void => this.#onApplied(),
    };
    this.#store = this.#env.openStore(listener, (damage, mustResync) => this.#noteDamage(damage, mustResync));
  }

  /** What this store once confirmed may be gone: under its old name it must not count any more (D7, S5). */
  #noteDamage(damage: string, mustResync: boolean): void {
    const { stateFile, logger } = this.#env;
    const { state } = stateFile;
    if (mutant("M69") || state.bootstrap?.phase === "copying") return;
    const store = { ...state.store, generation: state.store.generation + 1 };
    stateFile.replace({ ...state, store, damage, bootstrap: mustResync ? { phase: "copying" } : state.bootstrap });
    logger.error("This store is damaged", { damage });
  }

  #arm(): void {
    this.#timer = this.#env.timers.after(TICK_MS, () => {
      this.#tick();
      if (!this.#isStopped) this.#arm();
    });
  }

  #tick(): void {
    const nowMs = this.#env.clock.nowMs();
    const duty = this.#duty;
    if (duty.kind === "starting") {
      const isOver = nowMs - this.#startedMs >= this.#config.startupWaitMs;
      if (this.#accounts.haveAllAnswered || isOver) this.#decide();
      else if (nowMs - this.#accounts.askedMs >= ASK_AGAIN_MS) this.#accounts.askAgain();
      return;
    }
    if (duty.kind === "waiting" && duty.reason === SUSPENDED && nowMs - duty.sinceMs > STEPPED_DOWN_MS) this.#decide();
    if (nowMs - this.#polledMs >= POLL_MS && this.#isLonely()) {
      this.#polledMs = nowMs;
      this.#accounts.ask();
    }
    this.#trim();
  }

  /** Whether somebody should be asked who leads, or who else believes to lead (rule T4). */
  #isLonely(): boolean {
    const duty = this.#duty;
    if (duty.kind === "following") return !duty.follower.isStreaming;
    if (duty.kind === "leading") return duty.term.replicas().some((replica) => !replica.connected);
    return duty.kind === "waiting";
  }

  #decide(): void {
    const store = this.#store;
    if (store === null || this.#isStopped) return;
    const accounts = this.#accounts.answered();
    const silent = this.#accounts.silent();
    const decision = decideRole({
      self: this.#config.node,
      state: this.#env.stateFile.state,
      logEnd: this.#logEnd(),
      accounts,
      isFirstLeader: this.#config.isFirstLeader,
      firstLeader: this.#config.shard.members[0]?.node ?? this.#config.node,
    });
    if (decision.kind === "wait") return this.#wait(decision.reason);
    if (decision.kind === "follow") {
      if (decision.leadership !== null) this.#remember(decision.leadership);
      return this.#follow(decision.leader);
    }
    if (silent.length > 0) this.#env.logger.warn("Some members did not answer", { silent });
    if (decision.fetchFrom === null) return this.#leadAgain(decision.base);
    const fetch = new LogFetch({
      env: this.#env,
      link: this.#link,
      store,
      from: decision.fetchFrom,
      done: () => this.#leadAgain(decision.base),
    });
    this.#duty = { kind: "catching-up", fetch };
    fetch.start();
  }

  /** Leads with a new epoch, in the place that this node's own state or the configuration gives it (rule T2). */
  #leadAgain(base: Leadership | null): void {
    const { state } = this.#env.stateFile;
    const epoch = highestEpoch({ state, logEnd: this.#logEnd(), accounts: this.#accounts.answered() }) + 1;
    const isOldEpoch = mutant("M27") && base !== null;
    this.#lead(
      {
        epoch: isOldEpoch ? base.epoch : epoch,
        term: isOldEpoch ? base.term : this.#env.random.hex64(),
        leader: state.store,
        lineage: base?.lineage ?? 0,
        inSync: base?.inSync ?? this.#allListed(),
        setVersion: (base?.setVersion ?? 0) + 1,
      },
      false,
    );
  }

  #lead(leadership: Leadership, isPromotion: boolean): void {
    const env = this.#env;
    const store = this.#store;
    if (store === null || this.#isStopped) return;
    if (store.roomFor(LIMITS.keyBytesMax) !== "yes") {
      this.#wait("The disk has no room to begin a leadership");
      store.log.whenRoomChanges(() => this.#lead(leadership, isPromotion));
      return;
    }
    const { state } = env.stateFile;
    const seenEpoch: EpochRef = { epoch: leadership.epoch, term: leadership.term };
    env.stateFile.replace({ ...state, seenEpoch, leadership, conflict: null, damage: null });
    const parts = { env, config: this.#config, link: this.#link, store, boot: this.#boot, leadership, isPromotion };
    const term = new LeaderTerm(parts);
    this.#duty = { kind: "leading", term };
    env.logger.info("Leads", { shard: this.shard, epoch: leadership.epoch, from: term.epochStart, isPromotion });
  }

  #follow(leader: NodeName): void {
    const store = this.#store;
    if (store === null || this.#isStopped) return;
    const follower = new Follower({
      env: this.#env,
      config: this.#config,
      link: this.#link,
      store,
      boot: this.#boot,
      leader,
      adopt: (leadership) => this.#adopt(leadership),
      onLost: () => this.#poll(),
      onHalt: (reason) => this.#leaveDuty(() => this.#wait(reason)),
    });
    this.#duty = { kind: "following", follower };
    this.#env.logger.info("Follows", { shard: this.shard, leader });
    follower.start();
  }

  #wait(reason: string): void {
    this.#duty = { kind: "waiting", reason, sinceMs: this.#env.clock.nowMs() };
    this.#env.logger.warn(reason);
  }

  #poll(): void {
    const nowMs = this.#env.clock.nowMs();
    if (nowMs - this.#polledMs < POLL_MS) return;
    this.#polledMs = nowMs;
    this.#accounts.ask();
  }

  /** Ends the present role in one step, and calls `next` when the store is quiet (§2.10). */
  #leaveDuty(next: () => void): void {
    const duty = this.#duty;
    const store = this.#store;
    this.#duty = { kind: "changing" };
    if (duty.kind === "leading") duty.term.end();
    if (duty.kind === "catching-up") duty.fetch.end();
    if (store === null) return next();
    if (mutant("M93")) next();
    else if (duty.kind === "following") duty.follower.end(next);
    else store.quiesce(next);
  }

  /** Takes a leadership heard of: persists it when it supersedes what is known. False when it is outranked (rule P1). */
  #adopt(leadership: Leadership): boolean {
    const { state } = this.#env.stateFile;
    const known = state.leadership;
    if (!mutant("M28")) {
      if (leadership.epoch < Math.max(state.seenEpoch.epoch, this.#store?.lastEpoch.epoch ?? 0)) return false;
      if (known !== null && leadership.epoch === known.epoch && leadership.term !== known.term) return false;
    }
    if (known === null || outranks(leadership, known) || mutant("M28")) this.#remember(leadership);
    return true;
  }

  #remember(leadership: Leadership): void {
    if (mutant("M29")) return;
    const { state } = this.#env.stateFile;
    if (state.leadership !== null && !outranks(leadership, state.leadership) && !mutant("M28")) return;
    const isHigher = leadership.epoch >= state.seenEpoch.epoch;
    const seenEpoch = isHigher ? { epoch: leadership.epoch, term: leadership.term } : state.seenEpoch;
    this.#env.stateFile.replace({ ...state, seenEpoch, leadership });
  }

  /** Somebody named a leadership: step down, follow, or note a conflict, as it asks. */
  #learn(leadership: Leadership): void {
    const { state } = this.#env.stateFile;
    const known = state.leadership;
    if (this.#duty.kind === "starting" || this.#duty.kind === "changing" || this.#duty.kind === "promoting") return;
    const isRival = known !== null && leadership.epoch === known.epoch && leadership.term !== known.term;
    if (isRival && known.leader.node === this.#config.node && leadership.leader.node !== this.#config.node) {
      return this.#noteConflict(leadership);
    }
    const isNew = known === null || leadership.epoch > known.epoch;
    const followsOther = this.#duty.kind === "following" && this.#duty.follower.leader !== leadership.leader.node;
    if (known !== null && outranks(leadership, known)) this.#remember(leadership);
    else if (known === null) this.#remember(leadership);
    else if (leadership.epoch < known.epoch) return;
    if (isNew || (followsOther && !isRival)) this.#leaveDuty(() => this.#decide());
  }

  /** Rule T2: two leaders with equal numbers. Both write it down and refuse to lead. */
  #noteConflict(rival: Leadership): void {
    const conflict =
      `${rival.leader.node} leads with the same epoch ${rival.epoch} and another term; both wait until one is promoted (kv promote)`;
    const { state } = this.#env.stateFile;
    if (state.conflict === null) this.#env.stateFile.replace({ ...state, conflict });
    this.#leaveDuty(() => this.#decide());
  }

  #dispatch(from: NodeName, message: Incoming): void {
    const duty = this.#duty;
    const store = this.#store;
    switch (message.type) {
      case "STATE_QUERY":
        this.#link.send(from, "STATE", this.#account(message.header.id));
        return;
      case "STATE":
        this.#accounts.onState(from, message.header);
        if (message.header.leadership !== null) this.#learn(message.header.leadership);
        return;
      case "STALE":
        return this.#learn(message.header.leadership);
      case "NOT_LEADER":
        if (message.header.leadership !== null) this.#learn(message.header.leadership);
        if (this.#duty.kind === "following") this.#duty.follower.onNotLeader(from);
        return;
      case "HELLO":
        return this.#onHello(from, message.header);
      case "FETCH":
        if (store !== null) answerFetch({ store, link: this.#link }, from, message.header);
        return;
      case "FETCHED":
        if (duty.kind === "catching-up") duty.fetch.onFetched(from, message.header, message.body);
        else if (duty.kind === "promoting") duty.promotion.onFetched(from, message.header, message.body);
        return;
      case "STEP_DOWN":
        return this.#onStepDown(from, message.header.id);
      case "STEPPED_DOWN":
        if (duty.kind === "promoting") duty.promotion.onSteppedDown(from, message.header);
        return;
      case "STORE_LEADERSHIP":
        return this.#onStoreLeadership(from, message.header);
      case "STORED_LEADERSHIP":
        if (duty.kind === "promoting") duty.promotion.onStoredLeadership(from, message.header);
        return;
      default:
        this.#dispatchToRole(from, message);
    }
  }

  #dispatchToRole(from: NodeName, message: Incoming): void {
    const duty = this.#duty;
    if (duty.kind === "leading") {
      if (message.type === "PULL") this.#orDepose(message.header.epoch, message.header.lastEpoch, () => duty.term.onPull(from, message.header));
      else if (message.type === "HBACK") duty.term.onHeartbeatAck(from, message.header);
      else if (message.type === "GET_RANGE") duty.term.onGetRange(from, message.header);
      return;
    }
    if (message.type === "PULL") this.#link.send(from, "NOT_LEADER", this.#notLeaderHeader());
    if (duty.kind !== "following") return;
    const { follower } = duty;
    if (message.type === "WELCOME") follower.onWelcome(from, message.header);
    else if (message.type === "ENTRIES") follower.onEntries(from, message.header, message.body);
    else if (message.type === "HB") follower.onHeartbeat(from, message.header);
    else if (message.type === "DIVERGED") follower.onDiverged(from, message.header);
    else if (message.type === "SNAPSHOT_NEEDED") follower.onSnapshotNeeded(from, message.header);
    else if (message.type === "RANGE") follower.onRange(from, message.header, message.body);
    else if (message.type === "REFUSED") follower.onRefused(from, message.header);
  }

  #onHello(from: NodeName, hello: Hello): void {
    const duty = this.#duty;
    if (duty.kind !== "leading") {
      this.#link.send(from, "NOT_LEADER", this.#notLeaderHeader());
      return;
    }
    const { leadership } = duty.term;
    if (!this.#config.shard.members.some((member) => member.node === from)) {
      this.#link.send(from, "REFUSED", { code: "WRONG_CLUSTER", reason: `${from} is not a member of shard ${this.shard}` });
    } else if (hello.epoch > leadership.epoch || hello.lastEpoch > leadership.epoch) {
      this.#onDeposed(Math.max(hello.epoch, hello.lastEpoch));
      this.#link.send(from, "NOT_LEADER", this.#notLeaderHeader());
    } else {
      duty.term.onHello(from, hello);
    }
  }

  #orDepose(epoch: number, lastEpoch: number, serve: () => void): void {
    const own = this.#duty.kind === "leading" ? this.#duty.term.leadership.epoch : 0;
    if (epoch > own || lastEpoch > own) this.#onDeposed(Math.max(epoch, lastEpoch));
    else serve();
  }

  /** Somebody has seen a higher epoch than the one this node leads with (§2.6 step 1): find out whose it is. */
  #onDeposed(epoch: number): void {
    const { state } = this.#env.stateFile;
    if (epoch > state.seenEpoch.epoch) {
      this.#env.stateFile.replace({ ...state, seenEpoch: { epoch, term: state.seenEpoch.term } });
    }
    this.#leaveDuty(() => {
      this.#wait(`Another member has seen epoch ${epoch}; looking for its leader`);
      this.#accounts.ask();
    });
  }

  #onStepDown(from: NodeName, id: number): void {
    if (this.#store === null) return;
    const answer = (): void => {
      this.#link.send(from, "STEPPED_DOWN", { id, ...this.#logEnd() });
    };
    if (this.#duty.kind !== "leading") return answer();
    this.#leaveDuty(() => {
      this.#wait(SUSPENDED);
      answer();
    });
  }

  #onStoreLeadership(from: NodeName, message: MessageHeaders["STORE_LEADERSHIP"]): void {
    const { state } = this.#env.stateFile;
    const isHigher = message.leadership.epoch > Math.max(state.seenEpoch.epoch, state.leadership?.epoch ?? 0);
    const isSame = state.leadership?.term === message.leadership.term && state.leadership.epoch === message.leadership.epoch;
    const accepted = isHigher || isSame;
    if (isHigher) {
      const { epoch, term } = message.leadership;
      this.#env.stateFile.replace({ ...state, seenEpoch: { epoch, term }, leadership: message.leadership, conflict: null });
    }
    const complete = state.bootstrap === null;
    this.#link.send(from, "STORED_LEADERSHIP", { id: message.id, accepted, store: state.store, complete });
    if (isHigher && this.#duty.kind !== "starting" && this.#duty.kind !== "changing") this.#leaveDuty(() => this.#decide());
  }

  #onFlushed(sequence: Sequence): void {
    const duty = this.#duty;
    if (duty.kind === "leading") duty.term.onFlushed();
    else if (duty.kind === "following") duty.follower.onFlushed(sequence);
    else if (duty.kind === "catching-up") duty.fetch.onFlushed();
    else if (duty.kind === "promoting") duty.promotion.onFlushed();
  }

  #onApplied(): void {
    if (this.#duty.kind === "following") this.#duty.follower.onApplied();
    this.#trim();
  }

  #trim(): void {
    const store = this.#store;
    if (store === null || this.#duty.kind === "changing") return;
    const everyone = Number.MAX_SAFE_INTEGER;
    const needed = this.#duty.kind === "leading" ? this.#duty.term.neededFrom() : { byInSync: everyone, byAnyone: everyone };
    const isInSyncMode = this.#config.replication === "in-sync";
    const through = trimmableThrough({
      fullSegments: store.log.fullSegments,
      logBytes: store.log.sizeBytes,
      appliedSequence: store.appliedSequence,
      neededByInSync: isInSyncMode ? needed.byInSync : everyone,
      neededByAnyone: needed.byAnyone,
      retainBytes: this.#config.logRetainBytes,
      retainBytesMax: Math.min(this.#config.logRetainBytesMax, this.#env.freeBytes() / 4),
    });
    if (through >= store.log.startSequence) store.log.trimThrough(through);
  }

  #account(id: number): State {
    const { state } = this.#env.stateFile;
    return {
      ...this.#logEnd(),
      id,
      store: state.store,
      seenEpoch: state.seenEpoch.epoch,
      seenTerm: state.seenEpoch.term,
      leadership: state.leadership,
      role: this.role,
      complete: state.bootstrap === null && state.damage === null,
      recovered: this.#store !== null,
      inConflict: state.conflict !== null,
    };
  }

  #logEnd(): LogEnd {
    const store = this.#store;
    if (store === null) return { lastEpoch: 0, lastTerm: "0000000000000000", lastSequence: 0 };
    return { lastEpoch: store.lastEpoch.epoch, lastTerm: store.lastEpoch.term, lastSequence: store.lastSequence };
  }

  #allListed(): InSyncMember[] {
    const { store } = this.#env.stateFile.state;
    return this.#config.shard.members.map(({ node }) =>
      node === this.#config.node ? { ...store } : { node, store: null, generation: 0 },
    );
  }

  #mayReadHere(): boolean {
    const { state } = this.#env.stateFile;
    if (state.bootstrap !== null || state.damage !== null) return false;
    return this.#duty.kind === "following" || this.#duty.kind === "leading";
  }

  #replicaReadiness(follower: Follower): { ready: boolean; reason: string } {
    const { state } = this.#env.stateFile;
    if (state.bootstrap !== null) return { ready: false, reason: `copies its data from ${follower.leader}` };
    if (!follower.isStreaming) return { ready: false, reason: `tries to reach leader ${follower.leader}` };
    const lag = follower.lag();
    const isClose = lag.entries <= LIMITS.readyLagEntriesMax && lag.ms <= LIMITS.readyLagMsMax;
    if (!isClose) return { ready: false, reason: `is ${lag.entries} entries behind leader ${follower.leader}` };
    return { ready: true, reason: `follows ${follower.leader}` };
  }

  #leaderNews(): string | null {
    if (this.#duty.kind !== "following" || this.#store === null) return null;
    const { follower } = this.#duty;
    const behind = Math.max(0, follower.leaderLogEnd - this.#store.lastSequence);
    const seconds = ((this.#env.clock.nowMs() - follower.lastHeardMs) / 1000).toFixed(1);
    return `Leader ${follower.leader} was last heard ${seconds} s ago, with its log at ${follower.leaderLogEnd}: ${behind} entries ahead`;
  }

  #notLeading(kind: Duty["kind"]): KvError {
    const { leader, epoch } = this.knownLeader();
    if (kind === "starting") return new KvError("NOT_READY", `${this.#config.node} is starting`, { details: { leader, epoch } });
    const hint = leader === null || leader === this.#config.node ? "no leader is known" : `${leader} leads`;
    const message = `${this.#config.node} does not lead shard ${this.shard}; ${hint}`;
    return new KvError("NOT_LEADER", message, { details: { leader: leader === this.#config.node ? null : leader, epoch } });
  }

  #notLeaderHeader(): MessageHeaders["NOT_LEADER"] {
    const { seenEpoch, leadership } = this.#env.stateFile.state;
    return { seenEpoch: seenEpoch.epoch, leadership };
  }

  get #guarantee(): "flushed" | "in-sync" {
    return this.#config.replication === "in-sync" ? "in-sync" : "flushed";
  }
}

const SUSPENDED = "Stepped down for a promotion; waits for its outcome";

/** A validated message, by type. */
type Incoming = {
  [Type in MessageType]: { readonly type: Type; readonly header: MessageHeaders[Type]; readonly body: Buffer };
}[MessageType];
