import type { Clock } from "../base/clock.ts";
import type { NodeName } from "../model/position.ts";
import type { MemberLink } from "./member-link.ts";
import type { State } from "./messages.ts";

/**
 * What the other members of the shard say of themselves (rules T3, T4).
 *
 * Owns the answers of the present round, which `ask` starts; those to older rounds, or to somebody else on this node, say
 * nothing about it.
 */
export class Accounts {
  readonly #clock: Clock;
  readonly #link: MemberLink;
  readonly #others: readonly NodeName[];
  readonly #accounts = new Map<NodeName, State>();
  #round = 0;
  askedMs: number = Number.NEGATIVE_INFINITY;

  constructor(parts: { readonly clock: Clock; readonly link: MemberLink; readonly others: readonly NodeName[] }) {
    this.#clock = parts.clock;
    this.#link = parts.link;
    this.#others = parts.others;
  }

  /** Starts a new round: everybody is asked. */
  ask(): void {
    this.#round++;
    this.#accounts.clear();
    this.askAgain();
  }

  /** Asks those who have not answered in this round. */
  askAgain(): void {
    this.askedMs = this.#clock.nowMs();
    for (const node of this.silent()) this.#link.send(node, "STATE_QUERY", { id: this.#round });
  }

  onState(from: NodeName, state: State): void {
    // Others of this node ask the same question with numbers of their own: their answers do not take the place of ours.
    if (this.#others.includes(from) && state.id === this.#round) this.#accounts.set(from, state);
  }

  /** Those who answered in this round, log recovered. */
  answered(): State[] {
    return this.#others.flatMap((node) => {
      const state = this.#accounts.get(node);
      return state?.recovered === true ? [state] : [];
    });
  }

  /** Those who did not (yet). */
  silent(): NodeName[] {
    return this.#others.filter((node) => this.#accounts.get(node)?.recovered !== true);
  }

  get haveAllAnswered(): boolean {
    return this.silent().length === 0;
  }
}
