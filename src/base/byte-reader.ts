/** The bytes end before what they announce. Decoders turn it into their own kind of error. */
export class TruncatedError extends Error {
  override readonly name: string = "TruncatedError";
}

/** Reads what `ByteWriter` wrote, little-endian; throws `TruncatedError` instead of reading past the end. */
export class ByteReader {
  readonly #buffer: Buffer;
  #position: number;
  readonly #end: number;

  constructor(buffer: Buffer, start = 0, end: number = buffer.length) {
    this.#buffer = buffer;
    this.#position = start;
    this.#end = end;
  }

  get position(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.#end - this.#position;
  }

  u8(): number {
    return this.#buffer.readUInt8(this.#take(1));
  }

  u16(): number {
    return this.#buffer.readUInt16LE(this.#take(2));
  }

  u32(): number {
    return this.#buffer.readUInt32LE(this.#take(4));
  }

  /** A whole number in eight bytes; one above 2⁵³ − 1 is refused, because a double cannot hold it. */
  u64(): number {
    const at = this.#take(8);
    const high = this.#buffer.readUInt32LE(at + 4);
    if (high > 0x1f_ffff) throw new TruncatedError(`Number at byte ${at} exceeds 2^53 - 1`);
    return high * 0x1_0000_0000 + this.#buffer.readUInt32LE(at);
  }

  f64(): number {
    return this.#buffer.readDoubleLE(this.#take(8));
  }

  /** A view, not a copy. */
  bytes(byteCount: number): Buffer {
    const at = this.#take(byteCount);
    return this.#buffer.subarray(at, at + byteCount);
  }

  /** A binary string: one character a byte. */
  binary(byteCount: number): string {
    const at = this.#take(byteCount);
    return this.#buffer.toString("latin1", at, at + byteCount);
  }

  /** A UTF-8 string with its length in two bytes before it. */
  text16(): string {
    const byteCount = this.u16();
    const at = this.#take(byteCount);
    return this.#buffer.toString("utf8", at, at + byteCount);
  }

  /** Eight bytes as sixteen hex digits. */
  hex64(): string {
    const at = this.#take(8);
    return this.#buffer.toString("hex", at, at + 8);
  }

  #take(byteCount: number): number {
    const at = this.#position;
    if (byteCount > this.#end - at) {
      throw new TruncatedError(`Needs ${byteCount} bytes at ${at}, has ${this.#end - at}`);
    }
    this.#position = at + byteCount;
    return at;
  }
}
