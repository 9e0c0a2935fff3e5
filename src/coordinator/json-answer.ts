import { isUtf8 } from "node:buffer";

/** The members of a JSON object from outside, read without trust: what is of another type is undefined. */
export class JsonAnswer {
  readonly #members: ReadonlyMap<string, unknown>;

  private constructor(members: ReadonlyMap<string, unknown>) {
    this.#members = members;
  }

  /** Null when the bytes are no JSON object in UTF-8. */
  static parse(bytes: Buffer): JsonAnswer | null {
    if (!isUtf8(bytes)) return null;
    try {
      return JsonAnswer.of(JSON.parse(bytes.toString("utf8")));
    } catch {
      return null;
    }
  }

  static of(value: unknown): JsonAnswer | null {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
    return new JsonAnswer(new Map(Object.entries(value)));
  }

  text(name: string): string | undefined {
    const value = this.#members.get(name);
    return typeof value === "string" ? value : undefined;
  }

  truth(name: string): boolean | undefined {
    const value = this.#members.get(name);
    return typeof value === "boolean" ? value : undefined;
  }

  whole(name: string): number | undefined {
    const value = this.#members.get(name);
    return typeof value === "number" && Number.isSafeInteger(value) ? value : undefined;
  }

  object(name: string): JsonAnswer | undefined {
    return JsonAnswer.of(this.#members.get(name)) ?? undefined;
  }

  /** Undefined when it is no list of objects. */
  objects(name: string): readonly JsonAnswer[] | undefined {
    const value = this.#members.get(name);
    if (!Array.isArray(value)) return undefined;
    const items = value.map((item: unknown) => JsonAnswer.of(item));
    return items.every((item): item is JsonAnswer => item !== null) ? items : undefined;
  }

  get names(): readonly string[] {
    return [...this.#members.keys()];
  }
}
