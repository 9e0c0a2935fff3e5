import type { Logger } from "../base/logger.ts";
import type { NodeName } from "../model/position.ts";
import type { Refused } from "./messages.ts";

/**
 * Why a leader gave a replica nothing when it was asked last.
 *
 * The same is asked for again, and refused again, until somebody does something about it: so it is logged once, and shown as
 * long as it lasts.
 */
export class LeaderRefusal {
  readonly #logger: Logger;
  readonly #leader: NodeName;
  #reason: string | null = null;

  constructor(logger: Logger, leader: NodeName) {
    this.#logger = logger;
    this.#leader = leader;
  }

  /** A sentence; null when the leader gave what was asked for. */
  get reason(): string | null {
    return this.#reason;
  }

  note({ code, reason }: Refused): void {
    if (reason === this.#reason) return;
    this.#reason = reason;
    this.#logger.warn("The leader refuses this member", { leader: this.#leader, code, reason });
  }

  clear(): void {
    this.#reason = null;
  }
}
