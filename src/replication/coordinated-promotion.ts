import type { Timer } from "../base/clock.ts";
import type { KvError } from "../model/errors.ts";
import { isSameStore } from "../model/leadership.ts";
import type { NodeName } from "../model/position.ts";
import type { ShardDocument } from "../model/shard-document.ts";
import type { PromotionReport, PromotionRequest } from "../model/status.ts";
import type { ShardStore } from "../shard/shard-store.ts";
import type { Accounts } from "./accounts.ts";
import { isLonger, logEndOf } from "./member-account.ts";
import type { MemberConfig, MemberEnvironment } from "./member-environment.ts";
import type { MemberLink } from "./member-link.ts";
import type { HandedOver, State } from "./messages.ts";
import type { KnownDocument, RegisterReading, ShardRegister } from "./shard-register.ts";
import { missingWitness } from "./torn-end.ts";

export interface CoordinatedPromotionParts {
  readonly env: MemberEnvironment;
  readonly config: MemberConfig;
  readonly link: MemberLink;
  readonly store: ShardStore;
  readonly accounts: Accounts;
  readonly register: ShardRegister;
  readonly request: PromotionRequest;
  /** What this replica last heard of its leader, as a sentence; null when it never heard of one. */
  readonly leaderNews: string | null;
  /** The epoch with which this node leads at the moment; null when it does not. */
  readonly ledEpoch: () => number | null;
  /** Leads although writes may be lost: one swap that names this node alone. The refusal says why it came to nothing. */
  readonly takeAlone: (known: KnownDocument, done: (refusal: string | null) => void) => void;
  /** Called once. */
  readonly done: (report: PromotionReport | KvError) => void;
}

/** How a member that was told to lead gets there: by itself alone, whatever it may lack because of its `fault`. */
type Way = "handover" | "own accord" | { readonly fault: string };

const GATHER_MS = 1000;
const HANDOVER_MS = 5000;
/** Besides the promise that it still has to keep. */
const CANDIDACY_MS = 5000;
const LOOK_MS = 20;
const ID_COUNT = 2 ** 31;

/**
 * The operator's word that this node shall lead, in a shard with a coordinator (`kv promote`, `kv handover`).
 *
 * A member of the in-sync set is given the leadership by the present leader, or takes it over by itself when that leader is gone:
 * nothing acknowledged is lost either way. A member outside the set leads only with `acceptDataLoss`, and only when the leader does
 * not answer; the document then says that writes may be lost (`lineage`), so that the others take new copies (rule P2).
 */
export class CoordinatedPromotion {
  readonly #parts: CoordinatedPromotionParts;
  readonly #findings: string[] = [];
  readonly #id: number;
  #timer: Timer | null = null;
  #known: KnownDocument | null = null;
  #isEnded = false;
  #missingEntries = 0;
  #ledAlready = false;

  constructor(parts: CoordinatedPromotionParts) {
    this.#parts = parts;
    this.#id = Math.floor(parts.env.random.next() * ID_COUNT);
  }

  start(): void {
    const { accounts, env, register } = this.#parts;
    accounts.ask();
    const startMs = env.clock.nowMs();
    let reading: RegisterReading | null = null;
    register.read((found) => (reading = found));
    const look = (): void => {
      const isOver = env.clock.nowMs() - startMs >= GATHER_MS;
      if ((accounts.haveAllAnswered && reading !== null) || isOver) return this.#judge(reading);
      accounts.askAgain();
      this.#timer = env.timers.after(LOOK_MS, look);
    };
    this.#timer = env.timers.after(LOOK_MS, look);
  }

  onHandedOver(from: NodeName, { id, refusal }: HandedOver): void {
    if (id === this.#id && refusal !== null) this.#finish(`${from} did not hand over: ${refusal}`);
  }

  giveUp(reason: string): void {
    this.#finish(reason);
  }

  #judge(reading: RegisterReading | null): void {
    const { accounts, request, config } = this.#parts;
    if (this.#isEnded) return;
    if (reading === null) return this.#finish("The coordinator does not answer");
    if (reading.kind === "failed") return this.#finish(reading.reason);
    if (reading.kind === "absent") {
      return this.#finish(`The coordinator knows nothing of shard ${config.shard.name} (kv init)`);
    }
    this.#known = reading.known;
    const { document } = reading.known;
    const answered = accounts.answered();
    this.#tellWhatIs(document, answered);
    if (this.#parts.ledEpoch() !== null) return this.#leaveAsItIs();
    const way = this.#wayFor(document, answered);
    if (typeof way === "object" && "refusal" in way) return this.#finish(way.refusal);
    if (typeof way === "object") this.#findings.push(`${way.fault}: acknowledged writes that it lacks are given up`);
    if (request.dryRun) return this.#finish(null);
    if (typeof way === "object") return this.#takeAlone(reading.known);
    if (way === "handover") this.#parts.link.send(document.leader.node, "HAND_OVER", { id: this.#id });
    this.#awaitLeadership(way === "handover" ? HANDOVER_MS : CANDIDACY_MS + this.#graceMs);
  }

  #tellWhatIs({ leader, inSync, epoch }: ShardDocument, answered: readonly State[]): void {
    const { accounts, leaderNews, store, config } = this.#parts;
    const names = inSync.map(({ node }) => node).join(", ");
    this.#findings.push(`${leader.node} leads epoch ${epoch} by the coordinator's word; in sync are ${names}`);
    for (const node of accounts.silent()) this.#findings.push(`${node} does not answer`);
    if (leaderNews !== null) this.#findings.push(leaderNews);
    for (const { store: other, lastEpoch, lastSequence } of answered) {
      const ahead = lastSequence - store.lastSequence;
      this.#findings.push(`The log of ${other.node} ends with entry ${lastSequence} of epoch ${lastEpoch}`);
      this.#missingEntries = Math.max(this.#missingEntries, ahead);
    }
    this.#findings.push(
      `The log of ${config.node} ends with entry ${store.lastSequence} of epoch ${store.lastEpoch.epoch}`,
    );
  }

  #wayFor(document: ShardDocument, answered: readonly State[]): Way | { readonly refusal: string } {
    const { env, config, request } = this.#parts;
    const { state } = env.stateFile;
    const { node } = config;
    const { leader } = document;
    const leads = answered.some(({ role, store }) => role === "leader" && isSameStore(leader, store));
    const isListed = document.inSync.some((member) => isSameStore(member, state.store));
    const unfit = isListed
      ? missingWitness(state, document, this.#parts.accounts)
      : `${node} is not in the in-sync set`;
    const fault = state.damage ?? unfit;
    if (state.bootstrap !== null) {
      const why = state.damage ?? `${node} is still copying its data`;
      return { refusal: `${why}: it is not complete, and cannot lead before it has copied another member's data` };
    }
    if (fault === null) {
      if (leads) return "handover";
      const advice = `${leader.node} does not lead at the moment: there is nothing to hand over (kv promote)`;
      return request.isHandover ? { refusal: advice } : "own accord";
    }
    if (request.isHandover || !request.acceptDataLoss) {
      return {
        refusal: `${fault}; it may lack acknowledged writes${request.isHandover ? "" : " (--accept-data-loss)"}`,
      };
    }
    if (leads) return { refusal: `${leader.node} leads and answers: nothing has to be given up` };
    return this.#fullerThan(answered) ?? { fault };
  }

  /** Nobody has to give up what somebody else still has, and can lead with. */
  #fullerThan(answered: readonly State[]): { readonly refusal: string } | null {
    const { store, config } = this.#parts;
    const own = logEndOf(store);
    const fuller = answered.find((account) => account.complete && isLonger(account, own));
    if (fuller === undefined) return null;
    const ends = `with entry ${fuller.lastSequence} of epoch ${fuller.lastEpoch}`;
    const ownEnd = `with entry ${own.lastSequence} of epoch ${own.lastEpoch}`;
    return {
      refusal:
        `${fuller.store.node} answers, and its log ends ${ends}, that of ${config.node} ${ownEnd}: ` +
        `promote ${fuller.store.node} instead, or stop it if its data are to be given up`,
    };
  }

  #takeAlone(known: KnownDocument): void {
    this.#parts.takeAlone(known, (refusal) => {
      if (refusal === null) this.#awaitLeadership(CANDIDACY_MS);
      else this.#finish(refusal);
    });
  }

  #awaitLeadership(durationMs: number): void {
    const { env, config } = this.#parts;
    const untilMs = env.clock.nowMs() + durationMs;
    const look = (): void => {
      if (this.#isEnded) return;
      if (this.#parts.ledEpoch() !== null) return this.#succeed();
      if (env.clock.nowMs() < untilMs) this.#timer = env.timers.after(LOOK_MS, look);
      else this.#finish(`${config.node} does not lead yet; it may still: see kv status`);
    };
    look();
  }

  /** What is asked for is so already. */
  #leaveAsItIs(): void {
    const { config, request } = this.#parts;
    const change = request.dryRun ? "would change nothing" : "changed nothing";
    this.#findings.push(`${config.node} leads already: the promotion ${change}`);
    this.#ledAlready = true;
    this.#finish(null, !request.dryRun);
  }

  #succeed(): void {
    const { config } = this.#parts;
    const epoch = this.#parts.ledEpoch();
    this.#findings.push(`${config.node} leads shard ${config.shard.name} with epoch ${epoch ?? 0}`);
    this.#finish(null, true);
  }

  get #graceMs(): number {
    return this.#parts.env.coordination?.graceMs ?? 0;
  }

  #finish(refusal: string | null, isDone = false): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#timer?.cancel();
    const { request, config, ledEpoch } = this.#parts;
    this.#parts.done({
      shard: config.shard.name,
      node: request.node,
      done: isDone,
      ledAlready: this.#ledAlready,
      findings: this.#findings,
      refusal,
      epoch: ledEpoch() ?? this.#known?.document.epoch ?? 0,
      missingEntries: this.#missingEntries,
    });
  }
}
