import type { Timer } from "../base/clock.ts";
import { mutant } from "../base/mutants.ts";
import { isSameStore } from "../model/leadership.ts";
import type { StoreRef } from "../model/position.ts";
import { isLonger } from "./member-account.ts";
import type { State } from "./messages.ts";
import { type ElectionParts, isWhole, RollCall } from "./roll-call.ts";
import type { ChangeOutcome, KnownDocument, NextDocument } from "./shard-register.ts";
import { missingWitness } from "./torn-end.ts";

/** `known` names this member's store in the set, and another one as the leader. */
export interface CandidacyParts extends ElectionParts {
  /** Whether the old leader may have acknowledged writes that this member lacks (rule K4, `async`). */
  readonly mayLose: boolean;
  /** The document names this member; perhaps it has led already for a moment in the coordinator's eyes. */
  readonly onElected: (known: KnownDocument) => void;
  /** It did not come to it, and that is certain; the sentence says why. */
  readonly onDropped: (reason: string) => void;
}

/** Candidates with equal logs do not all try at once. */
const DELAY_MS_MAX = 100;

/**
 * A replica's attempt to take the shard over (§2.9, Promotion), from the document just read to a certain outcome.
 *
 * The member must have stopped following: from here on it is silent towards the old leader, until it is certain what became of
 * its swap (rule L6).
 */
export class Candidacy {
  readonly #parts: CandidacyParts;
  readonly #rollCall: RollCall;
  #timer: Timer | null = null;
  #isEnded = false;

  constructor(parts: CandidacyParts) {
    this.#parts = parts;
    this.#rollCall = new RollCall(parts);
  }

  /** Asks who is alive: those are in the new set from the start, and nobody has to wait for the others (step 3). */
  start(): void {
    this.#rollCall.start((alive) => {
      this.#timer = this.#parts.env.timers.after(this.#delayMs(alive), () => this.#claim(alive));
    });
  }

  /** The member stops, or has another duty: nobody is told anything any more. */
  end(): void {
    this.#isEnded = true;
    this.#rollCall.end();
    this.#timer?.cancel();
  }

  get #own(): StoreRef {
    return this.#parts.env.stateFile.state.store;
  }

  /** Whoever has the longest log tries first: fewer writes whose outcome is unknown are lost. Not needed for safety. */
  #delayMs(alive: readonly State[]): number {
    const { logEnd, env } = this.#parts;
    const isLongest = alive.every((account) => !isLonger(account, logEnd));
    return DELAY_MS_MAX * (isLongest ? env.random.next() / 2 : 0.5 + env.random.next() / 2);
  }

  #claim(alive: readonly State[]): void {
    const { known, mayLose, env, accounts, logEnd } = this.#parts;
    const { document } = known;
    const missing = missingWitness(env.stateFile.state, document, accounts);
    if (missing !== null) return this.#drop(missing);
    const longer = alive.find((account) => isLonger(account, logEnd));
    if (env.stateFile.state.tornEnd && longer !== undefined) {
      return this.#drop(`The end of this log was cut off, and ${longer.store.node} has more of it`);
    }
    const own = this.#own;
    const others = document.inSync.filter((member) => alive.some((account) => isWhole(account, member)));
    const next: NextDocument = {
      ...document,
      epoch: document.epoch + 1,
      term: env.random.hex64(),
      leader: own,
      inSync: [own, ...others],
      // Members that have such writes must not take their absence for damage (rule P2).
      lineage: document.lineage + (mayLose ? 1 : 0),
      cause: "promote",
    };
    this.#parts.register.change(known, next, (outcome) => this.#onOutcome(outcome));
  }

  #onOutcome(outcome: ChangeOutcome): void {
    if (this.#isEnded) return;
    if (outcome.kind === "accepted") this.#parts.onElected(outcome.known);
    else this.#drop(outcome.kind === "failed" ? outcome.reason : "Another change of the document was first");
  }

  #drop(reason: string): void {
    this.end();
    this.#parts.onDropped(reason);
  }
}

/** Whether `member` of a set is the store `own`: under its present name, not under a name that another store had (D7, M35). */
export function isElectable(member: StoreRef, own: StoreRef): boolean {
  return mutant("M35") ? member.node === own.node : isSameStore(member, own);
}
