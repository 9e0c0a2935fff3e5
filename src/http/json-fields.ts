import { KvError } from "../model/errors.ts";
import { JsonNumber, type JsonObject, type JsonValue } from "./strict-json.ts";

/**
 * The members of one JSON object, taken by name and type.
 *
 * Owns what has not been taken yet: `refuseRest` answers for it, so that no member is ever ignored. `place` says in messages
 * where the object stands (`ops[3].set`).
 */
export class JsonFields {
  readonly #place: string;
  readonly #left: Map<string, JsonValue>;

  constructor(place: string, value: JsonValue) {
    if (!(value instanceof Map)) throw new KvError("INVALID_ARGUMENT", `${place} must be an object`);
    const members: JsonObject = value;
    this.#place = place;
    this.#left = new Map(members);
  }

  get names(): readonly string[] {
    return [...this.#left.keys()];
  }

  /** The member as it is, left where it is. */
  peek(name: string): JsonValue | undefined {
    return this.#left.get(name);
  }

  /** The member as it is; undefined when it is not there. */
  take(name: string): JsonValue | undefined {
    const value = this.#left.get(name);
    this.#left.delete(name);
    return value;
  }

  text(name: string): string {
    return this.optionalText(name) ?? this.#missing(name);
  }

  optionalText(name: string): string | undefined {
    const value = this.take(name);
    if (value === undefined || typeof value === "string") return value;
    throw this.fault(name, "must be a string");
  }

  /** A member that is true or false; false when it is not there. */
  flag(name: string): boolean {
    const value = this.take(name) ?? false;
    if (typeof value === "boolean") return value;
    throw this.fault(name, "must be true or false");
  }

  /** The digits of a whole number, as they were written; undefined when it is not there. */
  optionalInteger(name: string): string | undefined {
    const value = this.take(name);
    if (value === undefined) return undefined;
    if (value instanceof JsonNumber && /^-?\d+$/.test(value.text)) return value.text;
    throw this.fault(name, "must be a whole number");
  }

  list(name: string): readonly JsonValue[] {
    const value = this.take(name) ?? this.#missing(name);
    if (isList(value)) return value;
    throw this.fault(name, "must be an array");
  }

  refuseRest(): void {
    for (const name of this.#left.keys()) throw this.fault(name.slice(0, 64), "is not known here");
  }

  fault(name: string, what: string): KvError {
    return new KvError("INVALID_ARGUMENT", `${this.#place}.${name} ${what}`);
  }

  #missing(name: string): never {
    throw this.fault(name, "is missing");
  }
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
