import assert from "node:assert/strict";
import type { SeededRandom } from "../../../src/base/random.ts";
import type { RegisterOperation } from "../../support/linearizability/history.ts";

/** A key that many clients read and write at once. */
export interface HotKey {
  name: string;
  used: number;
  /** The newest version that a client was told of; 0 for none. */
  version: number;
  readonly isCounter: boolean;
}

const HOT_KEYS = 24;
const COUNTERS = 4;
/** What the check of linearizability can look through. */
const OPERATIONS_PER_KEY = 160;

/** The keys that clients fight over: a few of them hot, some of them counters, each replaced by a new one when it has been used enough. */
export class HotKeys {
  readonly #run: string;
  readonly #keys: HotKey[] = [];
  #count = 0;

  /** `run` tells the keys of different runs apart. */
  constructor(run: string) {
    this.#run = run;
    for (let index = 0; index < HOT_KEYS; index++) this.#keys.push(this.#make(index < COUNTERS));
  }

  pick(random: SeededRandom): HotKey {
    const index = Math.floor(random.next() ** 2 * this.#keys.length);
    let key = this.#keys[index];
    assert(key !== undefined);
    if (key.used++ >= OPERATIONS_PER_KEY) {
      key = this.#make(key.isCounter);
      this.#keys[index] = key;
    }
    return key;
  }

  #make(isCounter: boolean): HotKey {
    const name = `${isCounter ? "c" : "r"}:${this.#run}:${this.#count++}`;
    return { name, used: 0, version: 0, isCounter };
  }
}

/** What a client does with a key; `value` is its own. */
export function chooseOperation(hot: HotKey, value: string, random: SeededRandom): RegisterOperation {
  const dice = random.next();
  if (dice < 0.45) return { kind: "get" };
  if (hot.isCounter) return { kind: "increment", by: 1 + random.below(9) };
  if (dice < 0.75) return { kind: "put", value };
  if (dice < 0.85 && hot.version > 0) return { kind: "putIfVersion", value, version: hot.version };
  if (dice < 0.92) return { kind: "putIfAbsent", value };
  if (dice < 0.95 && hot.version > 0) return { kind: "deleteIfVersion", version: hot.version };
  return { kind: "delete" };
}
