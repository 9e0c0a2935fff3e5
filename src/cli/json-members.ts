import { KvError } from "../model/errors.ts";

/**
 * The members of a JSON object that a node answered, read by name and type.
 *
 * Owns nothing but the object. A member that is missing or of another type throws PROTOCOL, naming it: the answer then comes
 * from something that is not a node of this database, or from one of another version. Members nobody asks for are ignored,
 * so that newer nodes may say more.
 */
export class JsonMembers {
  readonly #place: string;
  readonly #members: ReadonlyMap<string, unknown>;

  /** `place` says in messages whose members these are: "answer.shards[2]". */
  constructor(place: string, value: unknown) {
    this.#place = place;
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw fault(place, "an object", value);
    this.#members = new Map(Object.entries(value));
  }

  /** The whole object, for who reads it later. */
  toObject(): Readonly<Record<string, unknown>> {
    return Object.fromEntries(this.#members);
  }

  has(name: string): boolean {
    return this.#members.has(name);
  }

  isNull(name: string): boolean {
    return this.#isNothing(name);
  }

  text(name: string): string {
    const value = this.#members.get(name);
    return typeof value === "string" ? value : this.#refuse(name, "text");
  }

  /** null stands for a member that is null or missing. */
  textOrNull(name: string): string | null {
    return this.#isNothing(name) ? null : this.text(name);
  }

  number(name: string): number {
    const value = this.#members.get(name);
    return typeof value === "number" ? value : this.#refuse(name, "a number");
  }

  numberOrNull(name: string): number | null {
    return this.#isNothing(name) ? null : this.number(name);
  }

  flag(name: string): boolean {
    const value = this.#members.get(name);
    return typeof value === "boolean" ? value : this.#refuse(name, "true or false");
  }

  object(name: string): JsonMembers {
    return new JsonMembers(`${this.#place}.${name}`, this.#members.get(name));
  }

  objects<T>(name: string, read: (members: JsonMembers) => T): T[] {
    return this.#list(name).map((item, index) => read(new JsonMembers(`${this.#place}.${name}[${index}]`, item)));
  }

  texts(name: string): string[] {
    return this.#list(name).map((item, index) =>
      typeof item === "string" ? item : this.#refuse(`${name}[${index}]`, "text"),
    );
  }

  /** Bytes that stand in JSON as text, or as base64 when `…_encoding` says so. */
  bytes(name: string): Buffer {
    const encoding = this.textOrNull(`${name}_encoding`);
    if (encoding === null) return Buffer.from(this.text(name), "utf8");
    if (encoding !== "base64") return this.#refuse(`${name}_encoding`, "base64");
    const text = this.text(name);
    const bytes = Buffer.from(text, "base64");
    // The decoder skips what it does not know; only text that comes out again was base64.
    return bytes.toString("base64") === text ? bytes : this.#refuse(name, "base64");
  }

  #list(name: string): readonly unknown[] {
    const value: unknown = this.#members.get(name);
    return Array.isArray(value) ? value : this.#refuse(name, "a list");
  }

  #isNothing(name: string): boolean {
    return (this.#members.get(name) ?? null) === null;
  }

  #refuse(name: string, wanted: string): never {
    throw fault(`${this.#place}.${name}`, wanted, this.#members.get(name));
  }
}

function fault(place: string, wanted: string, found: unknown): KvError {
  const text = found === undefined ? "missing" : JSON.stringify(found).slice(0, 80);
  return new KvError("PROTOCOL", `${place} should be ${wanted}, but is ${text}`);
}
