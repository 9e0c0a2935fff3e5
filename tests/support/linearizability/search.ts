import { ConfigurationCache } from "./configuration-cache.ts";
import { EventList } from "./event-list.ts";
import type { CertainOperation, KeyHistory, UncertainClass } from "./key-history.ts";
import type { RegisterState } from "./register-model.ts";
import { EMPTY, stateKey, stepAnswered, stepUnanswered } from "./register-model.ts";

export type SearchVerdict =
  | { readonly kind: "linearizable" }
  /** `placed` is the longest order found (ids); `blockedBy` the operations none of which could come next. */
  | { readonly kind: "violation"; readonly placed: readonly number[]; readonly blockedBy: readonly number[] }
  | { readonly kind: "timedOut"; readonly steps: number };

export interface SearchOptions {
  readonly initial?: RegisterState;
  /** Model steps after which the search gives up; that is a failure of the run, not a pass. */
  readonly stepsMax?: number;
}

/** A choice made: an answered operation, or a member of a class of unanswered ones. */
interface Frame {
  readonly choice: Choice;
  readonly before: RegisterState;
  /** True when no other choice needs to be tried here. */
  readonly forced: boolean;
}

type Choice =
  | { readonly kind: "certain"; readonly index: number }
  | { readonly kind: "uncertain"; readonly index: number };

/**
 * Decides whether one key's history is linearizable: the search of Wing and Gong with Lowe's linked list and cache of
 * configurations ("Testing for linearizability", 2017), for the register of register-model.ts.
 *
 * Two additions keep histories with many unanswered operations cheap. Interchangeable unanswered operations are counted, not told
 * apart; they are tried last. An operation that is legal and changes nothing is placed at once and never reconsidered: whatever
 * order completes the history without it there also completes it with it there.
 */
export function searchLinearization(history: KeyHistory, options: SearchOptions = {}): SearchVerdict {
  return new LinearizationSearch(history, options.initial ?? EMPTY).run(options.stepsMax ?? 20_000_000);
}

class LinearizationSearch {
  readonly #operations: readonly CertainOperation[];
  readonly #classes: readonly UncertainClass[];
  readonly #events: EventList;
  readonly #cache = new ConfigurationCache();
  readonly #stateNumbers: Map<string, number> = new Map();
  readonly #frames: Frame[] = [];
  /** Placed bits, then one counter a class, then the state's number. */
  readonly #configuration: Uint32Array;
  readonly #bitWords: number;
  #state: RegisterState;
  #remaining: number;
  #steps = 0;
  #longest: number[] = [];
  #blockedBy: number[] = [];

  constructor(history: KeyHistory, initial: RegisterState) {
    this.#operations = history.certain;
    this.#classes = history.uncertain;
    this.#events = new EventList(history.certain);
    this.#bitWords = Math.ceil(history.certain.length / 32);
    this.#configuration = new Uint32Array(this.#bitWords + history.uncertain.length + 1);
    this.#state = initial;
    this.#remaining = history.certain.length;
  }

  run(stepsMax: number): SearchVerdict {
    let after: Choice | undefined;
    while (this.#remaining > 0) {
      if (this.#steps > stepsMax) return { kind: "timedOut", steps: this.#steps };
      if (after === undefined && this.#placeOneThatChangesNothing()) continue;
      if (this.#placeNext(after)) {
        after = undefined;
        continue;
      }
      if (after === undefined) this.#noteDeadEnd();
      after = this.#backtrack();
      if (after === undefined) return { kind: "violation", placed: this.#longest, blockedBy: this.#blockedBy };
    }
    return { kind: "linearizable" };
  }

  /** Places the first operation that could come now and leaves the state as it is. */
  #placeOneThatChangesNothing(): boolean {
    for (
      let node = this.#events.first;
      node !== -1 && this.#events.isReturn[node] === 0;
      node = this.#events.next(node)
    ) {
      const index = this.#events.operationOf[node] ?? 0;
      if (this.#step(index) !== this.#state) continue;
      this.#place({ kind: "certain", index }, { after: this.#state, forced: true });
      return true;
    }
    return false;
  }

  /** Places the first untried choice behind `after` that is legal and leads to a new configuration. */
  #placeNext(after: Choice | undefined): boolean {
    return this.#placeNextCertain(after) || this.#placeNextUncertain(after?.kind === "uncertain" ? after.index + 1 : 0);
  }

  #placeNextCertain(after: Choice | undefined): boolean {
    if (after?.kind === "uncertain") return false;
    let node = after === undefined ? this.#events.first : this.#events.next(this.#events.callOf(after.index));
    for (; node !== -1 && this.#events.isReturn[node] === 0; node = this.#events.next(node)) {
      const index = this.#events.operationOf[node] ?? 0;
      const next = this.#step(index);
      if (next !== undefined && this.#placeIfNew({ kind: "certain", index }, next)) return true;
    }
    return false;
  }

  #placeNextUncertain(from: number): boolean {
    const deadline = this.#firstReturnTime();
    for (let index = from; index < this.#classes.length; index++) {
      const group = this.#classes[index];
      const call = group?.calls[this.#configuration[this.#bitWords + index] ?? 0];
      if (group === undefined || call === undefined || call > deadline) continue;
      this.#steps++;
      const next = stepUnanswered(this.#state, group.operation, group.storedValue);
      if (next !== this.#state && this.#placeIfNew({ kind: "uncertain", index }, next)) return true;
    }
    return false;
  }

  #step(index: number): RegisterState | undefined {
    this.#steps++;
    const operation = this.#operations[index];
    return operation === undefined ? undefined : stepAnswered(this.#state, operation.operation, operation.result);
  }

  #placeIfNew(choice: Choice, next: RegisterState): boolean {
    this.#mark(choice, 1);
    this.#configuration[this.#configuration.length - 1] = this.#numberOf(next);
    const isNew = this.#cache.add(this.#configuration);
    this.#mark(choice, -1);
    if (isNew) this.#place(choice, { after: next, forced: false });
    return isNew;
  }

  #place(choice: Choice, { after, forced }: { after: RegisterState; forced: boolean }): void {
    this.#mark(choice, 1);
    if (choice.kind === "certain") {
      this.#events.lift(choice.index);
      this.#remaining--;
    }
    this.#frames.push({ choice, before: this.#state, forced });
    this.#state = after;
  }

  /** Takes back choices up to the last one with alternatives; returns it, or undefined when there is none. */
  #backtrack(): Choice | undefined {
    for (;;) {
      const frame = this.#frames.pop();
      if (frame === undefined) return undefined;
      this.#mark(frame.choice, -1);
      if (frame.choice.kind === "certain") {
        this.#events.restore(frame.choice.index);
        this.#remaining++;
      }
      this.#state = frame.before;
      if (!frame.forced) return frame.choice;
    }
  }

  #mark(choice: Choice, direction: 1 | -1): void {
    if (choice.kind === "uncertain") {
      const word = this.#bitWords + choice.index;
      this.#configuration[word] = (this.#configuration[word] ?? 0) + direction;
    } else {
      const word = choice.index >>> 5;
      this.#configuration[word] = (this.#configuration[word] ?? 0) ^ (1 << (choice.index & 31));
    }
  }

  #firstReturnTime(): number {
    let node = this.#events.first;
    while (node !== -1 && this.#events.isReturn[node] === 0) node = this.#events.next(node);
    return node === -1 ? Infinity : (this.#events.time[node] ?? Infinity);
  }

  #numberOf(state: RegisterState): number {
    const key = stateKey(state);
    const known = this.#stateNumbers.get(key);
    if (known !== undefined) return known;
    this.#stateNumbers.set(key, this.#stateNumbers.size);
    return this.#stateNumbers.size - 1;
  }

  #noteDeadEnd(): void {
    const placed = this.#operations.length - this.#remaining;
    if (placed <= this.#longest.length && this.#blockedBy.length > 0) return;
    const certain = this.#frames.filter((frame) => frame.choice.kind === "certain");
    this.#longest = certain.map((frame) => this.#operations[frame.choice.index]?.id ?? -1);
    this.#blockedBy = [];
    for (
      let node = this.#events.first;
      node !== -1 && this.#events.isReturn[node] === 0;
      node = this.#events.next(node)
    ) {
      this.#blockedBy.push(this.#operations[this.#events.operationOf[node] ?? 0]?.id ?? -1);
    }
  }
}
