import { crc32 as zlibCrc32 } from "node:zlib";

/** Up to here a table is faster than the way to the native function and back (measured: 130 bytes in 290 ns, against 700). */
const SHORT_BYTES_MAX = 192;

/**
 * CRC-32 (the one of zip and Ethernet) of the bytes from `from` to `to`, as an unsigned 32-bit number.
 *
 * `start` continues an earlier value, so that several pieces, or a salt, can be covered without joining them.
 */
export function crc32(bytes: Uint8Array, start = 0, from = 0, to: number = bytes.length): number {
  if (to - from <= SHORT_BYTES_MAX) return crc32ByTable(bytes, start, { from, to });
  return zlibCrc32(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to), start);
}

/** CRC-32 of a binary string: one character a byte. */
export function crc32OfBinary(binary: string): number {
  let crc = -1;
  for (let i = 0; i < binary.length; i++) crc = (crc >>> 8) ^ (BYTE_0[(crc ^ binary.charCodeAt(i)) & 0xff] ?? 0);
  return ~crc >>> 0;
}

/** Four bytes a step (Kounavis and Berry, "Novel Table Lookup-Based Algorithms for High-Performance CRC Generation", 2008). */
function crc32ByTable(bytes: Uint8Array, start: number, range: { readonly from: number; readonly to: number }): number {
  const { to } = range;
  let at = range.from;
  let crc = ~start;
  for (const stepsEnd = at + ((to - at) & ~3); at < stepsEnd; at += 4) {
    crc ^= (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
    crc =
      (BYTE_3[crc & 0xff] ?? 0) ^
      (BYTE_2[(crc >>> 8) & 0xff] ?? 0) ^
      (BYTE_1[(crc >>> 16) & 0xff] ?? 0) ^
      (BYTE_0[crc >>> 24] ?? 0);
  }
  for (; at < to; at++) crc = (crc >>> 8) ^ (BYTE_0[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0);
  return ~crc >>> 0;
}

const BYTE_0: Int32Array = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0xedb88320;
  return crc;
});
const BYTE_1: Int32Array = behind(BYTE_0);
const BYTE_2: Int32Array = behind(BYTE_1);
const BYTE_3: Int32Array = behind(BYTE_2);

/** What a byte comes to when one more byte follows it. */
function behind(table: Int32Array): Int32Array {
  return table.map((crc) => (crc >>> 8) ^ (BYTE_0[crc & 0xff] ?? 0));
}
