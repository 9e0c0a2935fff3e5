import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SeededRandom } from "../base/random.ts";
import { noise } from "../../tests/support/byte-mutations.ts";
import { keyOfBinary, keyOfText, type Key } from "./key.ts";
import { hashOfKey, SLOT_COUNT, slotOfKey } from "./slot.ts";
import { freshSlotMap, Topology } from "./topology.ts";

const VECTORS: readonly (readonly [key: string, hash: bigint, remainderOf4: number])[] = [
  ["", 14695981039346656037n, 1],
  ["a", 12638153115695167422n, 2],
  ["foo", 15621798640163566899n, 3],
  ["bar", 15625701906442958976n, 0],
  ["user:123", 10702988777466904498n, 2],
  ["user:001", 10701994818955190947n, 3],
  ["user:456", 10705791432606646627n, 3],
  ["my-key", 13285615767921561781n, 1],
];

describe("the slot of a key", () => {
  for (const [text, hash, remainder] of VECTORS) {
    test(`"${text}" hashes to ${hash} and is placed on shard ${remainder} of 4`, () => {
      // The empty string is no legal key, but it is FNV's first vector.
      const key = text as Key;
      assert.equal(hashOfKey(key), hash.toString());
      assert.equal(slotOfKey(key), Number(hash % BigInt(SLOT_COUNT)));
      assert.equal(slotOfKey(key) % 4, remainder);
      assert.equal(Number(hash % 4n), remainder);
    });
  }

  test("agrees with FNV-1 64 in arbitrary precision for 10,000 random keys", () => {
    for (const key of randomKeys(10_000)) {
      const hash = fnv1(key);
      assert.equal(hashOfKey(key), hash.toString());
      assert.equal(slotOfKey(key), Number(hash % 55_440n));
    }
  });

  test("places 10,000 random keys as `hash % 4` does", () => {
    const shards = ["Hyderabad", "Mumbai", "Delhi", "Bengaluru"].map((name, index) => ({ name, index, members: [] }));
    const topology = new Topology({ cluster: "india", shards, slotMap: freshSlotMap(shards) });
    const counts = [0, 0, 0, 0];
    for (const key of randomKeys(10_000)) {
      const { index } = topology.shardOfKey(key);
      assert.equal(index, Number(fnv1(key) % 4n));
      counts[index] = (counts[index] ?? 0) + 1;
    }
    for (const count of counts) assert.ok(count > 2000, `every shard gets its part: ${counts.join()}`);
  });

  test("modulo N is the hash modulo N, for every shard count N up to 30 that divides the slots", () => {
    const counts = Array.from({ length: 30 }, (_, i) => i + 1).filter((count) => SLOT_COUNT % count === 0);
    assert.deepEqual(counts, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 18, 20, 21, 22, 24, 28, 30]);
    for (const key of randomKeys(1000)) {
      for (const count of counts) assert.equal(slotOfKey(key) % count, Number(fnv1(key) % BigInt(count)));
    }
  });

  test("takes the bytes of the key: text is hashed as UTF-8, and braces mean nothing", () => {
    assert.equal(hashOfKey(keyOfText("München")), fnv1(keyOfBinary("M\xc3\xbcnchen")).toString());
    assert.notEqual(slotOfKey(keyOfText("{user}:1")), slotOfKey(keyOfText("user")));
  });

  test("of the longest key is exact, whatever its bytes", () => {
    for (const character of ["\x00", "\x7f", "\xff"]) {
      const key = keyOfBinary(character.repeat(1024));
      assert.equal(slotOfKey(key), Number(fnv1(key) % 55_440n));
    }
  });
});

function randomKeys(count: number): Key[] {
  const random = new SeededRandom(2024);
  return Array.from({ length: count }, () => keyOfBinary(noise(random, 1 + random.below(40)).toString("latin1")));
}

/** The oracle: FNV-1 as it is written in its specification. */
function fnv1(key: Key): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(key, "latin1")) {
    hash = (hash * 0x100000001b3n) % 2n ** 64n;
    hash ^= BigInt(byte);
  }
  return hash;
}
