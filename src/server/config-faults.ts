import { KvError } from "../model/errors.ts";

const VALUE_CHARS_MAX = 80;

/**
 * What is wrong with one configuration file. All faults are gathered, so that a file is not mended one start at a time;
 * each is one line that names file, line, key and value.
 */
export class ConfigFaults {
  readonly #path: string;
  readonly #lineByKey: ReadonlyMap<string, number>;
  readonly #faults: string[] = [];

  /** `lineByKey` is what locateKeys found; `path` is shown as the user gave it. */
  constructor(path: string, lineByKey: ReadonlyMap<string, number>) {
    this.#path = path;
    this.#lineByKey = lineByKey;
  }

  /** `key` is a path like `shards[1].idx`; `claim` completes "KEY = VALUE …". A key without a value is an absent one. */
  add(key: string, claim: string, value?: unknown): void {
    const subject = value === undefined ? key : `${key} = ${showValue(value)}`;
    this.#faults.push(`${this.#path}${this.#lineSuffix(key)}: ${subject} ${claim}`);
  }

  get isEmpty(): boolean {
    return this.#faults.length === 0;
  }

  /** Throws CONFIG_INVALID with one line a fault, if there is any. */
  throwIfAny(): void {
    if (this.isEmpty) return;
    throw new KvError("CONFIG_INVALID", this.#faults.join("\n"), { details: { faults: [...this.#faults] } });
  }

  /** The line of the key itself, else of the nearest table around it. */
  #lineSuffix(key: string): string {
    for (let path = key; path !== ""; path = path.replace(/(?:\.[^.[\]]*|\[\d+\]|^[^.[\]]*)$/, "")) {
      const line = this.#lineByKey.get(path);
      if (line !== undefined) return `:${line}`;
    }
    return "";
  }
}

/** A value as it would stand in the file, shortened, with control characters escaped. */
function showValue(value: unknown): string {
  const text = typeof value === "bigint" ? String(value) : stringify(value);
  return text.length > VALUE_CHARS_MAX ? `${text.slice(0, VALUE_CHARS_MAX)}…` : text;
}

function stringify(value: unknown): string {
  // TOML's inf and nan have no JSON form.
  if (typeof value === "number") return String(value);
  return JSON.stringify(value, (_key, part: unknown) => (typeof part === "bigint" ? Number(part) : part)) ?? "?";
}
