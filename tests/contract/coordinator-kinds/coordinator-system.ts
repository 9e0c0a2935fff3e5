import type { Coordinator } from "../../../src/coordinator/coordinator.ts";

/** A client whose requests can be kept on their way. */
export interface HeldClient {
  readonly coordinator: Coordinator;
  /** From now on nothing of it arrives. */
  hold(): void;
  /** Lets arrive what was held, and waits until the coordinator has dealt with it; gives the number of requests. */
  release(): Promise<number>;
}

/** One running coordinator of some kind, for the contract suite. */
export interface CoordinatorSystem {
  connect(options?: { readonly deadlineMs?: number }): Coordinator;
  connectHeld(options: { readonly deadlineMs: number }): Promise<HeldClient>;
  /** Makes one call and waits for its answer. Fails when the answer comes within the call, or twice. */
  ask<Result>(start: (done: (result: Result) => void) => void): Promise<Result>;
  wait(ms: number): Promise<void>;
  nowMs(): number;
  /** Ends the coordinator at once, as `kill -9` does. */
  kill(): Promise<void>;
  /** Starts it again, with what it had. */
  restart(): Promise<void>;
  dispose(): Promise<void>;
}

/** Answers that came within their call, or a second time. */
export class CallRules {
  readonly #faults: string[] = [];

  /** Wraps one call; `settle` gets its first answer. */
  watch<Result>(start: (done: (result: Result) => void) => void, settle: (result: Result) => void): void {
    let isWithinCall = true;
    let count = 0;
    start((result) => {
      if (isWithinCall) this.#faults.push(`answered within the call: ${JSON.stringify(result)}`);
      if (++count > 1) this.#faults.push(`answered ${count} times: ${JSON.stringify(result)}`);
      settle(result);
    });
    isWithinCall = false;
  }

  check(): void {
    if (this.#faults.length > 0) throw new Error(this.#faults.join("\n"));
  }
}
