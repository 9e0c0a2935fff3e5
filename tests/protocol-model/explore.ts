import type { Action } from "./action.ts";
import { clockActions } from "./clock-actions.ts";
import { coordinatorActions } from "./coordinator-actions.ts";
import { faultActions } from "./fault-actions.ts";
import { brokenInvariant } from "./invariants.ts";
import type { MutantId } from "./mutants.ts";
import { plantedActions } from "./planted-actions.ts";
import type { Profile } from "./profiles.ts";
import { replicationActions } from "./replication-actions.ts";
import { StateCodec } from "./state-codec.ts";
import { StateSet } from "./state-set.ts";
import { World } from "./world.ts";

export interface Exploration {
  readonly states: number;
  readonly depth: number;
  /** Whether every state within the bounds was visited. */
  readonly isExhausted: boolean;
  readonly violation: string | undefined;
  /** What leads from the first state to the violation, by the shortest way. */
  readonly trace: readonly Action[];
  /** How often each kind of step led to a new state. */
  readonly steps: ReadonlyMap<string, number>;
}

export function actionsOf(profile: Profile, isPlanted: boolean): Action[] {
  const { nodes } = profile;
  return [
    ...replicationActions(nodes),
    ...coordinatorActions(nodes),
    ...faultActions(nodes),
    ...(profile.clock ? clockActions(nodes) : []),
    ...(isPlanted ? plantedActions(nodes) : []),
  ];
}

/**
 * Visits every state that the profile's actions can reach, breadth first, until one breaks an invariant, `statesMax` are found
 * or none is left. Only the states of the present depth and the next are kept; the others live on as hashes.
 */
export function explore(profile: Profile, options: { statesMax: number; mutant?: MutantId | undefined }): Exploration {
  return new Explorer(profile, options.mutant).run(options.statesMax);
}

class Explorer {
  readonly #world: World;
  readonly #codec: StateCodec;
  readonly #actions: readonly Action[];
  readonly #found = new StateSet();
  readonly #counts: number[];
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  #next: Frontier;
  #violation: string | undefined;
  #trace: readonly Action[] = [];

  constructor(profile: Profile, mutant: MutantId | undefined) {
    this.#world = new World(profile, mutant);
    this.#codec = new StateCodec(profile.nodes);
    this.#actions = actionsOf(profile, mutant !== undefined);
    this.#counts = this.#actions.map(() => 0);
    this.#words = new Uint32Array(this.#codec.byteLength / 4);
    this.#bytes = new Uint8Array(this.#words.buffer);
    this.#next = new Frontier(this.#codec.byteLength);
  }

  run(statesMax: number): Exploration {
    this.#codec.encode(this.#world.state, this.#bytes);
    this.#found.add(this.#words, -1, 0);
    this.#next.push(this.#bytes);
    let depth = 0;
    let first = 0;
    while (this.#next.count > 0 && this.#violation === undefined && this.#found.size < statesMax) {
      const present = this.#next;
      this.#next = new Frontier(this.#codec.byteLength);
      this.#expandAll(present, first, statesMax);
      first += present.count;
      if (this.#next.count > 0) depth += 1;
    }
    const isExhausted = this.#next.count === 0 && this.#violation === undefined && this.#found.size < statesMax;
    const { size: states } = this.#found;
    return { states, depth, isExhausted, violation: this.#violation, trace: this.#trace, steps: this.#steps() };
  }

  /** Runs every action on every state of one depth; the first of them has the number `first`. */
  #expandAll(present: Frontier, first: number, statesMax: number): void {
    const { state } = this.#world;
    for (let at = 0; at < present.count && this.#found.size < statesMax; at++) {
      this.#codec.decode(present.bytes, at * this.#codec.byteLength, state);
      for (const [index, action] of this.#actions.entries()) {
        if (!action.run(this.#world)) continue;
        this.#keep(first + at, index);
        if (this.#violation !== undefined) return;
        this.#codec.decode(present.bytes, at * this.#codec.byteLength, state);
      }
    }
  }

  #keep(parent: number, index: number): void {
    this.#codec.encode(this.#world.state, this.#bytes);
    const isNew = this.#found.add(this.#words, parent, index);
    if (!isNew && this.#world.violation === undefined) return;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#violation = this.#world.violation ?? brokenInvariant(this.#world);
    if (this.#violation === undefined) this.#next.push(this.#bytes);
    else this.#trace = [...this.#found.pathTo(parent), index].flatMap((one) => this.#actions[one] ?? []);
  }

  #steps(): Map<string, number> {
    const steps = new Map<string, number>();
    for (const [index, { kind }] of this.#actions.entries()) {
      steps.set(kind, (steps.get(kind) ?? 0) + (this.#counts[index] ?? 0));
    }
    return steps;
  }
}

/** The states of one depth, one behind the other. */
class Frontier {
  bytes: Uint8Array;
  count = 0;
  readonly #stateBytes: number;

  constructor(stateBytes: number) {
    this.#stateBytes = stateBytes;
    this.bytes = new Uint8Array(stateBytes * 1024);
  }

  push(state: Uint8Array): void {
    const end = this.count * this.#stateBytes;
    if (end + this.#stateBytes > this.bytes.length) {
      const larger = new Uint8Array(this.bytes.length * 2);
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.bytes.set(state, end);
    this.count += 1;
  }
}
