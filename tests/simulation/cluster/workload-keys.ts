import type { SeededRandom } from "../../../src/base/random.ts";
import type { Outcome, RegisterOperation } from "../../support/linearizability/history.ts";
import type { ClientsShape } from "./cluster-shape.ts";

/** Each key is given up for a new one after so many operations, so that the search for an order stays cheap. */
const OPERATIONS_PER_KEY = 120;
/** Or after so many writes whose fate stays open: each may have taken effect at any later time. */
const UNKNOWN_PER_KEY = 8;

/** A key in use. */
export class WorkloadKey {
  readonly name: string;
  usedCount = 0;
  /** The newest version that any client has seen. */
  version = 0;
  unknownCount = 0;

  constructor(name: string) {
    this.name = name;
  }

  saw(outcome: Outcome): void {
    if (outcome.kind === "unknown") this.unknownCount++;
    if (outcome.kind === "ok" && "version" in outcome.result) {
      this.version = Math.max(this.version, outcome.result.version ?? 0);
    }
  }
}

/** The keys that clients use and what they do with them: few at a time, the first ones the hottest. */
export class WorkloadKeys {
  readonly all: WorkloadKey[] = [];
  readonly #random: SeededRandom;
  readonly #shape: ClientsShape;
  readonly #inUse: WorkloadKey[];

  constructor(random: SeededRandom, shape: ClientsShape) {
    this.#random = random;
    this.#shape = shape;
    this.#inUse = Array.from({ length: shape.keyCount }, () => this.#newKey());
  }

  pick(): WorkloadKey {
    const slot = Math.floor(this.#inUse.length * this.#random.next() * this.#random.next());
    const key = this.#inUse[slot];
    const isSpent = key === undefined || key.usedCount++ >= OPERATIONS_PER_KEY || key.unknownCount >= UNKNOWN_PER_KEY;
    if (!isSpent) return key;
    return (this.#inUse[slot] = this.#newKey());
  }

  /** An operation on `key`; `serial` makes what it writes unique. */
  operationOn(key: WorkloadKey, serial: number, prefix = "v"): RegisterOperation {
    const random = this.#random;
    if (random.next() < this.#shape.readShare) return { kind: "get" };
    if (random.next() < this.#shape.incrementShare) return { kind: "increment", by: 1 + random.below(3) };
    const value = `${prefix}${serial}`;
    const { version } = key;
    const choice = random.below(8);
    if (choice === 0) return { kind: "delete" };
    if (choice === 1) return { kind: "putIfAbsent", value };
    if ((choice === 2 || choice === 3) && version > 0) return { kind: "putIfVersion", value, version };
    if (choice === 4 && version > 0) return { kind: "deleteIfVersion", version };
    return { kind: "put", value };
  }

  #newKey(): WorkloadKey {
    const key = new WorkloadKey(`key-${this.all.length}`);
    this.all.push(key);
    return key;
  }
}
