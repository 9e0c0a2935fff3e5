import type { Timer } from "../../../src/base/clock.ts";
import type { SeededRandom } from "../../../src/base/random.ts";
import { keyFault, prefixFault, swapFault } from "../../../src/coordinator/call-checks.ts";
import {
  type Coordinator,
  DEADLINE_MS_DEFAULT,
  type ListResult,
  NO_REVISION,
  type ReadResult,
  type StoredDocument,
  type Swap,
  type SwapResult,
  type Watch,
} from "../../../src/coordinator/coordinator.ts";
import type { SimProcess } from "./sim-process.ts";
import type { Simulation } from "./simulation.ts";

/** What may happen to requests, answers and hints on their way. Chances from 0 to 1. */
export interface CoordinatorFaults {
  /** A way takes half to three halves of this. */
  readonly latencyMs: number;
  readonly lostRequestChance: number;
  readonly lostReplyChance: number;
  /** A request arrives after its caller may have given up. */
  readonly lateRequestChance: number;
  /** The same of swaps, besides. */
  readonly lateSwapChance: number;
  readonly lateRequestMsMax: number;
  readonly lostHintChance: number;
  readonly doubledHintChance: number;
  readonly hintLagMsMax: number;
}

export const CALM_COORDINATOR: CoordinatorFaults = {
  latencyMs: 1,
  lostRequestChance: 0,
  lostReplyChance: 0,
  lateRequestChance: 0,
  lateSwapChance: 0,
  lateRequestMsMax: 0,
  lostHintChance: 0,
  doubledHintChance: 0,
  hintLagMsMax: 0,
};

/** `refusing`: nothing listens, and callers learn that at once. `silent`: what arrives is gone. */
export type CoordinatorState = "up" | "refusing" | "silent";

/** What a backup of the coordinator holds. */
export interface CoordinatorBackup {
  readonly revision: number;
  readonly documents: ReadonlyMap<string, StoredDocument>;
}

interface Route {
  /** Neither requests nor answers get through, or only answers do not. */
  cut: "none" | "both" | "replies";
  /** Requests that wait on their way; null when they do not wait. */
  held: (() => void)[] | null;
  /** Requests that have not arrived yet, those that wait included. */
  underWayCount: number;
}

/** What one client needs of the world outside its process. */
interface ClientEnd {
  readonly process: SimProcess;
  readonly route: Route;
  readonly deadlineMs: number;
}

interface TravelParts<Result> {
  readonly isSwap: boolean;
  readonly serve: () => Result;
  readonly ending: Ending<Result>;
  readonly done: (result: Result) => void;
}

/** How a call ends that nobody answered. */
interface Ending<Result> {
  readonly unanswered: (reason: string) => Result;
  readonly unsent: (reason: string) => Result;
}

/**
 * The coordinator of a simulated cluster: one linearizable register for all keys, behind a network that loses answers and delivers
 * requests long after their callers gave up.
 *
 * Owns the documents and the ways to them. A request takes effect at one instant, when it arrives. It outlives all processes; with
 * `setState` it goes away for a time and comes back with everything, with `restore` it comes back with less.
 */
export class SimCoordinator {
  readonly #simulation: Simulation;
  #faults: CoordinatorFaults;
  readonly #random: SeededRandom;
  readonly #routes = new Map<string, Route>();
  readonly #watchers = new Set<{ readonly key: string; readonly process: SimProcess; readonly onChange: () => void }>();
  #documents: ReadonlyMap<string, StoredDocument> = new Map();
  #revision = 0;
  #state: CoordinatorState = "up";

  constructor(simulation: Simulation, faults: CoordinatorFaults = CALM_COORDINATOR) {
    this.#simulation = simulation;
    this.#faults = faults;
    this.#random = simulation.randomFor("coordinator");
  }

  /** The coordinator as one process sees it. */
  connect(process: SimProcess, deadlineMs: number = DEADLINE_MS_DEFAULT): Coordinator {
    return new SimClient(this, { process, deadlineMs, route: this.#routeOf(process.name) });
  }

  setState(state: CoordinatorState): void {
    this.#simulation.note("coordinator", state);
    this.#state = state;
  }

  /** Cuts or mends the way between the coordinator and the processes of this name. */
  cut(processName: string, what: Route["cut"]): void {
    this.#simulation.note("coordinator", `${processName} cut: ${what}`);
    this.#routeOf(processName).cut = what;
  }

  /** What is sent from now on arrives, soon; what is under way arrives as late as it was to. */
  calm(): void {
    this.#faults = CALM_COORDINATOR;
  }

  /** Keeps the requests of the processes of this name on their way, however long that takes. */
  hold(processName: string): void {
    this.#routeOf(processName).held ??= [];
  }

  /** Lets them arrive, in their order; returns how many. */
  release(processName: string): number {
    const route = this.#routeOf(processName);
    const held = route.held ?? [];
    route.held = null;
    for (const arrive of held) arrive();
    return held.length;
  }

  /** Whether a request of a process of this name may still arrive, also of one that is gone. */
  mayStillHear(processName: string): boolean {
    return this.#routeOf(processName).underWayCount > 0;
  }

  /** The document that is in force, for whoever checks the run. */
  documentOf(key: string): StoredDocument | undefined {
    return this.#documents.get(key);
  }

  backup(): CoordinatorBackup {
    return { revision: this.#revision, documents: this.#documents };
  }

  /** Goes back to a backup: revisions are given out again, which no protocol survives unnoticed (rule C5). */
  restore({ revision, documents }: CoordinatorBackup): void {
    this.#simulation.note("coordinator", `restored from a backup of revision ${revision}`);
    this.#revision = revision;
    this.#documents = documents;
  }

  /** Takes a request of `end` on its way; `serve` is called when it arrives, and its result goes back. */
  travel<Result>(end: ClientEnd, parts: TravelParts<Result>): void {
    const { process, route } = end;
    let isOver = false;
    const finish = (result: Result): void => {
      if (isOver) return;
      isOver = true;
      deadline.cancel();
      parts.done(result);
    };
    const deadline: Timer = process.after(end.deadlineMs, () => {
      finish(parts.ending.unanswered("The coordinator did not answer in time"));
    });
    const arrive = (): void => {
      route.underWayCount--;
      if (route.cut === "both" || this.#state === "silent") return;
      if (this.#state === "refusing") {
        this.#back(end, () => finish(parts.ending.unsent("The coordinator refused the connection")));
        return;
      }
      const result = parts.serve();
      if (isOver) this.#simulation.markers.sometimes("a request arrived at the coordinator after its caller gave up");
      if (route.cut === "replies" || this.#happens(this.#faults.lostReplyChance)) {
        this.#simulation.markers.sometimes("an answer of the coordinator was lost");
        return;
      }
      this.#back(end, () => finish(result));
    };
    if (this.#happens(this.#faults.lostRequestChance)) return;
    route.underWayCount++;
    const isLate =
      this.#happens(this.#faults.lateRequestChance) || (parts.isSwap && this.#happens(this.#faults.lateSwapChance));
    const extraMs = isLate ? this.#random.next() * this.#faults.lateRequestMsMax : 0;
    this.#simulation.schedule(this.#wayMs() + extraMs, `${process.name} to coordinator`, () => {
      if (route.held === null) arrive();
      else route.held.push(arrive);
    });
  }

  read(key: string): ReadResult {
    const document = this.#documents.get(key);
    if (document === undefined) return { kind: "absent" };
    return { kind: "value", value: document.value, revision: document.revision };
  }

  list(prefix: string): ListResult {
    const documents = [...this.#documents.values()].filter(({ key }) => key.startsWith(prefix));
    return { kind: "documents", documents: documents.sort((left, right) => (left.key < right.key ? -1 : 1)) };
  }

  swap(key: string, { expectedRevision, value }: Swap): SwapResult {
    const present = this.#documents.get(key)?.revision ?? NO_REVISION;
    if (present !== expectedRevision) return { kind: "refused" };
    const revision = String(++this.#revision);
    this.#documents = new Map(this.#documents).set(key, { key, value, revision });
    this.#simulation.note("coordinator", `${key} is ${value.slice(0, 200)} at ${revision}`);
    this.#tell(key);
    return { kind: "accepted", revision };
  }

  watch(process: SimProcess, key: string, onChange: () => void): Watch {
    const watcher = { key, process, onChange };
    this.#watchers.add(watcher);
    return { stop: () => void this.#watchers.delete(watcher) };
  }

  #tell(key: string): void {
    for (const watcher of this.#watchers) {
      if (!watcher.process.isAlive) this.#watchers.delete(watcher);
      if (watcher.key !== key || this.#happens(this.#faults.lostHintChance)) continue;
      const count = this.#happens(this.#faults.doubledHintChance) ? 2 : 1;
      for (let i = 0; i < count; i++) {
        const delayMs = this.#wayMs() + this.#random.next() * this.#faults.hintLagMsMax;
        const run = (): void => {
          if (this.#watchers.has(watcher)) watcher.onChange();
        };
        watcher.process.deliver({ phase: "network", delayMs, run });
      }
    }
  }

  #back({ process, route }: ClientEnd, run: () => void): void {
    if (route.cut !== "none") return;
    process.deliver({ phase: "network", delayMs: this.#wayMs(), run });
  }

  #routeOf(processName: string): Route {
    const known = this.#routes.get(processName);
    if (known !== undefined) return known;
    const route: Route = { cut: "none", held: null, underWayCount: 0 };
    this.#routes.set(processName, route);
    return route;
  }

  #wayMs(): number {
    return this.#faults.latencyMs * (0.5 + this.#random.next());
  }

  #happens(chance: number): boolean {
    return this.#random.next() < chance;
  }
}

/** One process's calls. Invariant: after `close`, and in a dead process, nothing is answered. */
class SimClient implements Coordinator {
  readonly #coordinator: SimCoordinator;
  readonly #end: ClientEnd;
  readonly #watches = new Set<Watch>();
  #isClosed = false;

  constructor(coordinator: SimCoordinator, end: ClientEnd) {
    this.#coordinator = coordinator;
    this.#end = end;
  }

  read(key: string, done: (result: ReadResult) => void): void {
    this.#ask(keyFault(key), { isSwap: false, serve: () => this.#coordinator.read(key), ending: QUERY, done });
  }

  compareAndSwap(key: string, swap: Swap, done: (result: SwapResult) => void): void {
    const serve = (): SwapResult => this.#coordinator.swap(key, swap);
    this.#ask(swapFault(key, swap), { isSwap: true, serve, ending: SWAP, done });
  }

  list(prefix: string, done: (result: ListResult) => void): void {
    this.#ask(prefixFault(prefix), { isSwap: false, serve: () => this.#coordinator.list(prefix), ending: QUERY, done });
  }

  watch(key: string, onChange: () => void): Watch {
    if (this.#isClosed || keyFault(key) !== null) return { stop: () => {} };
    const watch = this.#coordinator.watch(this.#end.process, key, onChange);
    this.#watches.add(watch);
    return watch;
  }

  close(): void {
    this.#isClosed = true;
    for (const watch of this.#watches) watch.stop();
  }

  #ask<Result>(fault: string | null, parts: TravelParts<Result>): void {
    if (this.#isClosed) return;
    const done = (result: Result): void => {
      if (!this.#isClosed) parts.done(result);
    };
    if (fault === null) this.#coordinator.travel(this.#end, { ...parts, done });
    else this.#end.process.soon(() => done(parts.ending.unsent(fault)));
  }
}

const failed = (reason: string): { readonly kind: "failed"; readonly reason: string } => ({ kind: "failed", reason });
const QUERY: Ending<{ readonly kind: "failed"; readonly reason: string }> = { unanswered: failed, unsent: failed };
const SWAP: Ending<SwapResult> = { unanswered: (reason) => ({ kind: "unknown", reason }), unsent: failed };
