import { assert } from "../../../src/base/assert.ts";
import type { HistoryOperation, Outcome, RegisterOperation, RegisterResult } from "./history.ts";

interface OpenCall {
  readonly client: number;
  readonly key: string;
  readonly operation: RegisterOperation;
  readonly call: number;
  readonly calledAtMs: number;
  readonly request?: number;
}

/** When something was called whose operations are only known from its answer. */
export interface CallTime {
  readonly call: number;
  readonly calledAtMs: number;
}

/**
 * Owns the history of one run: clients announce each call and each answer, in the order in which these happen.
 *
 * Invariant: every call ends up in the history exactly once; calls still open at the end count as unknown.
 * Announcing the end of a call twice is a defect of the test and throws.
 */
export class HistoryRecorder {
  readonly #nowMs: () => number;
  readonly #open: Map<number, OpenCall> = new Map();
  readonly #finished: HistoryOperation[] = [];
  #logicalTime = 0;
  #nextId = 1;

  /** `nowMs` is only shown in failure reports; the order of the calls to this object is what is checked. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Notes that `client` sends `operation` now, perhaps as part of a larger `request`; returns the id to end it with. */
  invoke(client: number, key: string, operation: RegisterOperation, request?: number): number {
    const id = this.#nextId++;
    const part = request === undefined ? {} : { request };
    this.#open.set(id, { client, key, operation, call: ++this.#logicalTime, calledAtMs: this.#nowMs(), ...part });
    return id;
  }

  /** Notes that something is called now that will turn out to be many reads, such as a scan. */
  noteCall(): CallTime {
    return { call: ++this.#logicalTime, calledAtMs: this.#nowMs() };
  }

  /** Notes a read that was called at `at` and is answered now. */
  completeRead(client: number, key: string, at: CallTime, result: RegisterResult): void {
    const id = this.#nextId++;
    const outcome: Outcome = { kind: "ok", result };
    const ret = ++this.#logicalTime;
    const endedAtMs = this.#nowMs();
    this.#finished.push({ ...at, id, client, key, operation: { kind: "get" }, outcome, ret, endedAtMs });
  }

  /** Notes that the call `id` has ended now with `outcome`. */
  complete(id: number, outcome: Outcome): void {
    const open = this.#open.get(id);
    assert(open !== undefined, `call ${id} is open when it ends`);
    this.#open.delete(id);
    const ret = outcome.kind === "ok" ? ++this.#logicalTime : Infinity;
    this.#finished.push({ ...open, id, outcome, ret, endedAtMs: this.#nowMs() });
  }

  /** How many calls have ended so far. */
  get finishedCount(): number {
    return this.#finished.length;
  }

  /** All calls so far, by time of call; those still open are unknown. */
  history(): HistoryOperation[] {
    const open = [...this.#open].map(([id, call]): HistoryOperation => ({
      ...call,
      id,
      outcome: { kind: "unknown" },
      ret: Infinity,
      endedAtMs: Infinity,
    }));
    return [...this.#finished, ...open].sort((a, b) => a.call - b.call);
  }
}
