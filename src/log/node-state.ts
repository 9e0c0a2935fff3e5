import type { InSyncMember, Leadership } from "../model/leadership.ts";
import { type EpochRef, NO_EPOCH, type StoreRef } from "../model/position.ts";

/** How far a copy of another member's rows has come (§2.12). */
export type CopyMark =
  | { readonly phase: "copying" }
  | { readonly phase: "replaying"; readonly mustReach: number; readonly lineage: number };

/** What a member must not forget. Immutable: replaced whole, flushed before it is acted upon. */
export interface NodeState {
  readonly store: StoreRef;
  /** Highest leadership ever acted on or heard of from a valid source (rule P1). */
  readonly seenEpoch: EpochRef;
  readonly leadership: Leadership | null;
  /** Null when the store is whole. */
  readonly bootstrap: CopyMark | null;
  /** Damage found in this store, as a sentence; it does not lead before it is repaired (rule S5). */
  readonly damage: string | null;
  /**
   * The newest batch of its log was cut off, and nobody has supplied since what it may have held: torn when power failed, or damaged
   * after it was confirmed. This store leads only once another in-sync member has said where its log ends.
   */
  readonly tornEnd: boolean;
  /** Two leaderships with equal numbers met, as a sentence (rule T2). */
  readonly conflict: string | null;
}

/** That of a store that has neither led nor followed. */
export function freshNodeState(store: StoreRef): NodeState {
  return {
    store,
    seenEpoch: NO_EPOCH,
    leadership: null,
    bootstrap: null,
    damage: null,
    tornEnd: false,
    conflict: null,
  };
}

/** The value is not what was expected; the message names the field. */
export class NodeStateError extends Error {
  override readonly name: string = "NodeStateError";
}

/** Reads a node's state from parsed JSON. Fields it does not know are ignored. Throws NodeStateError. */
export function decodeNodeState(value: unknown): NodeState {
  const from = new Fields(value, "state");
  return {
    store: decodeStore(from.object("store")),
    seenEpoch: decodeEpoch(from.object("seenEpoch")),
    leadership: from.orNull("leadership", decodeLeadership),
    bootstrap: from.orNull("bootstrap", decodeMark),
    damage: from.textOrNull("damage"),
    tornEnd: from.has("tornEnd") && from.truth("tornEnd"),
    conflict: from.textOrNull("conflict"),
  };
}

function decodeStore(from: Fields): StoreRef {
  return { node: from.text("node"), store: from.text("store"), generation: from.count("generation") };
}

function decodeEpoch(from: Fields): EpochRef {
  return { epoch: from.count("epoch"), term: from.term("term") };
}

function decodeLeadership(from: Fields): Leadership {
  return {
    ...decodeEpoch(from),
    leader: decodeStore(from.object("leader")),
    lineage: from.count("lineage"),
    inSync: from.list("inSync", decodeMember),
    setVersion: from.count("setVersion"),
  };
}

function decodeMember(from: Fields): InSyncMember {
  return { node: from.text("node"), store: from.textOrNull("store"), generation: from.count("generation") };
}

function decodeMark(from: Fields): CopyMark {
  const phase = from.text("phase");
  if (phase === "copying") return { phase };
  if (phase === "replaying") return { phase, mustReach: from.count("mustReach"), lineage: from.count("lineage") };
  throw from.fault("phase", `is ${JSON.stringify(phase)}, not "copying" or "replaying"`);
}

/** The fields of one JSON object, each read as what it must be. Faults name the path to the field. */
export class Fields {
  readonly #value: ReadonlyMap<string, unknown>;
  readonly #path: string;

  constructor(value: unknown, path: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new NodeStateError(`${path} is not an object`);
    }
    this.#value = new Map(Object.entries(value));
    this.#path = path;
  }

  has(name: string): boolean {
    return this.#value.has(name);
  }

  text(name: string): string {
    const value = this.#value.get(name);
    if (typeof value === "string") return value;
    throw this.fault(name, "is not a text");
  }

  textOrNull(name: string): string | null {
    return this.#isNull(name) ? null : this.text(name);
  }

  count(name: string): number {
    const value = this.#value.get(name);
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    throw this.fault(name, "is not a whole number");
  }

  truth(name: string): boolean {
    const value = this.#value.get(name);
    if (typeof value === "boolean") return value;
    throw this.fault(name, "is neither true nor false");
  }

  term(name: string): string {
    const value = this.text(name);
    if (/^[0-9a-f]{16}$/.test(value)) return value;
    throw this.fault(name, "is not a term of 16 hex digits");
  }

  object(name: string): Fields {
    if (!this.#value.has(name)) throw this.fault(name, "is missing");
    return new Fields(this.#value.get(name), `${this.#path}.${name}`);
  }

  orNull<Value>(name: string, read: (from: Fields) => Value): Value | null {
    return this.#isNull(name) ? null : read(this.object(name));
  }

  /** Hands on the field as it is. */
  read<Value>(name: string, read: (value: unknown) => Value): Value {
    if (!this.#value.has(name)) throw this.fault(name, "is missing");
    return read(this.#value.get(name));
  }

  list<Value>(name: string, read: (from: Fields) => Value): Value[] {
    const value = this.#value.get(name);
    if (!Array.isArray(value)) throw this.fault(name, "is not a list");
    return value.map((item, index) => read(new Fields(item, `${this.#path}.${name}[${index}]`)));
  }

  fault(name: string, what: string): NodeStateError {
    return new NodeStateError(`${this.#path}.${name} ${this.#value.has(name) ? what : "is missing"}`);
  }

  #isNull(name: string): boolean {
    if (!this.#value.has(name)) throw this.fault(name, "is missing");
    return this.#value.get(name) === null;
  }
}
