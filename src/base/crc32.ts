import { crc32 as zlibCrc32 } from "node:zlib";

/**
 * CRC-32 (the one of zip and Ethernet) of `bytes`, as an unsigned 32-bit number.
 *
 * `start` continues an earlier value, so that several pieces, or a salt, can be covered without joining them.
 */
export function crc32(bytes: Uint8Array, start = 0): number {
  return zlibCrc32(bytes, start);
}
