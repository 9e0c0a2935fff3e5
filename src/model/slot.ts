import type { Brand } from "../base/brand.ts";
import type { Key } from "./key.ts";

/** Where a key belongs: `fnv1_64(key) mod 55440`. A slot belongs to one shard. */
export type Slot = Brand<number, "Slot">;

/**
 * 2⁴·3²·5·7·11, the largest highly composite number below 2¹⁶. For every shard count N that divides it,
 * `hash % 55440 % N` is `hash % N`: a fresh cluster places keys as the plain formula `hash % N` does.
 */
export const SLOT_COUNT = 55_440;

const TWO_32 = 0x1_0000_0000;
const TWO_32_MOD_SLOTS = TWO_32 % SLOT_COUNT;
const OFFSET_HIGH = 0xcbf29ce4 | 0;
const OFFSET_LOW = 0x84222325 | 0;

/**
 * FNV-1 (multiply, then xor), 64 bits, over the key's bytes, reduced to a slot.
 *
 * The hash is kept as two 32-bit halves, because BigInt costs about a microsecond per byte. The prime is 2⁴⁰ + 0x1b3, so
 * `hash · prime = (hash << 40) + hash · 0x1b3`. The lower half is multiplied in 16-bit digits: no product leaves 32 bits, and
 * there is no division but at the end.
 */
export function slotOfKey(key: Key): Slot {
  let high = OFFSET_HIGH;
  let low = OFFSET_LOW;
  for (let i = 0; i < key.length; i++) {
    const lowest = (low & 0xffff) * 0x1b3;
    const middle = (low >>> 16) * 0x1b3 + (lowest >>> 16);
    high = (Math.imul(high, 0x1b3) + (middle >>> 16) + (low << 8)) | 0;
    low = ((middle << 16) | (lowest & 0xffff)) ^ key.charCodeAt(i);
  }
  return ((((high >>> 0) % SLOT_COUNT) * TWO_32_MOD_SLOTS + ((low >>> 0) % SLOT_COUNT)) % SLOT_COUNT) as Slot;
}

/** The whole 64-bit hash in decimal, for people (`kv explain`). */
export function hashOfKey(key: Key): string {
  let hash = 14695981039346656037n;
  for (let i = 0; i < key.length; i++) {
    hash = BigInt.asUintN(64, hash * 1099511628211n) ^ BigInt(key.charCodeAt(i));
  }
  return hash.toString();
}
