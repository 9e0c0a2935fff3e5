import type { Timer } from "../base/clock.ts";
import type { KvError } from "../model/errors.ts";
import { type InSyncMember, isSameStore, type Leadership } from "../model/leadership.ts";
import type { Epoch, NodeName } from "../model/position.ts";
import type { PromotionReport, PromotionRequest } from "../model/status.ts";
import type { ShardStore } from "../shard/shard-store.ts";
import type { Accounts } from "./accounts.ts";
import { LogFetch } from "./log-fetch.ts";
import type { MemberConfig, MemberEnvironment } from "./member-environment.ts";
import type { MemberLink } from "./member-link.ts";
import type { Fetched, LogEnd, State, SteppedDown, StoredLeadership } from "./messages.ts";
import { checkPosition } from "./position-check.ts";
import { highestEpoch, highestLeadership, PROMOTION_EPOCH_STEP } from "./startup-decision.ts";

export interface PromotionParts {
  readonly env: MemberEnvironment;
  readonly config: MemberConfig;
  readonly link: MemberLink;
  readonly store: ShardStore;
  readonly accounts: Accounts;
  /** Makes durable that an epoch was seen; before any entry of it is taken in (rule P1). False: the disk is full. */
  readonly noteSeen: (epoch: Epoch) => boolean;
  readonly request: PromotionRequest;
  /** What this replica last heard of its leader, as a sentence; null when it never heard of one. */
  readonly leaderNews: string | null;
  /** Stops leading or following, and calls back when the store is quiet. */
  readonly stopDuty: (quiet: () => void) => void;
  /** Starts the new leadership on this node. False: it begins by itself when the disk has room. */
  readonly lead: (leadership: Leadership) => boolean;
  /** Called once. When nothing was done, the member decides its role anew. */
  readonly done: (report: PromotionReport | KvError) => void;
}

const GATHER_MS = 1000;
const STEP_DOWN_MS = 2000;
const STORE_MS = 1000;
const ID_COUNT = 2 ** 31;

/**
 * A promotion of this node by the operator (rule T1), step by step: ask everybody; refuse what could lose acknowledged
 * writes; have the present leader step down and fetch its log's end; have everybody store the new leadership; lead.
 *
 * Nothing is changed anywhere before the checks have passed. An old leader that cannot be reached is not stopped by any of
 * this (rule T6); the report says so.
 */
export class Promotion {
  readonly #parts: PromotionParts;
  readonly #findings: string[] = [];
  #timer: Timer | null = null;
  #known: Leadership | null = null;
  #answered: State[] = [];
  #fetch: LogFetch | null = null;
  #leadership: Leadership | null = null;
  readonly #stored = new Set<NodeName>();
  #step: "gathering" | "stepping-down" | "fetching" | "storing" | "done" = "gathering";
  #missingEntries = 0;
  #isLeaderGone = false;
  #ledAlready = false;
  /** Tells answers to this promotion from those to an earlier one. */
  readonly #id: number;

  constructor(parts: PromotionParts) {
    this.#parts = parts;
    this.#id = Math.floor(parts.env.random.next() * ID_COUNT);
  }

  start(): void {
    const { accounts, env } = this.#parts;
    accounts.ask();
    const startMs = env.clock.nowMs();
    const look = (): void => {
      if (accounts.haveAllAnswered || env.clock.nowMs() - startMs >= GATHER_MS) return this.#judge();
      accounts.askAgain();
      this.#timer = env.timers.after(50, look);
    };
    this.#timer = env.timers.after(20, look);
  }

  onSteppedDown(from: NodeName, message: SteppedDown): void {
    if (this.#step !== "stepping-down" || from !== this.#known?.leader.node || message.id !== this.#id) return;
    this.#fetchFrom(from, message);
  }

  onFetched(from: NodeName, fetched: Fetched, body: Buffer): void {
    this.#fetch?.onFetched(from, fetched, body);
  }

  onFlushed(): void {
    this.#fetch?.onFlushed();
  }

  onStoredLeadership(from: NodeName, message: StoredLeadership): void {
    if (this.#step !== "storing" || message.id !== this.#id) return;
    if (!message.accepted) {
      return this.#refuse(
        `${from} knows of another leadership, as new or newer (a promotion at the same time?); run the command again`,
      );
    }
    this.#stored.add(from);
    if (this.#answered.every((state) => this.#stored.has(state.store.node))) this.#begin();
  }

  /** Ends the promotion where it is: something else has decided the role of this node. */
  giveUp(reason: string): void {
    this.#refuse(reason);
  }

  /** Looks at what everybody said and decides whether to go on. */
  #judge(): void {
    const { accounts, env, config, request, store } = this.#parts;
    this.#answered = accounts.answered();
    const { state } = env.stateFile;
    this.#known = highestLeadership([state.leadership, ...this.#answered.map((one) => one.leadership)]);
    for (const node of accounts.silent()) this.#findings.push(`${node} does not answer`);
    if (this.#parts.leaderNews !== null) this.#findings.push(this.#parts.leaderNews);
    for (const other of this.#answered) {
      const ahead = other.lastSequence - store.lastSequence;
      if (ahead <= 0) continue;
      this.#missingEntries = Math.max(this.#missingEntries, ahead);
      const range = `${store.lastSequence + 1} to ${other.lastSequence}`;
      const what = ahead === 1 ? "1 entry" : `${ahead} entries`;
      this.#findings.push(
        `${other.store.node} has ${what} that ${config.node} lacks (${range}); a promotion fetches them first if it can`,
      );
    }
    const leader = this.#known?.leader.node ?? null;
    this.#ledAlready = leader === config.node;
    this.#isLeaderGone = leader !== config.node && !this.#answered.some((one) => this.#isLeadersStore(one));
    if (this.#isLeaderGone && leader !== null) {
      const isWiped = this.#answered.some((one) => one.store.node === leader);
      this.#findings.push(
        isWiped
          ? `Leader ${leader} answers, but the store that it led with is gone or damaged`
          : `Leader ${leader} does not answer; make sure that it is stopped: nothing else keeps clients from it`,
      );
    }
    if (this.#ledAlready) {
      const effect = "a promotion begins a new epoch, without the in-sync members that do not answer";
      this.#findings.push(`${config.node} leads already: ${effect}`);
    }
    const refusal = this.#refusalReason();
    if (refusal !== null || request.dryRun) return this.#finish(refusal, false);
    this.#step = "stepping-down";
    this.#parts.stopDuty(() => this.#askToStepDown());
  }

  /** Whether this is the present leader, with the whole store that it led with: not wiped or damaged since. */
  #isLeadersStore({ store, complete }: State): boolean {
    const leader = this.#known?.leader;
    return (
      complete && store.node === leader?.node && store.store === leader.store && store.generation === leader.generation
    );
  }

  #refusalReason(): string | null {
    const { env, request, config } = this.#parts;
    const { state } = env.stateFile;
    if (state.bootstrap !== null) return `${config.node} is still copying its data; an incomplete copy never leads`;
    if (request.acceptDataLoss) return null;
    if (state.damage !== null) return `${state.damage}; its copy may lack acknowledged writes (--accept-data-loss)`;
    const known = this.#known;
    const silent = this.#parts.accounts.silent();
    if (known === null) {
      if (silent.length === 0) return null;
      return (
        `No member that answers has ever heard of a leader, and ${silent.join(", ")} may hold acknowledged writes ` +
        "(--accept-data-loss)"
      );
    }
    if (this.#isLeaderGone && this.#parts.store.lastSequence === 0) {
      return `${config.node} holds nothing at all: every write of the shard would be lost (--accept-data-loss)`;
    }
    const { store } = state;
    const isListed = known.inSync.some(
      (member) => member.node === config.node && (member.store === null || isSameStore(member, store)),
    );
    if (isListed) return null;
    if (known.inSync.some((member) => member.node === config.node)) {
      return (
        `The store with which ${config.node} belonged to the in-sync set of epoch ${known.epoch} is gone: this one may ` +
        "lack acknowledged writes; promote a member that has the data (--accept-data-loss gives it up)"
      );
    }
    return (
      `${config.node} is not in the in-sync set of epoch ${known.epoch} (${known.inSync.map((one) => one.node).join(", ")}) ` +
      `and may lack acknowledged writes (--accept-data-loss)` +
      (silent.length > 0 ? `; not heard: ${silent.join(", ")}` : "")
    );
  }

  #askToStepDown(): void {
    const { link, env, config, request } = this.#parts;
    if (this.#step === "done") return;
    const leader = this.#known?.leader.node ?? config.node;
    if (leader === config.node || this.#isLeaderGone) return this.#fetchLongest();
    link.send(leader, "STEP_DOWN", { id: this.#id, epoch: this.#known?.epoch ?? 0 });
    this.#timer = env.timers.after(STEP_DOWN_MS, () => {
      this.#isLeaderGone = true;
      this.#findings.push(`Leader ${leader} did not step down in time`);
      if (request.acceptDataLoss) this.#fetchLongest();
      else this.#refuse(`Leader ${leader} answers, but did not step down; try again, or stop it first`);
    });
  }

  /** With `--accept-data-loss` or a dead leader: whoever has more of the same history gives what it has. */
  #fetchLongest(): void {
    const { store } = this.#parts;
    const longest = this.#answered
      .filter((one) => one.lastEpoch >= store.lastEpoch.epoch && one.lastSequence > store.lastSequence)
      .sort((a, b) => b.lastEpoch - a.lastEpoch || b.lastSequence - a.lastSequence)[0];
    if (longest === undefined) this.#storeEverywhere();
    else this.#fetchFrom(longest.store.node, longest);
  }

  /** A log as long as the other one is not enough: its end may be of another leadership, and stand against it. */
  #fetchFrom(node: NodeName, end: LogEnd): void {
    this.#timer?.cancel();
    const { env, link, store, request } = this.#parts;
    if (checkPosition(end, store.log).kind !== "diverged") return this.#storeEverywhere();
    this.#step = "fetching";
    if (!this.#parts.noteSeen(end.lastEpoch)) return this.#refuse(this.#noRoom());
    this.#fetch = new LogFetch({
      env,
      link,
      store,
      from: node,
      done: (isComplete) => {
        this.#fetch = null;
        if (isComplete || this.#isLeaderGone || request.acceptDataLoss) this.#storeEverywhere();
        else this.#refuse(`The end of ${node}'s log could not be fetched; it leads again by itself`);
      },
    });
    this.#fetch.start();
  }

  #storeEverywhere(): void {
    const { env, config, link, store } = this.#parts;
    const { state } = env.stateFile;
    const lastEpoch = store.lastEpoch;
    const logEnd = { lastEpoch: lastEpoch.epoch, lastTerm: lastEpoch.term, lastSequence: store.lastSequence };
    const epoch = highestEpoch({ state, logEnd, accounts: this.#answered }) + PROMOTION_EPOCH_STEP;
    // Entries that nobody could ask for may be lost: members that have them must not take it for damage (rule P2).
    const mayLose = this.#parts.request.acceptDataLoss || (config.replication === "async" && this.#isLeaderGone);
    const lineage = (this.#known?.lineage ?? 0) + (mayLose ? 1 : 0);
    const own: InSyncMember = { ...state.store };
    const others = (this.#known?.inSync ?? []).filter(
      (member) => member.node !== config.node && this.#isStillComplete(member),
    );
    this.#leadership = {
      epoch,
      term: env.random.hex64(),
      leader: state.store,
      lineage,
      inSync: [own, ...others],
      setVersion: (this.#known?.setVersion ?? 0) + 1,
    };
    // Of two promotions with the same number neither takes the other's word: each would follow the other, and nobody lead.
    if (!this.#parts.noteSeen(epoch)) return this.#refuse(this.#noRoom());
    this.#step = "storing";
    if (this.#answered.length === 0) return this.#begin();
    for (const { store: other } of this.#answered) {
      link.send(other.node, "STORE_LEADERSHIP", { id: this.#id, leadership: this.#leadership });
    }
    this.#timer = env.timers.after(STORE_MS, () => this.#begin());
  }

  #noRoom(): string {
    return `The disk of ${this.#parts.config.node} has no room to write down what it has seen`;
  }

  /** Whether a member of the former set answered with the same store, complete. */
  #isStillComplete(member: InSyncMember): boolean {
    return this.#answered.some(
      ({ store, complete }) =>
        complete && store.node === member.node && (member.store === null || isSameStore(member, store)),
    );
  }

  /**
   * Leads with every member that the new leadership was handed out to as one of the set (rule T5), also with those that have not
   * said that they stored it: they may have, and believe to hold all that will be acknowledged.
   */
  #begin(): void {
    const leadership = this.#leadership;
    if (this.#step !== "storing" || leadership === null) return;
    const self = this.#parts.config.node;
    for (const { node } of this.#known?.inSync ?? []) {
      const isOut = !leadership.inSync.some((member) => member.node === node);
      if (isOut) this.#findings.push(`${node} is no longer in the in-sync set`);
    }
    for (const { node } of leadership.inSync) {
      if (node === self || this.#stored.has(node)) continue;
      this.#findings.push(`${node} has not confirmed the new leadership; in-sync writes wait until it follows`);
    }
    const { lastSequence } = this.#parts.store;
    if (!this.#parts.lead(leadership)) {
      return this.#refuse(`The disk of ${self} has no room to begin a leadership; it leads as soon as there is some`);
    }
    this.#findings.push(
      `${self} leads shard ${this.#parts.config.shard.name} with epoch ${leadership.epoch} from entry ${lastSequence + 1}`,
    );
    this.#finish(null, true);
  }

  /** Once others may have stored the new leadership, nobody can say that it will not take effect: the report does not. */
  #refuse(reason: string): void {
    const isOpen = this.#step === "storing";
    const caution =
      "; members may have stored the new leadership already, so that it still takes effect: see kv status";
    this.#finish(isOpen ? reason + caution : reason, false);
  }

  #finish(refusal: string | null, isDone: boolean): void {
    if (this.#step === "done") return;
    this.#step = "done";
    this.#timer?.cancel();
    this.#fetch?.end();
    const { request, config } = this.#parts;
    this.#parts.done({
      shard: config.shard.name,
      node: request.node,
      done: isDone,
      ledAlready: this.#ledAlready,
      findings: this.#findings,
      refusal,
      epoch: this.#leadership?.epoch ?? this.#known?.epoch ?? 0,
      missingEntries: this.#missingEntries,
    });
  }
}
