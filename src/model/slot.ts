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
const OFFSET_HIGH = 0xcbf29ce4;
const OFFSET_LOW = 0x84222325;

/**
 * FNV-1 (multiply, then xor), 64 bits, over the key's bytes, reduced to a slot.
 *
 * The hash is kept as two 32-bit halves, because BigInt costs about a microsecond per byte. The prime is
 * 2⁴⁰ + 0x1b3, so `hash · prime = (hash << 40) + hash · 0x1b3`; products stay below 2⁴¹ and are exact in a double.
 */
export function slotOfKey(key: Key): Slot {
  let high = OFFSET_HIGH;
  let low = OFFSET_LOW;
  for (let i = 0; i < key.length; i++) {
    const product = low * 0x1b3;
    const productLow = product >>> 0;
    high = (high * 0x1b3 + (product - productLow) / TWO_32 + low * 0x100) % TWO_32;
    low = (productLow ^ key.charCodeAt(i)) >>> 0;
  }
  return (((high % SLOT_COUNT) * TWO_32_MOD_SLOTS + (low % SLOT_COUNT)) % SLOT_COUNT) as Slot;
}

/** The whole 64-bit hash in decimal, for people (`kv explain`). */
export function hashOfKey(key: Key): string {
  let hash = 14695981039346656037n;
  for (let i = 0; i < key.length; i++) {
    hash = BigInt.asUintN(64, hash * 1099511628211n) ^ BigInt(key.charCodeAt(i));
  }
  return hash.toString();
}
