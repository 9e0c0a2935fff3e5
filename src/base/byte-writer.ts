/** Room left behind a value that made the buffer grow. */
const ROOM_BEHIND_BYTES = 4096;

/**
 * Builds a byte string, little-endian, in one growing buffer.
 *
 * `finish()` hands out a copy of exact size, so that the writer can be used again after `clear()`.
 */
export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(capacityBytes = 256) {
    this.#buffer = Buffer.allocUnsafe(capacityBytes);
  }

  get length(): number {
    return this.#length;
  }

  clear(): void {
    this.#length = 0;
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
  }

  u16(value: number): void {
    this.#reserve(2);
    this.#length = this.#buffer.writeUInt16LE(value, this.#length);
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#length = this.#buffer.writeUInt32LE(value, this.#length);
  }

  /** A whole number up to 2⁵³ − 1 in eight bytes. */
  u64(value: number): void {
    this.#reserve(8);
    this.#buffer.writeUInt32LE(value % 0x1_0000_0000, this.#length);
    this.#length = this.#buffer.writeUInt32LE(Math.floor(value / 0x1_0000_0000), this.#length + 4);
  }

  /** A double, for what may be negative or fractional. */
  f64(value: number): void {
    this.#reserve(8);
    this.#length = this.#buffer.writeDoubleLE(value, this.#length);
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
  }

  /** A binary string (one character a byte), without its length. */
  binary(value: string): void {
    this.#reserve(value.length);
    this.#length += this.#buffer.write(value, this.#length, "latin1");
  }

  /** A UTF-8 string with its length in two bytes before it. */
  text16(value: string): void {
    const length = Buffer.byteLength(value);
    this.u16(length);
    this.#reserve(length);
    this.#length += this.#buffer.write(value, this.#length, "utf8");
  }

  /** Sixteen hex digits as eight bytes. */
  hex64(value: string): void {
    this.#reserve(8);
    this.#length += this.#buffer.write(value, this.#length, 8, "hex");
  }

  /** Overwrites four bytes written before, such as a length that was not known yet. */
  patchU32(value: number, position: number): void {
    this.#buffer.writeUInt32LE(value, position);
  }

  /** What was written so far, not copied: valid until the next write or `clear()`. */
  view(start = 0): Buffer {
    return this.#buffer.subarray(start, this.#length);
  }

  /** What was written so far, as bytes of its own. */
  finish(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#length));
  }

  #reserve(byteCount: number): void {
    const needed = this.#length + byteCount;
    if (needed <= this.#buffer.length) return;
    // What follows a large value is small: growing for it again would copy the value once more, into twice the memory.
    const larger = Buffer.allocUnsafe(Math.max(needed + Math.min(needed, ROOM_BEHIND_BYTES), this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
