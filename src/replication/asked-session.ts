import type { Clock } from "../base/clock.ts";
import type { Welcome } from "./messages.ts";

/**
 * The session that a replica has with its leader, or has asked it for.
 *
 * A greeting without an answer is said again with the same number: the answer may only be late. Once a session is over, the next
 * greeting has a higher one, so that the answer to an earlier greeting is known as such.
 */
export class AskedSession {
  readonly #clock: Clock;
  /** Higher than any before in this process. */
  readonly #nextGreeting: () => number;
  /** 0: none is asked for. */
  #greeting = 0;
  #askedMs = Number.NEGATIVE_INFINITY;
  /** As the leader named it; empty before it has. */
  sid = "";

  constructor(clock: Clock, nextGreeting: () => number) {
    this.#clock = clock;
    this.#nextGreeting = nextGreeting;
  }

  /** Milliseconds since it was asked for last. */
  get askedForMs(): number {
    return this.#clock.nowMs() - this.#askedMs;
  }

  /** The number of the greeting that is to be sent now. */
  ask(): number {
    this.#askedMs = this.#clock.nowMs();
    if (this.#greeting === 0) this.#greeting = this.#nextGreeting();
    return this.#greeting;
  }

  /** Whether this is the answer to the last greeting. */
  isAnswer({ greeting }: Welcome): boolean {
    return greeting === this.#greeting;
  }

  end(): void {
    this.sid = "";
    this.#greeting = 0;
  }
}
