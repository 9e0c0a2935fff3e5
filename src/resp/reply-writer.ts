/** A connection that says little has a small slab; each new one is twice as large. */
const SLAB_BYTES_MIN = 1024;
const SLAB_BYTES_MAX = 16_384;
/** Longer values go out as they are: joining them with others would copy them. */
const COPIED_BYTES_MAX = 4096;
/** Shorter text is written faster by the character than by a call out. */
const SPELLED_BYTES_MAX = 24;
/** Around a copied value: its length in four digits, and the marks. */
const SHORT_BULK_EXTRA_BYTES = 9;
const DOLLAR = 0x24;
const DIGIT_ZERO = 0x30;
const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;
const NO_SLAB: Buffer = Buffer.alloc(0);
const LINE_ENDS = /[\r\n]/g;

export type Protocol = 2 | 3;

/**
 * Writes replies of one connection, one behind the other, in RESP2 or RESP3.
 *
 * Owns the bytes that have not been taken yet. What was taken belongs to the socket and is never written to again. Text in
 * errors and simple strings never ends a line: whatever keys and values hold, one reply stays one reply.
 */
export class ReplyWriter {
  protocol: Protocol = 2;
  #pieces: Buffer[] = [];
  #pieceBytes = 0;
  #slab: Buffer = NO_SLAB;
  #start = 0;
  #end = 0;

  /** Bytes that wait to be taken. */
  get byteCount(): number {
    return this.#pieceBytes + this.#end - this.#start;
  }

  /** All that was written since the last call. */
  take(): readonly Buffer[] {
    this.#seal();
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#pieceBytes = 0;
    return pieces;
  }

  simple(text: string): void {
    this.#text(`+${text.replaceAll(LINE_ENDS, " ")}\r\n`);
  }

  ok(): void {
    this.#text("+OK\r\n");
  }

  /** `text` begins with its code: `ERR syntax error`. */
  error(text: string): void {
    this.#text(`-${text.replaceAll(LINE_ENDS, " ")}\r\n`);
  }

  integer(value: number | bigint): void {
    this.#text(`:${value}\r\n`);
  }

  /** A value; text is a binary string. */
  bulk(value: Buffer | string): void {
    if (typeof value === "string") {
      this.#text(`$${value.length}\r\n${value}\r\n`);
      return;
    }
    if (value.length <= COPIED_BYTES_MAX) {
      this.#shortBulk(value);
      return;
    }
    this.#text(`$${value.length}\r\n`);
    this.#bytes(value);
    this.#text("\r\n");
  }

  /** What most replies are: written in one go. */
  #shortBulk(value: Buffer): void {
    const { length } = value;
    this.#reserve(length + SHORT_BULK_EXTRA_BYTES);
    const slab = this.#slab;
    let at = this.#end;
    slab[at++] = DOLLAR;
    let unit = length < 10 ? 1 : length < 100 ? 10 : length < 1000 ? 100 : 1000;
    for (let rest = length; unit >= 1; unit = Math.floor(unit / 10)) {
      const digit = Math.floor(rest / unit);
      slab[at++] = DIGIT_ZERO + digit;
      rest -= digit * unit;
    }
    slab[at++] = CARRIAGE_RETURN;
    slab[at++] = LINE_FEED;
    slab.set(value, at);
    at += length;
    slab[at++] = CARRIAGE_RETURN;
    slab[at++] = LINE_FEED;
    this.#end = at;
  }

  /** Text for people, in UTF-8. */
  verbatim(text: string): void {
    const bytes = Buffer.from(text, "utf8");
    if (this.protocol === 2) {
      this.bulk(bytes);
      return;
    }
    this.#text(`=${bytes.length + 4}\r\ntxt:`);
    this.#bytes(bytes);
    this.#text("\r\n");
  }

  null(): void {
    this.#text(this.protocol === 2 ? "$-1\r\n" : "_\r\n");
  }

  /** Where an array would stand. */
  nullArray(): void {
    this.#text(this.protocol === 2 ? "*-1\r\n" : "_\r\n");
  }

  /** Begins an array of `count` replies, which follow. */
  array(count: number): void {
    this.#text(`*${count}\r\n`);
  }

  /** Begins a map of `count` names and values, alternating. */
  map(count: number): void {
    this.#text(this.protocol === 2 ? `*${2 * count}\r\n` : `%${count}\r\n`);
  }

  /** Begins a set of `count` replies. */
  set(count: number): void {
    this.#text(this.protocol === 2 ? `*${count}\r\n` : `~${count}\r\n`);
  }

  #text(text: string): void {
    if (text.length > COPIED_BYTES_MAX) {
      this.#bytes(Buffer.from(text, "latin1"));
      return;
    }
    this.#reserve(text.length);
    if (text.length > SPELLED_BYTES_MAX) {
      this.#end += this.#slab.write(text, this.#end, "latin1");
      return;
    }
    const slab = this.#slab;
    let end = this.#end;
    for (let i = 0; i < text.length; i++) slab[end++] = text.charCodeAt(i);
    this.#end = end;
  }

  #bytes(bytes: Buffer): void {
    if (bytes.length <= COPIED_BYTES_MAX) {
      this.#reserve(bytes.length);
      this.#slab.set(bytes, this.#end);
      this.#end += bytes.length;
      return;
    }
    this.#seal();
    this.#pieces.push(bytes);
    this.#pieceBytes += bytes.length;
  }

  #reserve(byteCount: number): void {
    if (this.#end + byteCount <= this.#slab.length) return;
    this.#seal();
    const doubled = Math.min(SLAB_BYTES_MAX, Math.max(SLAB_BYTES_MIN, this.#slab.length * 2));
    this.#slab = Buffer.allocUnsafeSlow(Math.max(byteCount, doubled));
    this.#start = 0;
    this.#end = 0;
  }

  #seal(): void {
    if (this.#end === this.#start) return;
    this.#pieces.push(this.#slab.subarray(this.#start, this.#end));
    this.#pieceBytes += this.#end - this.#start;
    this.#start = this.#end;
  }
}
