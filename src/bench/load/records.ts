/** Why a value is not what was written. */
export type ValueFault = "length" | "content";

const INDEX_DIGITS = 10;
const INDEX_BASE = 10 ** INDEX_DIGITS;
const COLON = 0x3a;
const SEMICOLON = 0x3b;
const DIGIT_ZERO = 0x30;
const FILLER = "the quick brown fox jumps over the lazy dog, and again; ";

/**
 * The keys and values of a load. A key is the prefix and ten digits, so keys lie in the order of their indexes. A value tells
 * which key it belongs to and which write it comes from, `0000000007:3;`, and goes on with a fixed text: so every value
 * read can be checked without remembering any.
 */
export class Records {
  readonly valueBytes: number;
  readonly #prefix: string;
  readonly #filler: string;
  readonly #fillerBytes: Buffer;

  /** `keyPrefix` is a binary string: one character a byte. */
  constructor(keyPrefix: string, valueBytes: number) {
    this.#prefix = keyPrefix;
    this.valueBytes = valueBytes;
    this.#filler = FILLER.repeat(Math.ceil(valueBytes / FILLER.length)).slice(0, valueBytes);
    this.#fillerBytes = Buffer.from(this.#filler, "latin1");
  }

  /** A binary string. */
  keyOf(index: number): string {
    return this.#prefix + digitsOf(index);
  }

  valueOf(index: number, counter: number): string {
    const tag = `${digitsOf(index)}:${counter};`;
    if (tag.length >= this.valueBytes) return tag.slice(0, this.valueBytes);
    return tag + this.#filler.slice(tag.length);
  }

  /** null when the bytes are some value of this key. */
  faultOf(bytes: Buffer, start: number, end: number, index: number): ValueFault | null {
    if (end - start !== this.valueBytes) return "length";
    const tagEnd = tagEndOf(bytes, start, end, index);
    if (tagEnd === -1) return "content";
    const isRestSame = bytes.compare(this.#fillerBytes, tagEnd - start, this.valueBytes, tagEnd, end) === 0;
    return isRestSame ? null : "content";
  }
}

/** Ten digits. */
export function digitsOf(index: number): string {
  return (INDEX_BASE + index).toString().slice(1);
}

/** Which write a value of sound form comes from. */
export function counterOf(bytes: Buffer, start: number): number {
  let counter = 0;
  for (let at = start + INDEX_DIGITS + 1; bytes[at] !== SEMICOLON; at++) {
    counter = counter * 10 + (bytes[at] ?? 0) - DIGIT_ZERO;
  }
  return counter;
}

/** Where the tag ends, if it is this key's, else -1. A tag that a short value cuts off ends with the value. */
function tagEndOf(bytes: Buffer, start: number, end: number, index: number): number {
  let divisor = INDEX_BASE / 10;
  let at = start;
  for (let place = 0; place < INDEX_DIGITS; place++, at++, divisor /= 10) {
    if (at === end) return end;
    if (bytes[at] !== DIGIT_ZERO + (Math.floor(index / divisor) % 10)) return -1;
  }
  if (at === end) return end;
  if (bytes[at] !== COLON) return -1;
  for (at += 1; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === SEMICOLON) return at + 1;
    if (byte < DIGIT_ZERO || byte > DIGIT_ZERO + 9) return -1;
  }
  return end;
}
