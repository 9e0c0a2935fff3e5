import { isLonger } from "./member-account.ts";
import type { LogEnd, State } from "./messages.ts";
import { type ElectionParts, RollCall } from "./roll-call.ts";
import type { KnownDocument, NextDocument } from "./shard-register.ts";
import { missingWitness } from "./torn-end.ts";

export interface ReclaimParts extends ElectionParts {
  /** The document names this member, in a new epoch. */
  readonly onClaimed: (known: KnownDocument) => void;
  /** The document names another member, which has more of the log. */
  readonly onPassedOn: (known: KnownDocument) => void;
  /** It came to neither, and that is certain. */
  readonly onDropped: () => void;
}

/**
 * A leader that was started again asks for its next epoch (§2.9, Restart), unless an in-sync member has more of the log.
 *
 * What it finds at the end of its own log is what its disk has kept. Nothing acknowledged is missing there as long as the disk
 * keeps what it flushed; where a damaged end looks like one that was never written, another member still has it, and leads: such a
 * member (`tornEnd`) claims nothing before another one of the set has answered.
 * That member has promised to follow this one, and waits until its promise has run out, as after any promotion (rule L7).
 */
export class Reclaim {
  readonly #parts: ReclaimParts;
  readonly #rollCall: RollCall;
  #isEnded = false;

  constructor(parts: ReclaimParts) {
    this.#parts = parts;
    this.#rollCall = new RollCall(parts);
  }

  start(): void {
    this.#rollCall.start((alive) => this.#claim(alive));
  }

  /** The member stops, or has another duty: nobody is told anything any more. */
  end(): void {
    this.#isEnded = true;
    this.#rollCall.end();
  }

  #claim(alive: readonly State[]): void {
    const { env, register, logEnd, known, accounts } = this.#parts;
    const { document } = known;
    if (missingWitness(env.stateFile.state, document, accounts) !== null) return this.#parts.onDropped();
    const longest = alive.reduce<LogEnd & Partial<State>>((best, one) => (isLonger(one, best) ? one : best), logEnd);
    const leader = longest.store;
    const next: NextDocument = {
      ...document,
      epoch: document.epoch + 1,
      term: env.random.hex64(),
      ...(leader === undefined ? { cause: "restart" } : { leader, cause: "promote" }),
    };
    register.change(known, next, (outcome) => {
      if (this.#isEnded) return;
      if (outcome.kind !== "accepted") this.#parts.onDropped();
      else if (leader === undefined) this.#parts.onClaimed(outcome.known);
      else this.#parts.onPassedOn(outcome.known);
    });
  }
}
