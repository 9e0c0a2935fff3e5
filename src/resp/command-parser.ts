import { LIMITS } from "../model/limits.ts";
import { type Argument, SHORT_BYTES_MAX } from "./argument.ts";
import { splitInlineWords } from "./inline-words.ts";

/** Bytes that are not the protocol. The connection ends with this, as Redis words it. */
export class ProtocolFault extends Error {
  override readonly name: string = "ProtocolFault";
}

const STAR = 0x2a;
const DOLLAR = 0x24;
const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;
const DIGIT_ZERO = 0x30;
/** Counts and lengths with so many digits are read without a string. */
const FAST_DIGITS_MAX = 8;
/** Words from here on are values, or options: the longer ones are wanted as bytes. */
const FIRST_VALUE_INDEX = 2;
const SHORT_VALUE_BYTES_MAX = 24;
const NOTHING: Buffer = Buffer.alloc(0);
/** With these a request of a browser begins. A page may send any lines behind them: they must not be taken for commands. */
const HTTP_WORDS: ReadonlySet<string> = new Set(["post", "host:"]);

/**
 * Takes commands out of the bytes of one connection, wherever they are cut: the same bytes give the same commands.
 *
 * Owns the chunk being read and what is there of the command it ends in. Nothing is looked at twice: a long word is gathered
 * in pieces and joined once. What is held of an unfinished command is bounded by LIMITS.respCommandBytesMax.
 */
export class CommandParser {
  #chunk: Buffer = NOTHING;
  #at = 0;
  /** The beginning of a line whose end has not arrived. */
  #line = "";
  /** Bytes of line ends still to be passed over. */
  #skip = 0;
  #words: Argument[] = [];
  #lastName = "";
  /** Words of the command still to come; null between commands. */
  #wordsLeft: number | null = null;
  /** Bytes of the word being gathered still to come; -1 when none is. */
  #bytesLeft = -1;
  #pieces: Buffer[] = [];
  #commandBytes = 0;

  /** Whether some bytes have not been looked at. */
  get hasBytes(): boolean {
    return this.#at < this.#chunk.length;
  }

  /** What is held of an unfinished command. */
  get heldBytes(): number {
    return this.#commandBytes - Math.max(0, this.#bytesLeft) + this.#line.length;
  }

  /** More bytes; only when `next` has given null. */
  push(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** The next whole command, never empty; null when it has not arrived. Throws ProtocolFault; nothing follows that. */
  next(): Argument[] | null {
    for (;;) {
      if (!this.#passLineEnd()) return this.#pause();
      if (this.#wordsLeft === 0) return this.#finish();
      if (this.#bytesLeft >= 0) {
        if (!this.#readWord()) return this.#pause();
      } else if (this.#wordsLeft !== null) {
        if (!this.#readLength(this.#wordsLeft)) return this.#pause();
      } else if (this.#line === "" ? this.#chunk[this.#at] === STAR : this.#line.startsWith("*")) {
        if (!this.#readCount()) return this.#pause();
      } else {
        if (this.#at >= this.#chunk.length) return this.#pause();
        const words = this.#readInline();
        if (words === null) return this.#pause();
        if (words.length > 0) return words;
      }
    }
  }

  /** Everything in the chunk has been taken: it need not be kept. */
  #pause(): null {
    this.#chunk = NOTHING;
    this.#at = 0;
    return null;
  }

  #finish(): Argument[] {
    const words = this.#words;
    this.#words = [];
    this.#wordsLeft = null;
    this.#commandBytes = 0;
    return words;
  }

  #passLineEnd(): boolean {
    const passed = Math.min(this.#skip, this.#chunk.length - this.#at);
    this.#at += passed;
    this.#skip -= passed;
    return this.#skip === 0;
  }

  /** `*<count>`: none or less is no command, and is passed over. */
  #readCount(): boolean {
    const count = this.#readNumber("too big mbulk count string", "invalid multibulk length");
    if (count === null) return false;
    if (count > LIMITS.respElementsMax) throw new ProtocolFault("invalid multibulk length");
    this.#wordsLeft = count > 0 ? count : null;
    return true;
  }

  /** `$<length>`. */
  #readLength(wordsLeft: number): boolean {
    if (this.#at >= this.#chunk.length) return false;
    const first = this.#line === "" ? (this.#chunk[this.#at] ?? 0) : this.#line.charCodeAt(0);
    if (first !== DOLLAR) throw new ProtocolFault(`expected '$', got '${String.fromCharCode(first)}'`);
    const length = this.#readNumber("too big bulk count string", "invalid bulk length");
    if (length === null) return false;
    this.#commandBytes += length;
    if (length < 0 || this.#commandBytes > LIMITS.respCommandBytesMax) throw new ProtocolFault("invalid bulk length");
    this.#bytesLeft = length;
    this.#wordsLeft = wordsLeft;
    return true;
  }

  #readWord(): boolean {
    const here = this.#chunk.length - this.#at;
    const end = this.#at + Math.min(here, this.#bytesLeft);
    if (here < this.#bytesLeft) {
      if (here > 0) this.#pieces.push(this.#chunk.subarray(this.#at, end));
      this.#bytesLeft -= here;
      this.#at = end;
      return false;
    }
    if (this.#pieces.length > 0) {
      this.#pieces.push(this.#chunk.subarray(this.#at, end));
      const bytes = Buffer.concat(this.#pieces);
      this.#words.push(bytes.length <= this.#textBytesMax ? bytes.toString("latin1") : bytes);
      this.#pieces = [];
    } else this.#words.push(this.#wordOf(end));
    this.#at = end;
    this.#bytesLeft = -1;
    this.#wordsLeft = (this.#wordsLeft ?? 1) - 1;
    this.#skip = 2;
    return true;
  }

  /** The word from here to `end`, all of it in this chunk. */
  #wordOf(end: number): Argument {
    const length = end - this.#at;
    if (this.#words.length === 0 && length <= SHORT_BYTES_MAX) return this.#nameOf(end);
    if (length <= this.#textBytesMax) {
      return this.#chunk.toString("latin1", this.#at, end);
    }
    const bytes = Buffer.allocUnsafe(length);
    this.#chunk.copy(bytes, 0, this.#at, end);
    return bytes;
  }

  /** The command's name: mostly the one of the command before, for which no string has to be made. */
  #nameOf(end: number): Argument {
    const last = this.#lastName;
    const length = end - this.#at;
    let same = last.length === length ? length : -1;
    while (same > 0 && last.charCodeAt(same - 1) === this.#chunk[this.#at + same - 1]) same--;
    if (same === 0) return last;
    const name = this.#chunk.toString("latin1", this.#at, end);
    if (length <= SHORT_VALUE_BYTES_MAX) this.#lastName = name;
    return name;
  }

  /** How long the next word may be to be handed out as a string. */
  get #textBytesMax(): number {
    return this.#words.length < FIRST_VALUE_INDEX ? SHORT_BYTES_MAX : SHORT_VALUE_BYTES_MAX;
  }

  /** The number behind the first character of a line; null when its end has not arrived. */
  #readNumber(tooLong: string, malformed: string): number | null {
    if (this.#line === "") {
      const fast = this.#readFastNumber();
      if (fast >= 0) return fast;
    }
    const line = this.#readLine(CARRIAGE_RETURN, tooLong);
    if (line === null) return null;
    this.#skip = 1;
    const digits = line.slice(1);
    if (!/^(?:0|-?[1-9][0-9]{0,18})$/.test(digits)) throw new ProtocolFault(malformed);
    return Number(digits);
  }

  /** The usual case: a few digits and the line's end, all in this chunk. -1 when it is not that. */
  #readFastNumber(): number {
    const chunk = this.#chunk;
    let at = this.#at + 1;
    const end = Math.min(chunk.length - 1, at + FAST_DIGITS_MAX);
    let value = 0;
    for (; at < end; at++) {
      const byte = chunk[at] ?? 0;
      if (byte === CARRIAGE_RETURN) break;
      const digit = byte - DIGIT_ZERO;
      if (digit < 0 || digit > 9) return -1;
      value = value * 10 + digit;
    }
    const digitCount = at - this.#at - 1;
    const isOrdinary = digitCount === 1 || (digitCount > 1 && chunk[this.#at + 1] !== DIGIT_ZERO);
    if (at >= end || !isOrdinary) return -1;
    this.#at = at + 2;
    return value;
  }

  #readInline(): Argument[] | null {
    const line = this.#readLine(LINE_FEED, "too big inline request");
    if (line === null) return null;
    const words = splitInlineWords(line.endsWith("\r") ? line.slice(0, -1) : line);
    if (words === null) throw new ProtocolFault("unbalanced quotes in request");
    if (HTTP_WORDS.has((words[0] ?? "").toLowerCase())) throw new ProtocolFault("HTTP is not spoken at this port");
    return words.map((word) => (word.length <= SHORT_BYTES_MAX ? word : Buffer.from(word, "latin1")));
  }

  /** The line up to `terminator`, which is passed over; null when it has not arrived. */
  #readLine(terminator: number, tooLong: string): string | null {
    const found = this.#chunk.indexOf(terminator, this.#at);
    const end = found < 0 ? this.#chunk.length : found;
    if (this.#line.length + end - this.#at > LIMITS.respInlineBytesMax) throw new ProtocolFault(tooLong);
    const line = this.#line + this.#chunk.toString("latin1", this.#at, end);
    this.#at = found < 0 ? end : end + 1;
    this.#line = found < 0 ? line : "";
    return found < 0 ? null : line;
  }
}
