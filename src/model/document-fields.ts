import { KvError } from "./errors.ts";
import { LIMITS } from "./limits.ts";

/** The only version of the coordinator's documents so far: the member `v` of each. */
export const DOCUMENT_VERSION = 1;

const TEXT_SHOWN_MAX = 64;

/**
 * Reads one document of the coordinator (§2.4) as untrusted input: an object of at most `LIMITS.documentBytesMax` bytes, no
 * name twice, `"v":1`, and exactly the members that `decode` asks for. `what` names the document in messages. Throws KvError
 * DOCUMENT_INVALID and nothing else.
 */
export function decodeDocument<Content>(
  text: string,
  what: string,
  decode: (fields: DocumentFields) => Content,
): Content {
  const value = parse(text, what);
  const fields = new DocumentFields(value, what);
  const version = fields.whole("v", { min: 0, max: Number.MAX_SAFE_INTEGER });
  if (version !== DOCUMENT_VERSION) {
    throw invalid(`${what} has version ${version}, this program reads version ${DOCUMENT_VERSION}`);
  }
  const content = decode(fields);
  fields.refuseOthers();
  return content;
}

/**
 * The members of one JSON object, each read as what it must be.
 *
 * A fault is KvError DOCUMENT_INVALID, whose message names the path to the member. Names are kept in a map, so that none of
 * them ever becomes a property.
 */
export class DocumentFields {
  readonly #members: ReadonlyMap<string, unknown>;
  readonly #path: string;
  readonly #asked = new Set<string>();

  constructor(value: unknown, path: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(`${path} is not an object`);
    this.#members = new Map(Object.entries(value));
    this.#path = path;
  }

  /** A text that matches `pattern`; `claim` completes "PATH.NAME …". */
  text(name: string, pattern: RegExp, claim: string): string {
    const value = this.#take(name);
    if (typeof value === "string" && pattern.test(value)) return value;
    throw this.fault(name, claim);
  }

  /** One of `choices`. */
  choice<Choice extends string>(name: string, choices: readonly Choice[]): Choice {
    const value = this.#take(name);
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw this.fault(name, `must be ${choices.join(", ")}`);
    return found;
  }

  /** An integer within bounds, both inclusive. */
  whole(name: string, { min, max }: { readonly min: number; readonly max: number }): number {
    const value = this.#take(name);
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) return value;
    throw this.fault(name, max === Number.MAX_SAFE_INTEGER ? `must be from ${min}` : `must be from ${min} to ${max}`);
  }

  object(name: string): DocumentFields {
    if (!this.#members.has(name)) throw this.fault(name, "");
    return new DocumentFields(this.#take(name), `${this.#path}.${name}`);
  }

  /** A list of at most `max` items; `read` gets each with its path. */
  list<Item>(name: string, max: number, read: (value: unknown, path: string) => Item): Item[] {
    const value = this.#take(name);
    if (!Array.isArray(value)) throw this.fault(name, "is not a list");
    if (value.length > max) throw this.fault(name, `has more than ${max} items`);
    return value.map((item: unknown, index) => read(item, `${this.#path}.${name}[${index}]`));
  }

  /** To be called last: a member that nobody asked for means something that this program would lose. */
  refuseOthers(): void {
    for (const name of this.#members.keys()) {
      if (!this.#asked.has(name)) throw invalid(`${this.#path}.${shorten(name)} is not a known member`);
    }
  }

  /** The error of one member; `claim` completes "PATH.NAME VALUE …". */
  fault(name: string, claim: string): KvError {
    if (!this.#members.has(name)) return invalid(`${this.#path}.${name} is missing`);
    return invalid(`${this.#path}.${name}${showScalar(this.#members.get(name))} ${claim}`);
  }

  #take(name: string): unknown {
    this.#asked.add(name);
    return this.#members.get(name);
  }
}

/** An item of a list that is a text matching `pattern`. */
export function textItem(value: unknown, path: string, pattern: RegExp): string {
  if (typeof value === "string" && pattern.test(value)) return value;
  throw invalid(`${path} is malformed`);
}

/** What is wrong with a document, as the error that its reader gets. */
export function invalid(message: string): KvError {
  return new KvError("DOCUMENT_INVALID", message);
}

function parse(text: string, what: string): unknown {
  const byteCount = Buffer.byteLength(text, "utf8");
  if (byteCount > LIMITS.documentBytesMax) {
    throw invalid(`${what} has ${byteCount} bytes, more than ${LIMITS.documentBytesMax}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid(text.trim() === "" ? `${what} is empty` : `${what} is not JSON`);
  }
  if (countMembers(value, what) !== countColons(text)) throw invalid(`${what} names a member twice in one object`);
  return value;
}

/** Members of all objects in a value. Level by level instead of by recursion, so that depth costs no stack. */
function countMembers(root: unknown, what: string): number {
  let count = 0;
  let level: unknown[] = [root];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > LIMITS.jsonDepthMax) throw invalid(`${what} is nested deeper than ${LIMITS.jsonDepthMax}`);
    const next: unknown[] = [];
    for (const value of level) {
      if (typeof value !== "object" || value === null) continue;
      const children: unknown[] = Object.values(value);
      if (!Array.isArray(value)) count += children.length;
      for (const child of children) if (typeof child === "object" && child !== null) next.push(child);
    }
    level = next;
  }
  return count;
}

/** Colons outside of strings. In valid JSON there is one for each member as written, those that the parser dropped included. */
function countColons(text: string): number {
  let count = 0;
  let isInString = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (isInString && character === "\\") at++;
    else if (character === '"') isInString = !isInString;
    else if (character === ":" && !isInString) count++;
  }
  return count;
}

/** With a space before it; nothing for what has no short form. */
function showScalar(value: unknown): string {
  if (typeof value === "string") return ` ${shorten(value)}`;
  return typeof value === "number" || typeof value === "boolean" ? ` ${value}` : "";
}

function shorten(text: string): string {
  const shown = text.length > TEXT_SHOWN_MAX ? `${text.slice(0, TEXT_SHOWN_MAX)}…` : text;
  return JSON.stringify(shown);
}
