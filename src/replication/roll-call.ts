import type { Timer } from "../base/clock.ts";
import { type InSyncMember, isSameStore } from "../model/leadership.ts";
import type { Accounts } from "./accounts.ts";
import type { MemberEnvironment } from "./member-environment.ts";
import type { LogEnd, State } from "./messages.ts";
import type { KnownDocument, ShardRegister } from "./shard-register.ts";

/** What a member goes by that asks the coordinator for a leadership. */
export interface ElectionParts {
  readonly env: MemberEnvironment;
  readonly register: ShardRegister;
  readonly accounts: Accounts;
  /** Where the member's own log ends. */
  readonly logEnd: LogEnd;
  /** The document just read: it names this member's store, as the leader or in the set. */
  readonly known: KnownDocument;
}

/** How long the others have to say that they are alive. */
const GATHER_MS = 200;
const GATHER_STEP_MS = 20;

/** Asks the other in-sync members for their accounts, once, until all have answered or the time for it is over. */
export class RollCall {
  readonly #env: MemberEnvironment;
  readonly #accounts: Accounts;
  readonly #wanted: readonly InSyncMember[];
  #timer: Timer | null = null;

  constructor({ env, accounts, known }: ElectionParts) {
    this.#env = env;
    this.#accounts = accounts;
    this.#wanted = known.document.inSync.filter(({ node }) => node !== env.stateFile.state.store.node);
  }

  /** `done` is told, perhaps before this returns, who of them has answered with the very store that the set names, whole. */
  start(done: (alive: readonly State[]) => void): void {
    const { clock, timers } = this.#env;
    const startMs = clock.nowMs();
    this.#accounts.ask();
    const look = (): void => {
      const alive = this.#accounts.answered().filter((account) => this.#wanted.some((one) => isWhole(account, one)));
      const isOver = alive.length === this.#wanted.length || clock.nowMs() - startMs >= GATHER_MS;
      if (isOver) return done(alive);
      this.#accounts.askAgain();
      this.#timer = timers.after(GATHER_STEP_MS, look);
    };
    look();
  }

  end(): void {
    this.#timer?.cancel();
  }
}

/** Whether the member that gave this account has the very store that the set names, whole. */
export function isWhole(account: State, member: InSyncMember): boolean {
  return account.complete && isSameStore(member, account.store);
}
