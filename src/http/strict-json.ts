import { isUtf8 } from "node:buffer";
import { KvError } from "../model/errors.ts";
import { LIMITS } from "../model/limits.ts";

/** A number as it was written: 64-bit integers do not survive JavaScript's own numbers. */
export class JsonNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Objects are maps, so that no name from outside ever becomes a property of an object. */
export type JsonValue = null | boolean | string | JsonNumber | readonly JsonValue[] | JsonObject;
export type JsonObject = ReadonlyMap<string, JsonValue>;

/** The largest legal body, a batch, has far fewer. Beyond it reading stops, whatever the body's size. */
const VALUES_MAX = 32_768;
const BYTE_ORDER_MARK = 0xfeff;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/;
/** No number that means anything here is longer. */
const NUMBER_CHARACTERS_MAX = 64;
/** The complement of what a string may hold unescaped. */
const CONTROL_CHARACTER = /[^\x20-\uffff]/;
const QUOTE = '"';
const BACKSLASH = 0x5c;

/**
 * Parses a body as JSON (RFC 8259), strictly: valid UTF-8 without a byte order mark, nothing behind the value, no name twice
 * in an object, no lone surrogate, nesting and number of values bounded. Throws INVALID_ARGUMENT.
 */
export function parseStrictJson(body: Buffer): JsonValue {
  if (!isUtf8(body)) throw invalid("is not valid UTF-8");
  const text = body.toString("utf8");
  if (text.charCodeAt(0) === BYTE_ORDER_MARK) throw invalid("starts with a byte order mark");
  return new StrictJsonParser(text).parse();
}

function invalid(what: string): KvError {
  return new KvError("INVALID_ARGUMENT", `The JSON body ${what}`);
}

/** Reads one text from front to back. Owns its place in it; a fault ends the reading at once. */
class StrictJsonParser {
  readonly #text: string;
  #at = 0;
  #valueCount = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): JsonValue {
    const value = this.#value(1);
    this.#skip();
    if (this.#at !== this.#text.length) throw this.#fault("has something behind its end");
    return value;
  }

  #value(depth: number): JsonValue {
    if (depth > LIMITS.jsonDepthMax) throw this.#fault(`is nested deeper than ${LIMITS.jsonDepthMax}`);
    if (++this.#valueCount > VALUES_MAX) throw this.#fault(`holds more than ${VALUES_MAX} values`);
    this.#skip();
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object(depth);
      case "[":
        return this.#array(depth);
      case '"':
        return this.#string();
      case "t":
        return this.#word("true", true);
      case "f":
        return this.#word("false", false);
      case "n":
        return this.#word("null", null);
      default:
        return this.#number();
    }
  }

  #object(depth: number): JsonObject {
    const members = new Map<string, JsonValue>();
    this.#at++;
    if (this.#takes("}")) return members;
    for (;;) {
      this.#skip();
      if (this.#text[this.#at] !== '"') throw this.#fault("has a member without a name");
      const name = this.#string();
      if (members.has(name)) throw this.#fault(`names ${JSON.stringify(name.slice(0, 64))} twice in one object`);
      if (!this.#takes(":")) throw this.#fault("has a name without a value");
      members.set(name, this.#value(depth + 1));
      if (this.#takes("}")) return members;
      if (!this.#takes(",")) throw this.#fault("has an object without an end");
    }
  }

  #array(depth: number): JsonValue[] {
    const items: JsonValue[] = [];
    this.#at++;
    if (this.#takes("]")) return items;
    for (;;) {
      items.push(this.#value(depth + 1));
      if (this.#takes("]")) return items;
      if (!this.#takes(",")) throw this.#fault("has an array without an end");
    }
  }

  #string(): string {
    const start = this.#at + 1;
    const end = this.#endOfString(start);
    const raw = this.#text.slice(start, end);
    if (CONTROL_CHARACTER.test(raw)) throw this.#fault("has a control character in a string");
    const value = raw.includes("\\") ? this.#unescaped(raw) : raw;
    this.#at = end + 1;
    return value;
  }

  /** Where the closing quote stands: the first one that is not escaped. */
  #endOfString(start: number): number {
    for (let from = start; ;) {
      const quote = this.#text.indexOf(QUOTE, from);
      if (quote === -1) throw this.#fault("has a string without an end");
      let backslashes = 0;
      while (quote - backslashes > from && this.#text.charCodeAt(quote - backslashes - 1) === BACKSLASH) backslashes++;
      if (backslashes % 2 === 0) return quote;
      from = quote + 1;
    }
  }

  #unescaped(raw: string): string {
    const value = parseOrNull(`"${raw}"`);
    if (typeof value !== "string") throw this.#fault("has an escape that does not exist");
    if (value.isWellFormed()) return value;
    throw this.#fault("has a lone surrogate, which is no character: send such bytes as base64");
  }

  #number(): JsonNumber {
    const text = NUMBER.exec(this.#text.slice(this.#at, this.#at + NUMBER_CHARACTERS_MAX))?.[0];
    if (text === undefined) throw this.#fault(this.#at === this.#text.length ? "ends too early" : "is malformed");
    if (text.length === NUMBER_CHARACTERS_MAX) throw this.#fault("has a number that is too long");
    this.#at += text.length;
    return new JsonNumber(text);
  }

  #word<Value>(word: string, value: Value): Value {
    if (!this.#text.startsWith(word, this.#at)) throw this.#fault("is malformed");
    this.#at += word.length;
    return value;
  }

  /** Skips white space; then steps over `character` if it is there. */
  #takes(character: string): boolean {
    this.#skip();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #skip(): void {
    while (isWhiteSpace(this.#text.charCodeAt(this.#at))) this.#at++;
  }

  #fault(what: string): KvError {
    return invalid(`${what} (at character ${this.#at})`);
  }
}

function isWhiteSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

function parseOrNull(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}
