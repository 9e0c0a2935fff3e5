import type { ConfigFaults } from "./config-faults.ts";

/** Bounds of an integer key, both inclusive. */
export interface IntegerBounds {
  readonly min: number;
  readonly max: number;
}

/**
 * One table of the configuration file, read key by key. A key of the wrong type is a fault and reads as its default;
 * what nobody asked for is a fault when `refuseUnknownKeys` is called, which must be done last.
 */
export class ConfigTable {
  readonly path: string;
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #faults: ConfigFaults;
  readonly #asked = new Set<string>();

  /** `path` is the table's own, "" for the file. Integers are expected as bigint, so that 1.0 is not taken for 1. */
  constructor(path: string, values: object, faults: ConfigFaults) {
    this.path = path;
    this.#values = new Map(Object.entries(values));
    this.#faults = faults;
  }

  keyPath(key: string): string {
    return this.path === "" ? key : `${this.path}.${key}`;
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  fault(key: string, claim: string): void {
    this.#faults.add(this.keyPath(key), claim, this.#values.get(key));
  }

  /** A fault of one part of a key's value, such as one element of an array. */
  faultAt(key: string, part: string, claim: string): void {
    this.#faults.add(this.keyPath(key), claim, part);
  }

  text(key: string): string | undefined {
    const value = this.#take(key);
    if (typeof value === "string" || value === undefined) return value;
    this.fault(key, "must be a string");
    return undefined;
  }

  integer(key: string, bounds: IntegerBounds): number | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    if (typeof value === "bigint" && value >= BigInt(bounds.min) && value <= BigInt(bounds.max)) return Number(value);
    const range = bounds.max === Number.MAX_SAFE_INTEGER ? `from ${bounds.min}` : `from ${bounds.min} to ${bounds.max}`;
    this.fault(key, `must be an integer ${range}`);
    return undefined;
  }

  texts(key: string): readonly string[] | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.every((item): item is string => typeof item === "string")) return value;
    this.fault(key, "must be an array of strings");
    return undefined;
  }

  /** One of `choices`, or undefined. */
  choice<Choice extends string>(key: string, choices: readonly Choice[]): Choice | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    const found = choices.find((choice) => choice === value);
    if (found === undefined) this.fault(key, `must be ${choices.map((choice) => `"${choice}"`).join(" or ")}`);
    return found;
  }

  table(key: string): ConfigTable | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    if (isTable(value)) return new ConfigTable(this.keyPath(key), value, this.#faults);
    this.fault(key, `must be a table: write [${key}]`);
    return undefined;
  }

  tables(key: string): readonly ConfigTable[] | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.every(isTable)) {
      return value.map((item, index) => new ConfigTable(`${this.keyPath(key)}[${index}]`, item, this.#faults));
    }
    this.fault(key, `must be tables: write [[${key}]]`);
    return undefined;
  }

  refuseUnknownKeys(): void {
    for (const key of this.#values.keys()) {
      if (this.#asked.has(key)) continue;
      this.fault(key, `is not a known key; known here: ${[...this.#asked].join(", ")}`);
    }
  }

  /** Marks every key as one that this version knows of and refuses, and adds `claim` to each. */
  refuseAllKeys(claim: string): void {
    for (const key of this.#values.keys()) this.fault(key, claim);
    if (this.#values.size === 0) this.#faults.add(this.path, claim);
  }

  #take(key: string): unknown {
    this.#asked.add(key);
    return this.#values.get(key);
  }
}

function isTable(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
